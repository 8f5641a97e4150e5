// The update of the parameters: clipping, optimizers (formulas/optimizers), constraints, penalties.
#include "device/cuda/kernels/card.h"

HS_KERNELS_BEGIN
#include "optimizers.inc"

namespace hs {
namespace HS_ISA {

template <class real>
static inline void chunk_squares(const SquaresArgs<real>& a, int64_t i) {
  const ParamChunk chunk = a.chunks[i];
  double sum = 0;
  for (int64_t j = chunk.offset; j < chunk.offset + chunk.count; j++)
    sum += double(a.grads[j]) * double(a.grads[j]);
  a.parts[i] = sum;
}
HS_KERNEL(chunk_squares, SquaresArgs)

// Keras 1.2.2 optimizers.py: clipnorm, then clipvalue.
template <class real>
static inline void clip(const ClipArgs<real>& a, int64_t i) {
  const ParamChunk chunk = a.chunks[i / kChunkElements];
  if (*a.finite == 0 || i % kChunkElements >= chunk.count) return;
  real& g = a.grads[chunk.offset + i % kChunkElements];
  if (a.norm > 0) {
    const double norm = ::sqrt(*a.squares);
    if (norm >= a.norm) g *= real(a.norm / norm);
  }
  const real v = real(a.value);
  if (v > 0) g = g < -v ? -v : g > v ? v : g;
}
HS_KERNEL(clip, ClipArgs)

static inline double wanted_norm(int kind, double norm, double m, double low, double high,
                                 double rate) {
  if (kind == 1) return norm < m ? norm : m;  // Constraint::Kind: kMaxNorm
  if (kind == 3) return 1;                    // kUnitNorm
  const double clipped = norm < low ? low : norm > high ? high : norm;
  return rate * clipped + (1 - rate) * norm;  // kMinMaxNorm
}

// Keras 1.2.2 constraints.py; device/cpu/constraints.cc has the formulas. f(element) for all
// elements of norm g, in the order of memory.
template <class real, class F>
static inline void each_of_norm(const ConstrainArgs<real>& a, int64_t g, const F& f) {
  int64_t size = 1;
  for (int d = 0; d < a.rank; d++) size *= a.stride[d] == 0 ? a.dims[d] : 1;
  for (int64_t j = 0; j < size; j++) {
    int64_t at = 0, element = 1, left = j;
    for (int d = a.rank - 1; d >= 0; d--) {
      const int64_t index = a.stride[d] == 0 ? left % a.dims[d] : g / a.stride[d] % a.dims[d];
      if (a.stride[d] == 0) left /= a.dims[d];
      at += index * element;
      element *= a.dims[d];
    }
    f(a.w[at]);
  }
}

template <class real>
static inline void constrain(const ConstrainArgs<real>& a, int64_t g) {
  if (*a.finite == 0) return;
  double squares = 0;
  each_of_norm(a, g, [&](real& w) { squares += double(w) * double(w); });
  const double norm = ::sqrt(squares);
  const double factor =
      wanted_norm(a.kind, norm, a.m, a.low, a.high, a.rate) / (1e-7 + norm);
  each_of_norm(a, g, [&](real& w) { w = real(double(w) * factor); });
}
HS_KERNEL(constrain, ConstrainArgs)

template <class real>
static inline void non_negative(const NonNegArgs<real>& a, int64_t i) {
  if (*a.finite != 0) a.w[i] = a.w[i] >= 0 ? a.w[i] : real(0);
}
HS_KERNEL(non_negative, NonNegArgs)

// Keras 1.2.2 regularizers.py.
template <class real>
static inline void penalty(const PenaltyArgs<real>& a, int64_t i) {
  double sum = 0;
  for (int64_t j = i; j < a.count; j += a.n) {
    const double w = double(a.w[j]);
    sum += a.l1 * ::fabs(w) + a.l2 * w * w;
  }
  a.parts[i] = sum;
}
HS_KERNEL(penalty, PenaltyArgs)

template <class real>
static inline void penalty_gradient(const PenaltyGradientArgs<real>& a, int64_t i) {
  const real w = a.w[i];
  a.dw[i] += a.twice_l2 * w + (w > 0 ? a.l1 : w < 0 ? -a.l1 : real(0));
}
HS_KERNEL(penalty_gradient, PenaltyGradientArgs)

}  // namespace HS_ISA
}  // namespace hs
HS_KERNELS_END
