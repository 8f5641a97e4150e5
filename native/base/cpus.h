// How many processors this process may really use.
#pragma once
#include <string>

namespace hs {

// min(affinity mask, cgroup v1 or v2 quota), at least 1. Looked up once.
int available_cpus();

// The least cgroup CPU quota that applies, in whole processors (rounded up, at least 1); 0: none.
// cgroup: text of /proc/self/cgroup; root: where cgroup file systems are mounted ("/sys/fs/cgroup").
int quota_cpus(const std::string& cgroup, const std::string& root);

}  // namespace hs
