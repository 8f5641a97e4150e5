#include "device/cpu/threads/team.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/limits.h"
#include "base/wait.h"

namespace hs {
namespace {

// Between two regions of one batch little time passes; between two batches JS runs and brings the
// next one.
constexpr Patience::Time kWithinBatch{50}, kBetweenBatches{300};

// One worker's letter box: `go` steps when there is a job for it.
struct alignas(64) Worker {
  Signal go;
};

const auto nothing = [](int) {};

thread_local bool mine = false;  // this thread has claimed the team

class Team {
 public:
  bool claim() {
    if (mine) return false;
    mutex_.lock();
    return mine = true;
  }

  bool claim_awake(int workers) {
    if (mine || workers > available_cpus()) return false;
    std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
    if (!lock) return false;
    if (awake(workers - 1)) {
      lock.release();
      return mine = true;
    }
    if (Clock::now() - released_ < kWithinBatch) wake(workers - 1);
    released_ = Clock::now();
    return false;
  }

  void release() {
    mine = false;
    released_ = Clock::now();
    mutex_.unlock();
  }

  // How many of `wanted` threads beside the caller there are, started as far as the system allows.
  int start(int wanted) {
    std::lock_guard<std::mutex> lock(starting_);
    int n = size_.load(std::memory_order_relaxed);
    for (; n < wanted && n < kMost; n++) {
      auto worker = std::make_unique<Worker>();
      Worker* const self = worker.get();
      try {
        std::thread([this, self, n] { live(self, n + 1); }).detach();
      } catch (const std::system_error&) {
        break;
      }
      team_[n] = worker.release();  // lives as long as its thread: for ever
      size_.store(n + 1, std::memory_order_release);
    }
    return std::min(n, wanted);
  }

  void run(int workers, FunctionRef<void(int)> fn) {
    if (workers - 1 > size_.load(std::memory_order_acquire))
      throw Error(Code::kInternal, "threads", "more are wanted than have been started.");
    finish();  // what wake() began
    begin(workers - 1, fn);
    fn(0);
    finish();
  }

 private:
  using Clock = std::chrono::steady_clock;

  // fn must live until finish(); the caller is none of `count`, at least one.
  void begin(int count, FunctionRef<void(int)> fn) {
    fn_ = fn;
    spin_ = count < available_cpus();
    left_.store(count, std::memory_order_relaxed);
    begun_++;
    for (int i = 0; i < count; i++) team_[i]->go.step();
  }
  bool finished() const { return done_.value() == begun_; }
  void finish() {
    if (!finished()) done_.wait_while(begun_ - 1, spin_);
  }

  bool awake(int count) const {
    if (size_.load(std::memory_order_acquire) < count || !finished()) return false;
    for (int i = 0; i < count; i++)
      if (team_[i]->go.sleepers()) return false;
    return true;
  }

  void wake(int count) {
    if (!finished()) return;  // they are on their way
    begin(count, nothing);
  }

  [[noreturn]] void live(Worker* self, int index) {
    Patience patience(kWithinBatch, kBetweenBatches);
    for (uint32_t seen = 0;; seen++) {
      if (spin_) {
        self->go.wait_while(seen, patience);
      } else {
        self->go.wait_while(seen, false);
      }
      fn_(index);
      if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) done_.step();
    }
  }

  static constexpr int kMost = 1024;  // as many as set_threads() takes

  std::mutex mutex_;
  Clock::time_point released_;
  std::mutex starting_;  // one thread starts others while another may run a region
  std::atomic<int> size_{0};
  Worker* team_[kMost];  // the first size_ of them
  FunctionRef<void(int)> fn_{nothing};
  std::atomic<bool> spin_{true};
  std::atomic<int> left_{0};
  uint32_t begun_ = 0;  // regions; done_: those that all workers have left
  Signal done_;
};

Team& team() {
  static Team* only = new Team;  // never destroyed: its threads live as long as the process
  return *only;
}

}  // namespace

void team_region(int workers, FunctionRef<void(int)> fn) {
  struct Claim {
    const bool here = claim_team();
    ~Claim() {
      if (here) release_team();
    }
  } claim;
  team().run(workers, fn);
}

int team_threads(int wanted) { return team().start(wanted); }
bool claim_team() { return team().claim(); }
bool claim_awake_team(int workers) { return team().claim_awake(workers); }
void release_team() { team().release(); }

int startable_threads(int wanted) {
  Signal end;
  std::vector<std::thread> threads;
  try {
    for (int i = 0; i < wanted; i++) threads.emplace_back([&end] { end.wait_while(0, false); });
  } catch (const std::system_error&) {  // no more of them
  }
  end.set(1);
  for (std::thread& thread : threads) thread.join();
  return static_cast<int>(threads.size());
}

}  // namespace hs
