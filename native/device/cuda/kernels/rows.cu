// What ops share: activations, rows, sums over an axis, dropout.
#include "device/cuda/kernels/card.h"

HS_KERNELS_BEGIN
#include "device/cuda/kernels/args.h"
#include "formulas/activation.h"
#include "formulas/philox.h"

namespace hs {
namespace HS_ISA {

template <class real>
static inline void activate(const ActivateArgs<real>& a, int64_t i) {
  a.y[i] = activate(static_cast<Activation>(a.kind), Vec<real>{a.x[i]}).v;
}
HS_KERNEL(activate, ActivateArgs)

template <class real>
static inline void slope(const SlopeArgs<real>& a, int64_t i) {
  const Vec<real> kept = {a.kept[i]};
  a.dx[i] = a.dy[i] * activate_slope(static_cast<Activation>(a.kind), kept).v;
}
HS_KERNEL(slope, SlopeArgs)

template <class real>
static inline void softmax(const SoftmaxArgs<real>& a, int64_t row) {
  const real* const x = a.x + row * a.K;
  real* const y = a.y + row * a.K;
  Vec<real> most = {x[0]};
  for (int64_t k = 1; k < a.K; k++) most = max(most, Vec<real>{x[k]});
  real sum = 0;
  for (int64_t k = 0; k < a.K; k++) {
    y[k] = exp_(Vec<real>{x[k] - most.v}).v;
    sum += y[k];
  }
  for (int64_t k = 0; k < a.K; k++) y[k] /= sum;
}
HS_KERNEL(softmax, SoftmaxArgs)

template <class real>
static inline void softmax_slope(const SoftmaxSlopeArgs<real>& a, int64_t row) {
  const int64_t at = row * a.K;
  real sum = 0;
  for (int64_t k = at; k < at + a.K; k++) sum += a.dy[k] * a.y[k];
  for (int64_t k = at; k < at + a.K; k++) a.dx[k] = a.y[k] * (a.dy[k] - sum);
}
HS_KERNEL(softmax_slope, SoftmaxSlopeArgs)

template <class real>
static inline void softmax_parts(const SoftmaxRowsArgs<real>& a, int64_t i) {
  const real* const x = a.x + i / kRowLanes * a.K;
  const int64_t lane = i % kRowLanes;
  Vec<real> most = {x[lane]};
  for (int64_t k = lane + kRowLanes; k < a.K; k += kRowLanes) most = max(most, Vec<real>{x[k]});
  const real shift = most.v == -real(INFINITY) ? 0 : most.v;  // e^-inf: 0
  real sum = 0;
  for (int64_t k = lane; k < a.K; k += kRowLanes) sum += exp_(Vec<real>{x[k] - shift}).v;
  a.parts[2 * i] = most.v, a.parts[2 * i + 1] = sum;
}
HS_KERNEL(softmax_parts, SoftmaxRowsArgs)

template <class real>
static inline void softmax_totals(const SoftmaxRowsArgs<real>& a, int64_t row) {
  const real* const parts = a.parts + 2 * row * kRowLanes;
  Vec<real> most = {parts[0]};
  for (int64_t j = 1; j < kRowLanes; j++) most = max(most, Vec<real>{parts[2 * j]});
  if (most.v == -real(INFINITY)) most.v = 0;
  real sum = 0;
  for (int64_t j = 0; j < kRowLanes; j++)
    sum += parts[2 * j + 1] * exp_(Vec<real>{parts[2 * j] - most.v}).v;
  a.totals[2 * row] = most.v, a.totals[2 * row + 1] = sum;
}
HS_KERNEL(softmax_totals, SoftmaxRowsArgs)

template <class real>
static inline void softmax_numbers(const SoftmaxRowsArgs<real>& a, int64_t i) {
  const real* const totals = a.totals + 2 * (i / a.K);
  const Vec<real> x = {a.x[i] - totals[0]};
  a.y[i] = a.log ? x.v - log_(Vec<real>{totals[1]}).v : exp_(x).v / totals[1];
}
HS_KERNEL(softmax_numbers, SoftmaxRowsArgs)

template <class real>
static inline void softmax_slope_parts(const SoftmaxSlopeRowsArgs<real>& a, int64_t i) {
  const int64_t at = i / kRowLanes * a.K;
  real sum = 0;
  for (int64_t k = at + i % kRowLanes; k < at + a.K; k += kRowLanes)
    sum += a.log ? a.dy[k] : a.dy[k] * a.y[k];
  a.parts[i] = sum;
}
HS_KERNEL(softmax_slope_parts, SoftmaxSlopeRowsArgs)

template <class real>
static inline void softmax_slope_totals(const SoftmaxSlopeRowsArgs<real>& a, int64_t row) {
  real sum = 0;
  for (int64_t j = 0; j < kRowLanes; j++) sum += a.parts[row * kRowLanes + j];
  a.totals[row] = sum;
}
HS_KERNEL(softmax_slope_totals, SoftmaxSlopeRowsArgs)

template <class real>
static inline void softmax_slope_numbers(const SoftmaxSlopeRowsArgs<real>& a, int64_t i) {
  const real total = a.totals[i / a.K];
  a.dx[i] = a.log ? a.dy[i] - exp_(Vec<real>{a.y[i]}).v * total : a.y[i] * (a.dy[i] - total);
}
HS_KERNEL(softmax_slope_numbers, SoftmaxSlopeRowsArgs)

template <class real>
static inline void broadcast_rows(const RowsArgs<real>& a, int64_t i) {
  a.y[i / a.K * a.ldy + i % a.K] = a.b[i % a.K];
}
HS_KERNEL(broadcast_rows, RowsArgs)

template <class real>
static inline void sum_axis(const SumAxisArgs<real>& a, int64_t i) {
  const int64_t at = i / a.inner, outer = at / a.lanes;
  const real* const x = a.x + outer * a.m * a.ld + i % a.inner;
  real sum = 0;
  for (int64_t k = at % a.lanes; k < a.m; k += a.lanes) sum += x[k * a.ld];
  a.y[i] = a.adds ? a.y[i] + sum : sum;
}
HS_KERNEL(sum_axis, SumAxisArgs)

template <class real>
static inline void multiply(const ProductArgs<real>& a, int64_t i) {
  const real product = a.x[i] * a.m[i % a.period];
  a.y[i] = a.adds ? a.y[i] + product : product;
}
HS_KERNEL(multiply, ProductArgs)

template <class real>
static inline void dropout_mask(const DropoutMaskArgs<real>& a, int64_t i) {
  uint32_t word[4];
  philox(word, a.seed, *a.step, a.stream, uint64_t(i));
  for (int j = 0; j < 4 && 4 * i + j < a.count; j++)
    a.mask[4 * i + j] = word[j] < a.threshold ? real(0) : a.keep;
}
HS_KERNEL(dropout_mask, DropoutMaskArgs)

template <class real>
static inline void reverse_steps(const ReverseArgs<real>& a, int64_t i) {
  a.y[i] = a.x[(a.T - 1 - i / a.step) * a.step + i % a.step];
}
HS_KERNEL(reverse_steps, ReverseArgs)

template <class real>
static inline void seen_steps(const SeenArgs<real>& a, int64_t row) {
  real seen = 0;
  for (int64_t t = 0; t < a.T; t++) {
    if (a.mask[t * a.n + row] != 0) seen = 1;
    a.seen[t * a.n + row] = seen;
  }
}
HS_KERNEL(seen_steps, SeenArgs)

template <class real>
static inline void select(const SelectArgs<real>& a, int64_t i) {
  a.y[i] = a.keep[i / a.width] != 0 ? a.x[i] : real(0);
}
HS_KERNEL(select, SelectArgs)

}  // namespace HS_ISA
}  // namespace hs
HS_KERNELS_END
