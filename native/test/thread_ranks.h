// Ranks that are threads of this process, with queues for what goes between them.
#pragma once
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "test/test.h"
#include "world/transport.h"

namespace hs {
namespace test {

class Post {  // between all ranks
 public:
  void send(int from, int to, std::vector<char> bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    this->bytes += bytes.size();
    letters_[{from, to}].push_back(std::move(bytes));
    sent++;
    changed_.notify_all();
  }
  std::vector<char> receive(int from, int to) {
    std::unique_lock<std::mutex> lock(mutex_);
    auto& queue = letters_[{from, to}];
    changed_.wait(lock, [&] { return !queue.empty(); });
    std::vector<char> bytes = std::move(queue.front());
    queue.pop_front();
    return bytes;
  }
  int sent = 0;
  size_t bytes = 0;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::pair<int, int>, std::deque<std::vector<char>>> letters_;
};

// Of one rank.
class ThreadTransport final : public Transport {
 public:
  ThreadTransport(Post& post, int rank, int size) : post_(post), rank_(rank), size_(size) {}
  int rank() const override { return rank_; }
  int size() const override { return size_; }
  void transfer(const std::vector<Transfer>& all) override {
    for (const Transfer& t : all) {
      const char* data = static_cast<const char*>(t.data);
      if (t.sends) post_.send(rank_, t.peer, {data, data + t.bytes});
    }
    for (const Transfer& t : all) {
      if (t.sends) continue;
      const std::vector<char> bytes = post_.receive(t.peer, rank_);
      CHECK(bytes.size() == t.bytes);
      std::memcpy(t.data, bytes.data(), std::min(bytes.size(), t.bytes));
    }
  }

 private:
  Post& post_;
  const int rank_, size_;
};

// What Mpi's thread is to a process.
class TestThread final : public TaskThread {
 public:
  TestThread() : thread_([this] { loop(); }) {}
  ~TestThread() override {
    post(nullptr);
    thread_.join();
  }
  void post(std::shared_ptr<Task> task) override {
    std::lock_guard<std::mutex> lock(mutex_);
    tasks_.push_back(std::move(task));
    changed_.notify_all();
  }

 private:
  void loop() {
    for (;;) {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [&] { return !tasks_.empty(); });
      const std::shared_ptr<Task> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      if (!task) return;
      std::exception_ptr error;
      try {
        task->run();
      } catch (...) {
        error = std::current_exception();
      }
      task->finished(error);
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Task>> tasks_;
  std::thread thread_;  // last: it uses the others
};

}  // namespace test
}  // namespace hs
