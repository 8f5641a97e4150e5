#include "device/cpu/pages.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace hs {
void prefer_large_pages(void* memory, int64_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  const uintptr_t page = kLargePage,
                  from = (reinterpret_cast<uintptr_t>(memory) + page - 1) / page * page,
                  to = (reinterpret_cast<uintptr_t>(memory) + static_cast<size_t>(bytes)) / page *
                       page;
  if (from < to) madvise(reinterpret_cast<void*>(from), to - from, MADV_HUGEPAGE);
#else
  (void)memory;
  (void)bytes;
#endif
}

}  // namespace hs
