// Loops over arrays that are broadcast to the extents of a result, as NumPy does it.
#pragma once
#include <algorithm>

#include "base/function_ref.h"
#include "device/cpu/kernels/table.h"
#include "program/program.h"

namespace hs {

// The loop over y with operands aligned at the last axis: axes that all operands treat alike are
// one. An operand's step along an axis is 0 where it is broadcast.
template <int kOperands>
class BroadcastLoop {
 public:
  BroadcastLoop(const Dims& y, const Dims* const (&x)[kOperands]);

  int64_t inner() const { return size_[0]; }
  int64_t outer() const {
    int64_t n = 1;
    for (int a = 1; a < axes_; a++) n *= size_[a];
    return n;
  }
  bool one(int o) const { return step_[0][o] == 0 && size_[0] > 1; }  // along the innermost axis

  // fn(at, n, from): y[at, at + n) is made of the operands' numbers from from[o] on, or of the one
  // number there where one(o). Over the threads, or in order on this one.
  void run(bool in_order, FunctionRef<void(int64_t at, int64_t n, const int64_t* from)> fn) const;

 private:
  static constexpr int kMost = int(kMostAxes);
  int axes_ = 0;
  int64_t size_[kMost];
  int64_t step_[kMost][kOperands];
};

// y [y_dims] = x [x_dims], which is broadcast to it.
template <typename real>
void copy_broadcast(const Table<real>* k, real* y, const Dims& y_dims, const real* x,
                    const Dims& x_dims);
// x [x_dims] += a * y [y_dims], summed over the places that x is broadcast to, in the order of y.
template <typename real>
void add_broadcast(const Table<real>* k, real* x, const Dims& x_dims, real a, const real* y,
                   const Dims& y_dims);

// s [K] (+)= the sum over rows of x, which are ldx apart, in their order. Threads share columns.
template <typename real>
void sum_columns(const Table<real>* k, real* s, const real* x, int64_t ldx, int64_t rows, int64_t K,
                 bool add);

}  // namespace hs
