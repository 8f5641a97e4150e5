#include "base/cpus.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

namespace hs {
namespace {

// The start of a file: whole, for the files read here. Not by <fstream>, which would bring 0.3 MB of locales into the addon.
std::string text_of(const std::string& path) {
  std::string text(1 << 16, 0);
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "r"), std::fclose);
  text.resize(file ? std::fread(&text[0], 1, text.size(), file.get()) : 0);
  return text;
}

// v2: "<quota|max> <period>" in cpu.max; v1: two files. In processors; 0 where there is none ("max", -1, no such file).
double quota_of(const std::string& folder, bool v2) {
  const std::string text =
      v2 ? text_of(folder + "/cpu.max")
         : text_of(folder + "/cpu.cfs_quota_us") + " " + text_of(folder + "/cpu.cfs_period_us");
  char* rest = nullptr;
  const long long quota = std::strtoll(text.c_str(), &rest, 10),
                  period = std::strtoll(rest, nullptr, 10);
  return quota <= 0 || period <= 0 ? 0 : static_cast<double>(quota) / static_cast<double>(period);
}

// A group is held by its own quota and those of all groups above it.
double least_quota(const std::string& mount, std::string group, bool v2) {
  double least = 0;
  for (;;) {
    if (const double q = quota_of(mount + group, v2); q > 0 && (least == 0 || q < least)) least = q;
    if (group.empty()) return least;
    const size_t slash = group.rfind('/');
    group = slash == std::string::npos ? "" : group.substr(0, slash);
  }
}

bool lists_cpu(const std::string& controllers) {
  return ("," + controllers + ",").find(",cpu,") != std::string::npos;
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

int look_up() {
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

}  // namespace

int quota_cpus(const std::string& cgroup, const std::string& root) {
  double least = 0;
  for (size_t at = 0, end; at < cgroup.size(); at = end + 1) {
    end = std::min(cgroup.find('\n', at), cgroup.size());
    const std::string line = cgroup.substr(at, end - at);  // "hierarchy:controllers:/group"
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    std::string group = line.substr(second + 1);
    if (group == "/") group.clear();
    const bool v2 = controllers.empty();
    if (!v2 && !lists_cpu(controllers)) continue;
    // In a container the group's own path may not be visible; its quota is then in the mount's root.
    for (const char* mount : {"", "/unified", "/cpu", "/cpu,cpuacct"}) {
      if (const double q = least_quota(root + mount, group, v2); q > 0 && (least == 0 || q < least))
        least = q;
    }
  }
  return least == 0 ? 0 : std::max(1, static_cast<int>(std::ceil(least - 1e-9)));
}

int available_cpus() {
  static const int cpus = look_up();
  return cpus;
}

}  // namespace hs
