// The kernels that are built into the stand-in driver, by name.
#pragma once
#include <cstddef>
#include <cstdint>

namespace hs {
namespace test {

struct KernelEntry {
  using Run = void (*)(const void* args, int64_t thread);
  KernelEntry(const char* name, size_t bytes, Run run)
      : name(name), bytes(bytes), run(run), next(first()) {
    first() = this;
  }
  const char* const name;
  const size_t bytes;  // of the arguments
  const Run run;
  const KernelEntry* const next;
  static const KernelEntry*& first() {
    static const KernelEntry* list = nullptr;
    return list;
  }
};

}  // namespace test
}  // namespace hs
