// Activations over whole rows, softmax among them, for layers that end in one.
#pragma once
#include "kernels/table.h"
#include "layers/matmul.h"

namespace hs {

// y[rows, K] = a(y), in place. On the calling thread.
template <typename real>
void activate_rows(const Table<real>* k, Activation a, real* y, int64_t rows, int64_t K) {
  if (a == Activation::kLinear) return;
  if (a == Activation::kSoftmax) {
    k->softmax(y, y, rows, K);
  } else {
    k->activate(a, y, y, rows * K);
  }
}

// dz[rows, K] = dy * a'(y), over the threads; not for kLinear, where dz is dy.
template <typename real>
void activate_rows_backward(const Table<real>* k, Activation a, real* dz, const real* y,
                            const real* dy, int64_t rows, int64_t K) {
  for_rows(rows, K, [&](int64_t r0, int64_t r1) {
    const int64_t at = r0 * K, n = (r1 - r0) * K;
    if (a == Activation::kSoftmax) {
      k->softmax_backward(dz + at, y + at, dy + at, r1 - r0, K);
    } else {
      k->activate_backward(a, dz + at, y + at, dy + at, n);
    }
  });
}

}  // namespace hs
