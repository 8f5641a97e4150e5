#include "base/cpus.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

namespace hs {
namespace {

// Quota over period in processors; 0 where there is none ("max", -1, no such file).
double quota(std::istream& quota_in, std::istream& period_in) {
  double quota = 0, period = 0;
  if (!(quota_in >> quota) || !(period_in >> period) || quota <= 0 || period <= 0) return 0;
  return quota / period;
}

// v2: "<quota|max> <period>" in cpu.max; v1: two files.
double quota_of(const std::string& folder, bool v2) {
  if (v2) {
    std::ifstream both(folder + "/cpu.max");
    return quota(both, both);
  }
  std::ifstream quota_in(folder + "/cpu.cfs_quota_us"), period_in(folder + "/cpu.cfs_period_us");
  return quota(quota_in, period_in);
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
  std::ifstream in("/proc/self/cgroup");
  std::stringstream cgroup;
  cgroup << in.rdbuf();
  if (const int limit = quota_cpus(cgroup.str(), "/sys/fs/cgroup"); limit > 0)
    cpus = std::min(cpus, limit);
#endif
  return cpus;
}

}  // namespace

int quota_cpus(const std::string& cgroup, const std::string& root) {
  std::istringstream lines(cgroup);
  double least = 0;
  for (std::string line; std::getline(lines, line);) {  // "hierarchy:controllers:/group"
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
