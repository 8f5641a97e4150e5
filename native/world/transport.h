// How bytes get from one rank to another, and the thread that may send them.
#pragma once
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <vector>

#include "base/chain.h"

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

class Task {
 public:
  virtual ~Task() = default;
  virtual void run() = 0;                                        // on the thread
  virtual void finished(std::exception_ptr error) noexcept = 0;  // on the thread, once
  std::shared_ptr<Task> next;                                    // of Chain
};

// A thread that does one task after the other.
class TaskThread {
 public:
  virtual ~TaskThread() = default;
  virtual void post(std::shared_ptr<Task>) = 0;  // FIFO. Throws Error(kRank) where it has ended.
  void run(const std::function<void()>& what);   // the same, and waits; rethrows
};

}  // namespace hs
