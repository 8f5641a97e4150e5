// Large pages for large memory. A first touch costs one page fault each; in 4 KiB pages the memory
// of a middling model is tens of thousands of them, up to half a second on a virtual machine, and
// more than the processor's address cache holds.
#pragma once
#include <cstdint>

namespace hs {

constexpr int64_t kLargePage = int64_t{2} << 20;

// Asks the system for large pages where the memory is not touched yet and has whole ones; a hint,
// whose refusal changes nothing.
void prefer_large_pages(void* memory, int64_t bytes);

}  // namespace hs
