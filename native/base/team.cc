#include "base/team.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/limits.h"
#include "base/wait.h"

namespace hs {
namespace {

// Between two regions of one batch little time passes; between two batches JS runs and brings the next one.
constexpr Patience::Time kWithinBatch{50}, kBetweenBatches{300};

// One worker's letter box: `go` steps when there is a job for it.
struct alignas(64) Worker {
  Signal go;
};

class Team {
 public:
  void run(int workers, FunctionRef<void(int)> fn) {
    std::lock_guard<std::mutex> one_at_a_time(mutex_);
    start(workers - 1);
    fn_ = &fn;
    spin_ = workers <= available_cpus();
    left_.store(workers - 1, std::memory_order_relaxed);
    const uint32_t before = done_.value();
    for (int i = 0; i < workers - 1; i++) team_[static_cast<size_t>(i)]->go.step();
    fn(0);
    if (workers > 1) done_.wait_while(before, spin_);
  }

 private:
  void start(int count) {
    while (static_cast<int>(team_.size()) < count) {
      auto worker = std::make_unique<Worker>();
      Worker* self = worker.get();
      const int index = static_cast<int>(team_.size()) + 1;
      team_.push_back(std::move(worker));
      try {
        std::thread([this, self, index] { live(self, index); }).detach();
      } catch (const std::system_error&) {
        team_.pop_back();
        throw Error(Code::kInternal, "threads",
                    "cannot start thread " + std::to_string(index + 1) +
                        ": the system's limit is reached. Set HIDDENSTATE_THREADS lower.");
      }
    }
  }

  [[noreturn]] void live(Worker* self, int index) {
    Patience patience(kWithinBatch, kBetweenBatches);
    for (uint32_t seen = 0;; seen++) {
      if (spin_) {
        self->go.wait_while(seen, patience);
      } else {
        self->go.wait_while(seen, false);
      }
      (*fn_)(index);
      if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) done_.step();
    }
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<Worker>> team_;
  const FunctionRef<void(int)>* fn_ = nullptr;
  std::atomic<bool> spin_{true};
  std::atomic<int> left_{0};
  Signal done_;
};

}  // namespace

void team_region(int workers, FunctionRef<void(int)> fn) {
  static Team* team = new Team;  // never destroyed: its threads live as long as the process
  team->run(workers, fn);
}

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
