#include "engine/engine.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <new>
#include <system_error>
#include <thread>

#include "base/error.h"
#include "base/float_mode.h"
#include "device/cpu/threads/parallel.h"

namespace hs {
namespace {

constexpr double kSliceMs = 10;  // another job waits this long plus one batch at most
// While the next job comes this soon after the last one, the thread waits for it awake.
constexpr Patience::Time kNextJob{300};
constexpr int kLeaveMs = 500;  // whoever leaves waits this long for a running batch, and no longer

double now_ms() {
  return std::chrono::duration<double, std::milli>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void stop_at_exit() { Engine::get().stop(kLeaveMs); }

}  // namespace

Engine& Engine::get() noexcept {
  // Never destroyed: the thread outlives static destruction. No memory is asked for: cleanup hooks
  // call this.
  alignas(Engine) static unsigned char place[sizeof(Engine)];
  static Engine* const engine = new (place) Engine;
  return *engine;
}

void Engine::submit(std::shared_ptr<Job> job) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (!started_) {
    try {
      std::thread([this] { loop(); }).detach();
    } catch (const std::system_error&) {
      throw Error(Code::kInternal, "engine",
                  "the compute thread could not be started: the system allows no more threads.");
    }
    started_ = true;
    std::atexit(stop_at_exit);
  }
  queue_.push(std::move(job));
  submitted_.step();
}

void Engine::drop(const void* owner) {
  Chain<Job> gone;  // destroyed after the lock is released
  std::unique_lock<std::mutex> lock(mutex_);
  const auto mine = [&](const std::shared_ptr<Job>& job) { return job->owner == owner; };
  queue_.move_to(gone, mine);
  if (running_ && mine(running_)) {
    running_->cancelled = true;
    dropped_ = true;
    // The job owns all that its batch still touches and its end is no longer reported: a long batch
    // need not be waited for.
    idle_.wait_for(lock, std::chrono::milliseconds(kLeaveMs),
                   [&] { return !running_ || running_->owner != owner || stopped_; });
  }
  lock.unlock();
}

void Engine::stop(int wait_ms) {
  std::unique_lock<std::mutex> lock(mutex_);
  stopped_ = true;
  if (running_) running_->cancelled = true;
  idle_.wait_for(lock, std::chrono::milliseconds(wait_ms), [&] { return !running_; });
}

void Engine::loop() {
  FlushDenormals flush;
  Patience patience(Patience::Time{0}, kNextJob);
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    while (queue_.empty() || stopped_) {
      const uint32_t seen = submitted_.value();
      lock.unlock();
      submitted_.wait_while(seen, patience);
      lock.lock();
    }
    running_ = queue_.pop();
    dropped_ = false;
    lock.unlock();

    bool done = false;
    std::exception_ptr error;
    try {
      HoldThreads hold;  // setThreads() takes effect between two slices
      done = running_->step();
    } catch (...) {
      done = true;
      error = std::current_exception();
    }

    lock.lock();
    const bool report = done && !dropped_ && !stopped_;
    if (report) {
      lock.unlock();
      running_->finished(error);
      lock.lock();
    }
    std::shared_ptr<Job> last = std::move(running_);
    running_ = nullptr;
    if (!done && !dropped_) queue_.push(last);
    idle_.notify_all();
    lock.unlock();
    last.reset();  // may free a plan
    error = nullptr;
    lock.lock();
  }
}

RunJob::RunJob(std::shared_ptr<Plan> plan, RunRequest request)
    : result(request),
      plan_(std::move(plan)),
      request_(std::move(request)),
      max_ms_(request_.max_ms) {}

bool RunJob::step() {
  if (spent_from_ < 0) spent_from_ = now_ms();
  double left = -1;
  if (max_ms_ >= 0) left = std::max(0.0, max_ms_ - (now_ms() - spent_from_));
  request_.max_ms = left < 0 ? kSliceMs : std::min(left, kSliceMs);
  const int64_t before = result.batches;
  plan_->run(request_, result, cancelled);
  const int64_t total =
      request_.order.empty() ? request_.data->samples : static_cast<int64_t>(request_.order.size());
  if (cancelled || request_.from + result.samples >= total || result.batches == before) return true;
  if (request_.max_batches >= 0 && result.batches >= request_.max_batches) return true;
  return max_ms_ >= 0 && now_ms() - spent_from_ >= max_ms_;
}

}  // namespace hs
