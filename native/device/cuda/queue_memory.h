// The card's memory as blocks (base/arena.h) take it.
#pragma once
#include "base/memory.h"
#include "device/cuda/kernels/args.h"
#include "device/cuda/queue.h"

namespace hs {

class QueueMemory final : public Memory {
 public:
  explicit QueueMemory(CardQueue& queue) : queue_(queue) {}
  Room room(int64_t held) const override { return queue_.room(held); }
  void* allocate(int64_t bytes, bool zeros) override {
    void* const memory = queue_.allocate(bytes);
    if (zeros) queue_.zero(memory, bytes);
    return memory;
  }
  void release(void* memory, int64_t, bool) noexcept override { queue_.release(memory); }
  void upload(void* to, const void* host, int64_t bytes) override {
    queue_.upload(to, host, bytes);
  }
  void download(void* host, const void* from, int64_t bytes) const override {
    queue_.download(host, from, bytes);
  }
  void copy(void* to, const void* from, int64_t bytes) override { queue_.copy(to, from, bytes); }
  void zero(void* to, int64_t bytes) override { queue_.zero(to, bytes); }

 private:
  CardQueue& queue_;
};

// Threads of the first half of a sum over many numbers; the second half is one thread.
constexpr int64_t kSumThreads = 256;

// *sum = (adds ? *sum : 0) + parts [count], in an order that is always the same. between
// [kSumThreads] is scratch.
template <typename real>
void add_up(CardQueue& queue, double* sum, const double* parts, int64_t count, double* between,
            bool adds) {
  if (count > kSumThreads) {
    queue.launch("add_up", AddUpArgs<real>{kSumThreads, between, parts, count, false});
    parts = between, count = kSumThreads;
  }
  queue.launch("add_up", AddUpArgs<real>{1, sum, parts, count, adds});
}

}  // namespace hs
