// Between [T, rest...] of B rows and [rest...] of B*T rows (row t * B + b): TimeDistributed, Keras
// 1.2.2 wrappers.py:104-136.
#pragma once
#include <algorithm>

#include "device/cpu/ops/parts/matmul.h"
#include "ops/fold.h"

namespace hs {

// to = from, where `whole` is the extent before folding: [T, B, R, inner] <-> [R, T*B, inner].
template <typename real>
void fold_copy(real* to, const real* from, const Extent& whole, bool folding) {
  if (!fold_moves(whole)) {
    if (to != from) std::copy_n(from, whole.size(), to);
    return;
  }
  const int64_t rows = whole.rows * whole.dims[0], R = whole.dims[1],
                inner = count(whole.dims) / (whole.dims[0] * R);
  for_rows(rows, R * inner, [&](int64_t s0, int64_t s1) {
    for (int64_t s = s0; s < s1; s++) {
      for (int64_t r = 0; r < R; r++) {
        const int64_t wide = (s * R + r) * inner, narrow = (r * rows + s) * inner;
        std::copy_n(from + (folding ? wide : narrow), inner, to + (folding ? narrow : wide));
      }
    }
  });
}

}  // namespace hs
