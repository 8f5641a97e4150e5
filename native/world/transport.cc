#include "world/transport.h"

#include <condition_variable>
#include <mutex>

namespace hs {

void TaskThread::run(const std::function<void()>& what) {
  struct Waited final : Task {
    explicit Waited(const std::function<void()>& f) : what(f) {}
    void run() override { what(); }
    void finished(std::exception_ptr e) noexcept override {
      std::lock_guard<std::mutex> lock(mutex);
      error = std::move(e), done = true;
      changed.notify_all();
    }
    const std::function<void()>& what;
    std::mutex mutex;
    std::condition_variable changed;
    std::exception_ptr error;
    bool done = false;
  };
  const auto task = std::make_shared<Waited>(what);
  post(task);
  std::unique_lock<std::mutex> lock(task->mutex);
  task->changed.wait(lock, [&] { return task->done; });
  if (task->error) std::rethrow_exception(task->error);
}

}  // namespace hs
