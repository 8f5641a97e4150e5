// Waiting for a number to change: a bounded spin, then sleep. Waking costs a system call only if
// somebody sleeps.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>

namespace hs {

// How long a waiter spins before it sleeps. It learns from its waits: as long as they end soon it
// is ready to spin for `longest`, after one that did not only for `shortest`. So a thread that is
// given work again and again is not put to sleep in between (waking one costs up to 100 us on a
// virtual machine), and one with nothing to do uses no processor.
class Patience {
 public:
  using Time = std::chrono::microseconds;
  Patience(Time shortest, Time longest) : shortest_(shortest), longest_(longest) {}
  Time spin() const { return brief_ ? longest_ : shortest_; }
  void waited(std::chrono::steady_clock::duration time) { brief_ = time <= longest_; }

 private:
  Time shortest_, longest_;
  bool brief_ = false;  // the last wait was
};

class Signal {
 public:
  uint32_t value() const { return value_.load(std::memory_order_acquire); }
  // Returns once the value is not `old`. spin: false where the other side cannot run until this
  // thread sleeps.
  void wait_while(uint32_t old, bool spin);
  // The same for one who waits for work: spins as long as its patience lasts, letting others have
  // the processor.
  void wait_while(uint32_t old, Patience&);
  void set(uint32_t value);          // and wakes all
  void step() { set(value() + 1); }  // for a single writer
  bool sleepers() const { return sleepers_.load(std::memory_order_acquire) > 0; }

 private:
  bool spin_while(uint32_t old, std::chrono::steady_clock::time_point end) const;
  void sleep_while(uint32_t old);

  std::atomic<uint32_t> value_{0};
  std::atomic<int> sleepers_{0};
};

}  // namespace hs
