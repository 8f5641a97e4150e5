// What single ops ask for (device/cuda/ops): places moved, masks, merges.
#include "device/cuda/kernels/card.h"

HS_KERNELS_BEGIN
#include "device/cuda/kernels/layer_args.h"

namespace hs {
namespace HS_ISA {

template <class real>
static inline void rearrange(const RearrangeArgs<real>& a, int64_t i) {
  int64_t to = 0, from = 0;
  for (int d = a.rank - 1; d >= 0; d--) {
    const int64_t at = i % a.dims[d];
    i /= a.dims[d];
    to += at * a.to_stride[d];
    from += at * a.from_stride[d];
  }
  a.to[to] = a.from[from];
}
HS_KERNEL(rearrange, RearrangeArgs)

template <class real>
static inline void reorder(const ReorderArgs<real>& a, int64_t i) {
  const int64_t row = i / a.to_run, b = row % a.B, j = row / a.B * a.to_run + i % a.to_run;
  a.to[i] = a.from[(j / a.from_run * a.B + b) * a.from_run + j % a.from_run];
}
HS_KERNEL(reorder, ReorderArgs)

template <class real>
static inline void scale(const ScaleArgs<real>& a, int64_t i) {
  a.y[i] = a.a * a.x[i];
}
HS_KERNEL(scale, ScaleArgs)

template <class real>
static inline void real_steps(const RealStepsArgs<real>& a, int64_t i) {
  real any = 0;
  for (int64_t d = 0; d < a.D; d++) {
    if (a.x[i * a.D + d] != a.value) any = 1;
  }
  a.real_steps[i] = any;
}
HS_KERNEL(real_steps, RealStepsArgs)

// As device/cpu/ops/merge.cc; a NaN stays one.
template <class real>
static inline void merge(const MergeArgs<real>& a, int64_t i) {
  real y = a.x[0][i];
  for (int k = 1; k < a.count; k++) {
    const real x = a.x[k][i];
    if (a.mode == CardMerge::kMul) {
      y *= x;
    } else if (a.mode == CardMerge::kMax) {
      if (!(y >= x) && y == y) y = x;
    } else {
      y += x;
    }
  }
  a.y[i] = a.mode == CardMerge::kAve ? y * (real(1) / real(a.count)) : y;
}
HS_KERNEL(merge, MergeArgs)

template <class real>
static inline void merge_slope(const MergeSlopeArgs<real>& a, int64_t i) {
  real dx = a.dy[i];
  int best = 0;  // the first of the largest
  for (int k = 0; k < a.count; k++) {
    if (a.mode == CardMerge::kMul && k != a.which) dx *= a.x[k][i];
    if (a.mode == CardMerge::kMax && a.x[k][i] > a.x[best][i]) best = k;
  }
  if (a.mode == CardMerge::kAve) dx *= real(1) / real(a.count);
  a.dx[i] = a.mode == CardMerge::kMax && best != a.which ? real(0) : dx;
}
HS_KERNEL(merge_slope, MergeSlopeArgs)

}  // namespace HS_ISA
}  // namespace hs
HS_KERNELS_END
