#include "base/limits.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(_WIN32)
#define NOMINMAX  // std::min, not a macro
#include <windows.h>
#else
#include <unistd.h>
#endif

namespace hs {
namespace {

// The start of a file: whole, for the files read here. Not by <fstream>, which would bring 0.3 MB
// of locales into the addon.
std::string text_of(const std::string& path) {
  std::string text(1 << 16, 0);
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "r"), std::fclose);
  text.resize(file ? std::fread(&text[0], 1, text.size(), file.get()) : 0);
  return text;
}

struct Group {
  std::string folder;
  bool v2;
};
using Limit = double (*)(const Group&);  // of one group; 0 where there is none

// v2: "<quota|max> <period>" in cpu.max; v1: two files, -1 for none.
double quota_of(const Group& group) {
  const std::string text = group.v2 ? text_of(group.folder + "/cpu.max")
                                    : text_of(group.folder + "/cpu.cfs_quota_us") + " " +
                                          text_of(group.folder + "/cpu.cfs_period_us");
  char* rest = nullptr;
  const long long quota = std::strtoll(text.c_str(), &rest, 10),
                  period = std::strtoll(rest, nullptr, 10);
  return quota <= 0 || period <= 0 ? 0 : static_cast<double>(quota) / static_cast<double>(period);
}

// "<bytes|max>"; v1 writes a number near 2^63 for none.
double bytes_of(const Group& group) {
  const std::string text =
      text_of(group.folder + (group.v2 ? "/memory.max" : "/memory.limit_in_bytes"));
  const double bytes = static_cast<double>(std::strtoll(text.c_str(), nullptr, 10));
  return bytes >= 0x1p60 ? 0 : std::max(0.0, bytes);
}

// 0 stands for "no limit".
double tighter(double a, double b) { return a == 0 || b == 0 ? std::max(a, b) : std::min(a, b); }

// The least over the groups of this process: each is held by its own limit and those of all groups
// above it.
double least(Limit limit, const std::string& controller, const std::string& cgroup,
             const std::string& root) {
  double found = 0;
  for (size_t at = 0, end; at < cgroup.size(); at = end + 1) {
    end = std::min(cgroup.find('\n', at), cgroup.size());
    const std::string line = cgroup.substr(at, end - at);  // "hierarchy:controllers:/group"
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool v2 = controllers.empty();
    if (!v2 && ("," + controllers + ",").find("," + controller + ",") == std::string::npos)
      continue;
    std::string group = line.substr(second + 1);
    if (group == "/") group.clear();
    // In a container the group's own path may not be visible; its limit is then in the mount's
    // root.
    for (;;) {
      for (const std::string& mount :
           {v2 ? std::string() : "/" + controller, v2 ? "/unified" : "/" + controllers})
        found = tighter(found, limit({root + mount + group, v2}));
      if (group.empty()) break;
      const size_t slash = group.rfind('/');
      group = slash == std::string::npos ? "" : group.substr(0, slash);
    }
  }
  return found;
}

#if defined(__linux__)
int affinity_cpus() {
  for (int room = 1024; room <= 1 << 20;
       room *= 2) {  // the kernel refuses sets smaller than its own
    cpu_set_t* set = CPU_ALLOC(room);
    if (!set) return 0;
    const size_t bytes = CPU_ALLOC_SIZE(room);
    const bool known = sched_getaffinity(0, bytes, set) == 0;
    const int count = known ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (known) return count;
  }
  return 0;
}
#endif

int look_up_cpus() {
  int cpus = 0;
#if defined(__linux__)
  cpus = affinity_cpus();
#endif
  if (cpus < 1) cpus = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
#if defined(__linux__)
  if (const int limit = quota_cpus(text_of("/proc/self/cgroup"), "/sys/fs/cgroup"); limit > 0)
    cpus = std::min(cpus, limit);
#endif
  return cpus;
}

// The largest number where the machine does not say.
int64_t physical_bytes() {
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

int64_t look_up_bytes() {
  int64_t bytes = physical_bytes();
#if defined(__linux__)
  if (const int64_t limit = limit_bytes(text_of("/proc/self/cgroup"), "/sys/fs/cgroup"); limit > 0)
    bytes = std::min(bytes, limit);
#endif
  return bytes;
}

}  // namespace

int quota_cpus(const std::string& cgroup, const std::string& root) {
  const double quota = least(quota_of, "cpu", cgroup, root);
  return quota == 0 ? 0 : std::max(1, static_cast<int>(std::ceil(quota - 1e-9)));
}

int64_t limit_bytes(const std::string& cgroup, const std::string& root) {
  return static_cast<int64_t>(least(bytes_of, "memory", cgroup, root));
}

int available_cpus() {
  static const int cpus = look_up_cpus();
  return cpus;
}

int64_t available_bytes() {
  static const int64_t bytes = look_up_bytes();
  return bytes;
}

}  // namespace hs
