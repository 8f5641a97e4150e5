// How many threads the batches of a plan get: all, or one. A small step may be slower on several threads, and any step where
// other programs keep the processors busy; neither can be known beforehand. Bits do not depend on threads, so the clock decides: now
// and then some batches run either way, and the quicker one is kept for a while. Trials cost about 2 % where one thread is slower.
#pragma once
#include <limits>

namespace hs {

class Pace {
 public:
  // Whether the next batch runs on the calling thread alone.
  bool alone() const { return block_ < kBlocks ? block_ % 2 == 1 : alone_; }

  // The batch took `ms`, for an amount of work in a unit of the caller's (batches of one plan differ).
  void took(double ms, double work) {
    if (block_ == kBlocks) {
      rest_ -= ms;
      if (rest_ <= 0) begin();
      return;
    }
    if (fresh_) {  // memory is touched for the first time, threads wake up
      fresh_ = false;
      if (!began_ || ms < kBlockMs) {
        began_ = true;
        return;
      }
    }
    spent_ += ms, done_ += work;
    if (spent_ < kBlockMs) return;
    double& best = cost_[block_ % 2];
    best = spent_ / done_ < best ? spent_ / done_ : best;
    work_[block_ % 2] += done_;
    // Batches that fill a block each are slow to try and steady: one each way.
    block_ = block_ == 1 && ms >= kBlockMs ? kBlocks : block_ + 1;
    spent_ = done_ = 0, fresh_ = true;
    if (block_ == kBlocks) settle();
  }

 private:
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
    alone_ = cost_[1] < kGain * cost_[0];
    const int slow = alone_ ? 0 : 1;
    const double lost = work_[slow] * (cost_[slow] - cost_[1 - slow]);
    rest_ = kRestPerLoss * lost > kRestMs ? kRestPerLoss * lost : kRestMs;
  }

  int block_ = 0;
  bool began_ = false, fresh_ = true, alone_ = false;
  double spent_ = 0, done_ = 0;  // of this block
  double cost_[2] = {std::numeric_limits<double>::infinity(),
                     std::numeric_limits<double>::infinity()};  // all, one: ms a unit of work
  double work_[2] = {};
  double rest_ = 0;  // ms until the next trial
};

}  // namespace hs
