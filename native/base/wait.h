// Waiting for a number to change: a bounded spin, then sleep. Waking costs a system call only if somebody sleeps.
#pragma once
#include <atomic>
#include <cstdint>

namespace hs {

class Signal {
 public:
  uint32_t value() const { return value_.load(std::memory_order_acquire); }
  // Returns once the value is not `old`. spin: false where the other side cannot run until this thread sleeps.
  void wait_while(uint32_t old, bool spin);
  void set(uint32_t value);          // and wakes all
  void step() { set(value() + 1); }  // for a single writer

 private:
  std::atomic<uint32_t> value_{0};
  std::atomic<int> sleepers_{0};
};

}  // namespace hs
