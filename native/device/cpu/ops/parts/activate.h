// Activations over rows, on the calling thread.
#pragma once
#include "device/cpu/ops/parts/cpu_layer.h"
#include "device/cpu/ops/parts/matmul.h"
#include "ops/row_activation.h"

namespace hs {

// y[rows, K] = a(x); y may be x.
template <typename real>
void activate(const Table<real>* k, Activation a, real* y, const real* x, int64_t rows, int64_t K) {
  if (a == Activation::kSoftmax) {
    k->softmax(y, x, rows, K);
  } else {
    k->activate(a, y, x, rows * K);
  }
}

// dx[rows, K] = dy * a'; kept: the input where slope_from_input(a), else the output.
template <typename real>
void slope(const Table<real>* k, Activation a, real* dx, const real* kept, const real* dy,
           int64_t rows, int64_t K) {
  if (a == Activation::kSoftmax) {
    k->softmax_backward(dx, kept, dy, rows, K);
  } else {
    k->activate_backward(a, dx, kept, dy, rows * K);
  }
}

// y = a(z), rows r0..r1, where y is the output of the op (RowActivation says where z lies).
template <typename real>
void activate_rows(const Table<real>* k, const RowActivation& a, const Pass<real>& p, real* y,
                   int64_t r0, int64_t r1) {
  if (a.is_linear()) return;
  const int64_t at = r0 * a.K();
  activate(k, a.kind(), y + at, a.input(p, y) + at, r1 - r0, a.K());
}

// dz = dy * a'(z), rows r0..r1; dz may be dy.
template <typename real>
void slope_rows(const Table<real>* k, const RowActivation& a, const Pass<real>& p, real* dz,
                const real* y, const real* dy, int64_t r0, int64_t r1) {
  const int64_t at = r0 * a.K();
  slope(k, a.kind(), dz + at, a.input(p, y) + at, dy + at, r1 - r0, a.K());
}

}  // namespace hs
