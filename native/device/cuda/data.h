// Data sets on the card. One that is gathered from a second time over is copied there, if it takes
// a quarter at most of the memory that is free; its batches are then a kernel's work, and of a
// batch only the numbers of its rows go to the card. A batch of any other is sent while the one
// before it is computed, to memory of its own.
#pragma once
#include <algorithm>
#include <memory>
#include <vector>

#include "base/arena.h"
#include "base/error.h"
#include "device/cpu/rows.h"
#include "device/cuda/kernels/args.h"
#include "device/cuda/queue_memory.h"

namespace hs {

template <typename real>
class CardData {
 public:
  explicit CardData(CardQueue& queue) : queue_(queue) {}

  // As Device::keep.
  void keep(const std::shared_ptr<const void>& data, const real* host, int64_t n) {
    const auto gone = [](const Kept& kept) { return kept.data.expired(); };
    kept_.erase(std::remove_if(kept_.begin(), kept_.end(), gone), kept_.end());
    if (n > 0 && !find(host)) kept_.push_back({data, host, n, 0, false, nullptr, nullptr, {}});
  }

  // As Device::gather, from what is on the card; false: it is not there.
  bool gather(real* to, const real* host, const Extent& extent, const int32_t* order,
              int64_t first) {
    Kept* const kept = find(host);
    if (!kept) return false;
    kept->gathered += extent.size();
    if (!kept->copy && kept->gathered > kept->n) copy(*kept);
    if (!kept->copy) return take(*kept, to, extent, order, first);
    tell_order(order, first, extent.rows);
    const int64_t T = extent.steps(), sample = count(extent.dims);
    queue_.postpone("gather_rows",
                    GatherArgs<real>{extent.size(), to, kept->copy->data(), order_.data(), T,
                                     extent.rows, T > 0 ? sample / T : 0});
    return true;
  }

  // A batch of rows that gather() will be asked for next (CardQueue::beside).
  void send(const real* host, const Extent& extent, const int32_t* order, int64_t first) {
    Kept* const kept = find(host);
    if (!kept || kept->copy || kept->refused) return;
    kept->sent.clear();
    if (!kept->landing) kept->landing = std::make_unique<Block<real>>(memory_);
    kept->landing->reserve(extent.size());
    const int64_t bytes = extent.size() * int64_t(sizeof(real));
    hs::gather(static_cast<real*>(queue_.stage(bytes)), host, extent, order, first);
    queue_.send(kept->landing->data(), bytes);
    for (int64_t b = 0; b < extent.rows; b++) kept->sent.push_back(row(order, first, b));
  }
  void nothing_sent() {
    for (Kept& kept : kept_) kept.sent.clear();
  }

  int64_t bytes() const {
    int64_t n = 0;
    for (const Kept& kept : kept_)
      n += (kept.copy ? kept.copy->bytes() : 0) + (kept.landing ? kept.landing->bytes() : 0);
    return n;
  }

  // Gives their memory back; false: there was none.
  bool forget() {
    bool some = false;
    for (Kept& kept : kept_) {
      some = some || kept.copy || kept.landing;
      kept.copy.reset(), kept.landing.reset(), kept.sent.clear();
      kept.refused = true;
    }
    return some;
  }

 private:
  struct Kept {
    std::weak_ptr<const void> data;
    const real* host;
    int64_t n, gathered;
    bool refused;
    std::unique_ptr<Block<real>> copy;
    std::unique_ptr<Block<real>> landing;  // of a batch
    std::vector<int32_t> sent;             // the rows there; empty: none
  };

  Kept* find(const real* host) {
    for (Kept& kept : kept_) {
      if (kept.host == host) return &kept;
    }
    return nullptr;
  }

  void copy(Kept& kept) {
    const int64_t bytes = kept.n * int64_t(sizeof(real));
    if (kept.refused || bytes > queue_.free_bytes() / 4) return;
    auto block = std::make_unique<Block<real>>(memory_);
    try {
      block->reserve(kept.n);
    } catch (const Error& error) {
      if (error.code != Code::kOutOfMemory) throw;
      kept.refused = true;
      return;
    }
    queue_.upload(block->data(), kept.host, bytes);
    kept.copy = std::move(block);
  }

  static int32_t row(const int32_t* order, int64_t first, int64_t b) {
    return order ? order[b] : static_cast<int32_t>(first + b);
  }

  bool take(Kept& kept, real* to, const Extent& extent, const int32_t* order, int64_t first) {
    bool same = int64_t(kept.sent.size()) == extent.rows && extent.rows > 0;
    for (int64_t b = 0; same && b < extent.rows; b++)
      same = kept.sent[size_t(b)] == row(order, first, b);
    kept.sent.clear();
    if (same) queue_.take(to, kept.landing->data(), extent.size() * int64_t(sizeof(real)));
    return same;
  }

  // The rows of a batch, once for all of its arrays.
  void tell_order(const int32_t* order, int64_t first, int64_t rows) {
    next_.resize(size_t(rows));
    for (int64_t b = 0; b < rows; b++) next_[size_t(b)] = row(order, first, b);
    if (next_ == told_) return;
    told_.clear();
    order_.reserve(std::max<int64_t>(rows, kLeastOrder));
    queue_.upload(order_.data(), next_.data(), rows * int64_t(sizeof(int32_t)));
    told_ = next_;
  }

  static constexpr int64_t kLeastOrder = 1024;
  CardQueue& queue_;
  QueueMemory memory_{queue_};
  std::vector<Kept> kept_;
  Block<int32_t> order_{memory_};
  std::vector<int32_t> next_, told_;  // told_: what order_ begins with
};

}  // namespace hs
