#include "device/cpu/host_memory.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "base/arena.h"
#include "device/cpu/pages.h"

namespace hs {
namespace {

// From here on memory starts at a large page and asks for such.
constexpr int64_t kManyPages = 2 * kLargePage;

size_t alignment_of(int64_t bytes) {
  return static_cast<size_t>(bytes < kManyPages ? kAlignment : kLargePage);
}

// Zeros of large memory are made by the system at the first touch. Where they begin is noted before
// them.
void* allocate_zeros(int64_t bytes) {
  const size_t alignment = alignment_of(bytes);
  void* const whole = std::calloc(1, static_cast<size_t>(bytes) + alignment + sizeof(void*));
  if (whole == nullptr) throw std::bad_alloc();
  const uintptr_t first = reinterpret_cast<uintptr_t>(whole) + sizeof(void*) + alignment - 1;
  void** const memory = reinterpret_cast<void**>(first - first % alignment);
  memory[-1] = whole;
  return memory;
}

void* allocate_any(int64_t bytes) {
  // nothrow: under AddressSanitizer the throwing form ends the process instead of throwing.
  void* const memory = ::operator new(static_cast<size_t>(bytes),
                                      std::align_val_t(alignment_of(bytes)), std::nothrow);
  if (memory == nullptr) throw std::bad_alloc();
#ifndef NDEBUG
  std::memset(memory, 0xff, static_cast<size_t>(bytes));  // NaN
#endif
  return memory;
}

class HostMemory final : public Memory {
 public:
  Room room(int64_t) const override { return host_room(); }
  void* allocate(int64_t bytes, bool zeros) override {
    void* const memory = zeros ? allocate_zeros(bytes) : allocate_any(bytes);
    if (bytes >= kManyPages) prefer_large_pages(memory, bytes);
    return memory;
  }
  void release(void* memory, int64_t bytes, bool zeros) noexcept override {
    if (zeros) return std::free(static_cast<void**>(memory)[-1]);
    ::operator delete(memory, std::align_val_t(alignment_of(bytes)));
  }
  void upload(void* to, const void* host, int64_t bytes) override { copy(to, host, bytes); }
  void download(void* host, const void* from, int64_t bytes) const override {
    if (bytes) std::memcpy(host, from, static_cast<size_t>(bytes));
  }
  void copy(void* to, const void* from, int64_t bytes) override {
    if (bytes) std::memcpy(to, from, static_cast<size_t>(bytes));
  }
  void zero(void* to, int64_t bytes) override {
    if (bytes) std::memset(to, 0, static_cast<size_t>(bytes));
  }
};

}  // namespace

Memory& host_memory() {
  static HostMemory* const only = new HostMemory;  // never destroyed: blocks may be, later
  return *only;
}

}  // namespace hs
