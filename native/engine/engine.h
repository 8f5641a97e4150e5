// The one compute thread of the process. Jobs take turns in slices of a few milliseconds, first
// come, first served, so two fits share the thread fairly and a predict during a fit runs between
// two of its batches.
//
// Lifetime: the thread starts with the first job and is never joined. Its state is never destroyed,
// so nothing can be torn down under it. When the process exits, stop() (an atexit handler) has the
// running batch finish, for a bounded time, and the thread sleeps from then on.
#pragma once
#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>

#include "base/chain.h"
#include "base/wait.h"
#include "plan/plan.h"

namespace hs {

class Job {
 public:
  virtual ~Job() = default;
  // On the engine thread: a slice of the work. True: done. An exception ends the job.
  virtual bool step() = 0;
  // On the engine thread, once, after the last step. error: what step threw, or null. Must not
  // throw.
  virtual void finished(std::exception_ptr error) noexcept = 0;

  const void* owner = nullptr;         // who asked: drop() takes all of its jobs away
  std::atomic<bool> cancelled{false};  // step() must come to an end soon
  std::shared_ptr<Job> next;           // of Chain: in the queue
};

class Engine {
 public:
  static Engine& get() noexcept;

  void submit(std::shared_ptr<Job> job);  // Throws Error(kInternal) where no thread can be started.
  // Removes the queued jobs of this owner, cancels the running one and waits, for a bounded time,
  // until its batch has ended. None of them will be finished() after this returns.
  void drop(const void* owner);
  void stop(int wait_ms);  // for good; used at exit

 private:
  Engine() = default;
  void loop();

  std::mutex mutex_;
  std::condition_variable idle_;
  Signal submitted_;  // steps with every job
  Chain<Job> queue_;
  std::shared_ptr<Job> running_;
  bool started_ = false, stopped_ = false, dropped_ = false;  // dropped_: of the running job
};

// A request to a plan, in slices. After an error `result` holds what was done before it.
class RunJob : public Job {
 public:
  RunJob(std::shared_ptr<Plan> plan, RunRequest request);
  bool step() override;
  RunResult result;

 private:
  std::shared_ptr<Plan> plan_;
  RunRequest request_;
  double spent_from_ = -1;  // ms of the steady clock when the first slice began
  double max_ms_;
};

}  // namespace hs
