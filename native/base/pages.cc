#include "base/pages.h"

#include <limits>

#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(_WIN32)
#include <windows.h>
#else
#include <unistd.h>
#endif

namespace hs {
namespace {

int64_t look_up_bytes() {
#if defined(_WIN32)
  MEMORYSTATUSEX status;
  status.dwLength = sizeof(status);
  if (GlobalMemoryStatusEx(&status)) return static_cast<int64_t>(status.ullTotalPhys);
#else
  const int64_t pages = sysconf(_SC_PHYS_PAGES), each = sysconf(_SC_PAGESIZE);
  if (pages > 0 && each > 0) return pages * each;
#endif
  return std::numeric_limits<int64_t>::max();
}

}  // namespace

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

int64_t physical_bytes() {
  static const int64_t bytes = look_up_bytes();
  return bytes;
}

}  // namespace hs
