// How much of this machine this process may use.
#pragma once
#include <cstdint>
#include <string>

namespace hs {

// min(affinity mask, cgroup v1 or v2 quota), at least 1. Looked up once.
int available_cpus();
// min(memory of the machine, cgroup v1 or v2 limit), in bytes. Looked up once.
int64_t available_bytes();

// The least cgroup limit that applies. cgroup: text of /proc/self/cgroup; root: where cgroup file
// systems are mounted ("/sys/fs/cgroup"). Of processors, rounded up to whole ones, and of memory in
// bytes; 0: none.
int quota_cpus(const std::string& cgroup, const std::string& root);
int64_t limit_bytes(const std::string& cgroup, const std::string& root);

}  // namespace hs
