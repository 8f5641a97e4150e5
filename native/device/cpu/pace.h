// How many threads the batches of a plan get: all, or one. A small step may be slower on several
// threads, and any step where other programs keep the processors busy; neither can be known
// beforehand. Bits do not depend on threads, so the clock decides: a trial runs some batches either
// way, and the quicker way is kept for fifty times what the slower one lost, so that trials cost
// about 2 %. Batches longer than a block of a trial are first tried after the time that would pay
// for the worst trial.
#pragma once
#include <limits>

namespace hs {

class Pace {
 public:
  Pace() = default;
  // Whether the next batch runs on the calling thread alone.
  bool alone() const { return block_ < kBlocks ? block_ % 2 == 1 : alone_; }

  // The batch took `ms`, of up to `threads` threads, for an amount of work in a unit of the
  // caller's (batches of a plan differ).
  void took(double ms, double work, int threads) {
    if (threads != threads_) *this = Pace(threads);
    if (block_ == kBlocks) {
      rest_ -= ms;
      const double price = tried_ || ms < kBlockMs ? 0 : kRestPerLoss * ms * (threads - 1);
      if (rest_ <= -price) begin();
      return;
    }
    if (fresh_ && ms < kBlockMs) {  // threads wake up
      fresh_ = false;
      return;
    }
    spent_ += ms, done_ += work;
    if (spent_ < kBlockMs) return;
    const int way = block_ % 2;
    cost_[way] = spent_ / done_ < cost_[way] ? spent_ / done_ : cost_[way];
    work_[way] += done_;
    // Batches that fill a block each are slow to try and steady: one each way.
    block_ = block_ == 1 && ms >= kBlockMs ? kBlocks : block_ + 1;
    spent_ = done_ = 0, fresh_ = true;
    if (block_ == kBlocks) settle();
  }

 private:
  explicit Pace(int threads) : threads_(threads) {}

  static constexpr int kBlocks = 4;       // of a trial: all, one, all, one
  static constexpr double kBlockMs = 8;   // at least: two time slices of a busy system
  static constexpr double kRestMs = 250;  // at least, between trials
  static constexpr double kRestPerLoss = 50;
  static constexpr double kGain = 0.97;  // of the cost on all threads: what one thread must reach

  void begin() {
    block_ = 0, fresh_ = true, spent_ = done_ = 0;
    for (int i = 0; i < 2; i++) cost_[i] = std::numeric_limits<double>::infinity(), work_[i] = 0;
  }
  void settle() {
    tried_ = true;
    alone_ = cost_[1] < kGain * cost_[0];
    const int slow = alone_ ? 0 : 1;
    const double lost = work_[slow] * (cost_[slow] - cost_[1 - slow]);
    rest_ = kRestPerLoss * lost > kRestMs ? kRestPerLoss * lost : kRestMs;
  }

  int threads_ = 0;
  int block_ = kBlocks;  // of a trial; kBlocks: none is going on
  bool tried_ = false, fresh_ = true, alone_ = false;
  double spent_ = 0, done_ = 0;         // of this block
  double cost_[2] = {}, work_[2] = {};  // all, one: ms a unit of work
  double rest_ = 0;                     // ms until the next trial
};

}  // namespace hs
