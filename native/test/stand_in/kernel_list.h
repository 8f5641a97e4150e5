// The kernels that are built into the stand-in driver, by name.
#pragma once
#include <cstddef>
#include <cstdint>

namespace hs {
namespace test {

struct KernelEntry {
  // `count` threads: first, first + step, ...
  using Run = void (*)(const void* args, int64_t first, int64_t count, int64_t step);
  using Clear = void (*)(void* args);
  KernelEntry(const char* name, size_t bytes, Run run, Clear clear)
      : name(name), bytes(bytes), run(run), clear_padding(clear), next(first()) {
    first() = this;
  }
  const char* const name;
  const size_t bytes;  // of the arguments
  const Run run;
  const Clear clear_padding;  // so that each word is a pointer or is none
  const KernelEntry* const next;
  static const KernelEntry*& first() {
    static const KernelEntry* list = nullptr;
    return list;
  }
};

}  // namespace test
}  // namespace hs
