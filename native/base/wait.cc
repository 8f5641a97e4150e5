#include "base/wait.h"

#include <chrono>
#include <thread>

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#else
#include <condition_variable>
#include <mutex>
#endif
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#elif defined(_M_ARM64)
#include <intrin.h>
#endif

namespace hs {
namespace {

using Clock = std::chrono::steady_clock;

// Long enough for the gaps between two steps of a recurrence, short enough that an idle thread is
// soon off its processor.
constexpr std::chrono::microseconds kSpin{50};
// A spin longer than this lets whoever else wants the processor have it: the JS thread, which
// brings the next work.
constexpr std::chrono::microseconds kPolite{20};

inline void pause() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#elif defined(_M_ARM64)
  __yield();
#endif
}

#if defined(__linux__)
void sleep_on(std::atomic<uint32_t>& value, uint32_t old) {  // may return early
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(&value), FUTEX_WAIT_PRIVATE, old, nullptr, nullptr,
          0);
}
void wake_all(std::atomic<uint32_t>& value) {
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(&value), FUTEX_WAKE_PRIVATE, INT32_MAX, nullptr,
          nullptr, 0);
}
static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t), "a futex is 32 bits");
#else
// One place to sleep for all signals. Never destroyed: threads may still sleep when the process
// ends.
struct Place {
  std::mutex mutex;
  std::condition_variable changed;
};
Place& place() {
  static Place* only = new Place;
  return *only;
}
void sleep_on(std::atomic<uint32_t>& value, uint32_t old) {
  std::unique_lock<std::mutex> lock(place().mutex);
  place().changed.wait(lock, [&] { return value.load() != old; });
}
void wake_all(std::atomic<uint32_t>&) {
  {
    std::lock_guard<std::mutex> lock(place().mutex);
  }  // nobody is between looking and sleeping
  place().changed.notify_all();
}
#endif

}  // namespace

// True: the value has changed.
bool Signal::spin_while(uint32_t old, Clock::time_point end) const {
  const Clock::time_point polite = Clock::now() + kPolite;
  for (;;) {
    for (int i = 0; i < 32; i++) {
      if (value() != old) return true;
      pause();
    }
    const Clock::time_point now = Clock::now();
    if (now >= end) return false;
    if (now >= polite) std::this_thread::yield();
  }
}

void Signal::sleep_while(uint32_t old) {
  // Either set() sees the sleeper, or this thread sees the new value: both sides use one total
  // order.
  sleepers_.fetch_add(1, std::memory_order_seq_cst);
  while (value_.load(std::memory_order_seq_cst) == old) sleep_on(value_, old);
  sleepers_.fetch_sub(1, std::memory_order_relaxed);
}

void Signal::wait_while(uint32_t old, bool spin) {
  if (value() != old) return;
  if (spin && spin_while(old, Clock::now() + kSpin)) return;
  sleep_while(old);
}

void Signal::wait_while(uint32_t old, Patience& patience) {
  if (value() != old) return;
  const Clock::time_point start = Clock::now();
  if (patience.spin().count() == 0 || !spin_while(old, start + patience.spin())) sleep_while(old);
  patience.waited(Clock::now() - start);
}

void Signal::set(uint32_t value) {
  value_.store(value, std::memory_order_seq_cst);
  if (sleepers_.load(std::memory_order_seq_cst) > 0) wake_all(value_);
}

}  // namespace hs
