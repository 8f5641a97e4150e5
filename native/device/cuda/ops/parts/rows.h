// What ops of a card share: activations over rows, sums over rows, dropout masks.
#pragma once
#include <algorithm>

#include "device/cuda/cuda.h"
#include "device/cuda/kernels/args.h"
#include "device/cuda/sums.h"
#include "ops/activation_name.h"
#include "ops/row_activation.h"

namespace hs {

// A row of fewer columns is read by one thread. log: softmax' logarithm.
constexpr int64_t kManyColumns = 64;

template <typename real>
void softmax_of_long_rows(CardQueue& q, real* y, const real* x, int64_t rows, int64_t K, bool log) {
  const int64_t parts = 2 * rows * kRowLanes;
  real* const scratch = static_cast<real*>(q.scratch((parts + 2 * rows) * int64_t(sizeof(real))));
  SoftmaxRowsArgs<real> a{rows * kRowLanes, K, y, x, scratch, scratch + parts, log};
  q.launch("softmax_parts", a);
  a.n = rows;
  q.launch("softmax_totals", a);
  a.n = rows * K;
  q.launch("softmax_numbers", a);
}
template <typename real>
void softmax(CardQueue& q, real* y, const real* x, int64_t rows, int64_t K) {
  if (K >= kManyColumns) return softmax_of_long_rows(q, y, x, rows, K, false);
  q.launch("softmax", SoftmaxArgs<real>{rows, K, y, x});
}

// y: what forward gave.
template <typename real>
void slope_of_long_rows(CardQueue& q, real* dx, const real* y, const real* dy, int64_t rows,
                        int64_t K, bool log) {
  const int64_t parts = rows * kRowLanes;
  real* const scratch = static_cast<real*>(q.scratch((parts + rows) * int64_t(sizeof(real))));
  SoftmaxSlopeRowsArgs<real> a{rows * kRowLanes, K, dx, y, dy, scratch, scratch + parts, log};
  q.launch("softmax_slope_parts", a);
  a.n = rows;
  q.launch("softmax_slope_totals", a);
  a.n = rows * K;
  q.launch("softmax_slope_numbers", a);
}
template <typename real>
void softmax_slope(CardQueue& q, real* dx, const real* y, const real* dy, int64_t rows, int64_t K) {
  if (K >= kManyColumns) return slope_of_long_rows(q, dx, y, dy, rows, K, false);
  q.launch("softmax_slope", SoftmaxSlopeArgs<real>{rows, K, dx, y, dy});
}

// y = a(x) over [rows, K]; y may be x.
template <typename real>
void activate(CardQueue& q, Activation kind, real* y, const real* x, int64_t rows, int64_t K) {
  if (kind == Activation::kSoftmax) {
    softmax(q, y, x, rows, K);
  } else if (kind != Activation::kLinear) {
    q.launch("activate", ActivateArgs<real>{rows * K, int(kind), y, x});
  } else if (y != x) {
    q.copy(y, x, rows * K * int64_t(sizeof(real)));
  }
}

// dx = dy a'(x), from what the slope is made from; dx may be dy.
template <typename real>
void slope(CardQueue& q, Activation kind, real* dx, const real* kept, const real* dy, int64_t rows,
           int64_t K) {
  if (kind == Activation::kSoftmax) {
    softmax_slope(q, dx, kept, dy, rows, K);
  } else if (kind != Activation::kLinear) {
    q.launch("slope", SlopeArgs<real>{rows * K, int(kind), dx, kept, dy});
  } else if (dx != dy) {
    q.copy(dx, dy, rows * K * int64_t(sizeof(real)));
  }
}

// mask[i] = 0 with probability p, else 1 / (1 - p): the numbers of device/cpu/rng.h.
template <typename real>
void dropout_mask(CardQueue& q, real* mask, int64_t count, double p, DropoutKey key,
                  uint32_t stream) {
  const real keep = p < 1 ? static_cast<real>(1 / (1 - p)) : real(0);
  q.launch("dropout_mask",
           DropoutMaskArgs<real>{(count + 3) / 4, count, mask, uint64_t(p * 4294967296.0), keep,
                                 key.seed, q.step_number(key.step), stream});
}

}  // namespace hs
