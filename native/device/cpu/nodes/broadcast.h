// Loops over arrays that are broadcast to the extents of a result, as NumPy does it.
#pragma once
#include <algorithm>

#include "device/cpu/threads/chunks.h"
#include "program/program.h"

namespace hs {

// The loop over y with operands aligned at the last axis: axes that all operands treat alike are
// one. An operand's step along an axis is 0 where it is broadcast.
template <int kOperands>
class BroadcastLoop {
 public:
  BroadcastLoop(const Dims& y, const Dims* const (&x)[kOperands]) {
    int64_t after[kOperands];  // numbers of an operand behind the axis at hand
    std::fill(after, after + kOperands, 1);
    for (size_t i = 1; i <= y.size(); i++) {
      const int64_t n = y[y.size() - i];
      if (n == 1) continue;
      int64_t step[kOperands];
      for (int o = 0; o < kOperands; o++) {
        const bool there = i <= x[o]->size() && (*x[o])[x[o]->size() - i] != 1;
        step[o] = there ? after[o] : 0;
        if (there) after[o] *= n;
      }
      // from the last axis on: axis 0 is the innermost
      bool joins = axes_ > 0;
      for (int o = 0; joins && o < kOperands; o++)
        joins = step[o] == step_[axes_ - 1][o] * size_[axes_ - 1];
      if (joins) {
        size_[axes_ - 1] *= n;
      } else {
        size_[axes_] = n;
        std::copy_n(step, kOperands, step_[axes_]);
        axes_++;
      }
    }
    if (axes_ == 0) size_[0] = 1, std::fill_n(step_[0], kOperands, 0), axes_ = 1;
  }

  int64_t inner() const { return size_[0]; }
  int64_t outer() const {
    int64_t n = 1;
    for (int a = 1; a < axes_; a++) n *= size_[a];
    return n;
  }
  bool one(int o) const { return step_[0][o] == 0 && size_[0] > 1; }  // along the innermost axis

  // fn(at, n, from): y[at, at + n) is made of the operands' numbers from from[o] on, or of the one
  // number there where one(o). Over the threads, or in order on this one.
  template <typename Fn>
  void run(bool in_order, const Fn& fn) const {
    const int64_t n = inner();
    const auto rows = [&](int64_t r0, int64_t r1) {
      int64_t count[kMost] = {}, from[kOperands] = {};
      int64_t rest = r0;
      for (int a = 1; a < axes_; rest /= size_[a], a++) {
        count[a] = rest % size_[a];
        for (int o = 0; o < kOperands; o++) from[o] += count[a] * step_[a][o];
      }
      for (int64_t r = r0; r < r1; r++) {
        fn(r * n, n, from);
        for (int a = 1; a < axes_; a++) {
          for (int o = 0; o < kOperands; o++) from[o] += step_[a][o];
          if (++count[a] < size_[a]) break;
          for (int o = 0; o < kOperands; o++) from[o] -= size_[a] * step_[a][o];
          count[a] = 0;
        }
      }
    };
    if (in_order) {
      rows(0, outer());
    } else if (outer() == 1) {
      for_elements(n, [&](int64_t begin, int64_t end) {
        int64_t from[kOperands];
        for (int o = 0; o < kOperands; o++) from[o] = one(o) ? 0 : begin;
        fn(begin, end - begin, from);
      });
    } else {
      for_rows(outer(), n, rows);
    }
  }

 private:
  static constexpr int kMost = int(kMostAxes);
  int axes_ = 0;
  int64_t size_[kMost];
  int64_t step_[kMost][kOperands];
};

}  // namespace hs
