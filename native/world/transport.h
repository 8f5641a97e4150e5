// How bytes get from one rank to another.
#pragma once
#include <cstddef>
#include <vector>

namespace hs {

struct Transfer {
  int peer;
  bool sends;  // else it receives
  void* data;
  size_t bytes;
};

class Transport {
 public:
  virtual ~Transport() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  // Starts all and returns when all are done. Between two ranks the n-th that one sends is the n-th
  // that the other receives. Throws Error(kRank) where the other side is lost.
  virtual void transfer(const std::vector<Transfer>&) = 0;
};

}  // namespace hs
