// As device/cpu/ops/parts/fold.h: between [T, rest...] of B rows and [rest...] of B*T rows.
#pragma once
#include "device/cuda/ops/parts/rearrange.h"
#include "ops/fold.h"

namespace hs {

// to = from, where `whole` is the extent before folding: [T, B, R, inner] <-> [R, T*B, inner].
template <typename real>
void fold_copy(CardQueue& q, real* to, const real* from, const Extent& whole, bool folding) {
  if (!fold_moves(whole)) return pass_on(q, to, from, whole.size());
  const int64_t rows = whole.rows * whole.dims[0], R = whole.dims[1],
                inner = count(whole.dims) / (whole.dims[0] * R);
  const int64_t wide[] = {R * inner, inner}, narrow[] = {inner, rows * inner};  // of rows, of R
  const int64_t *const t = folding ? narrow : wide, *const f = folding ? wide : narrow;
  rearrange(q, to, from, {{rows, t[0], f[0]}, {R, t[1], f[1]}, {inner, 1, 1}});
}

}  // namespace hs
