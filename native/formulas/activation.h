// The activations: their list, for all code, and their formulas over Vec, for code that is compiled
// once per instruction set. A new one has a line in the list and its formulas here, and its name in
// lib/activations.ts. NaN in gives NaN out everywhere.
#pragma once

namespace hs {

// What a slope a'(x) is made from. From the output, a layer may activate in place and needs to keep
// nothing else.
enum class SlopeFrom : int { kOutput, kInput };

// Every elementwise activation: enumerator, Keras' name, what its slope is made from. The formulas
// are below.
#define HS_ELEMENTWISE_ACTIVATIONS(EACH)      \
  EACH(kLinear, "linear", kOutput)            \
  EACH(kTanh, "tanh", kOutput)                \
  EACH(kSigmoid, "sigmoid", kOutput)          \
  EACH(kHardSigmoid, "hard_sigmoid", kOutput) \
  EACH(kRelu, "relu", kOutput)                \
  EACH(kSoftplus, "softplus", kOutput)        \
  EACH(kSoftsign, "softsign", kOutput)        \
  EACH(kElu, "elu", kOutput)                  \
  EACH(kSelu, "selu", kOutput)                \
  EACH(kExponential, "exponential", kOutput)  \
  EACH(kSwish, "swish", kInput)

// All activations: kSoftmax works on whole rows (last axis).
#define HS_ACTIVATIONS(EACH)       \
  HS_ELEMENTWISE_ACTIVATIONS(EACH) \
  EACH(kSoftmax, "softmax", kOutput)

#define HS_ENUMERATOR(kind, name, from) kind,
enum class Activation : int { HS_ACTIVATIONS(HS_ENUMERATOR) };
#undef HS_ENUMERATOR

#define HS_SLOPE_FROM(kind, name, from) SlopeFrom::from,
constexpr SlopeFrom kSlopeFrom[] = {HS_ACTIVATIONS(HS_SLOPE_FROM)};  // by Activation
#undef HS_SLOPE_FROM
constexpr bool slope_from_input(Activation a) {
  return kSlopeFrom[static_cast<int>(a)] == SlopeFrom::kInput;
}
// Whether a cell needs the path over whole rows, which keeps of a gate what its slope is made from.
constexpr bool needs_rows(Activation a) { return a == Activation::kSoftmax || slope_from_input(a); }

}  // namespace hs

#ifdef HS_ISA
#include "formulas/math.h"

namespace hs {
namespace HS_ISA {

// em1 / (em1 + 2), em1 = e^2x - 1: accurate near 0, +-1 at the ends.
template <class real>
static HS_INLINE Vec<real> tanh_(Vec<real> x) {
  constexpr real limit = MathConstants<real>::tanh_limit;
  Vec<real> em1 = expm1_clamped(x + x, -limit, limit);
  return em1 / (em1 + Vec<real>::set1(2));
}

// 1 / (1 + e^-x)
template <class real>
static HS_INLINE Vec<real> sigmoid_(Vec<real> x) {
  const Vec<real> one = Vec<real>::set1(1);
  return one / (one + exp_(-x));
}

// log(1 + e^x) = max(x, 0) + log1p(u), u = e^-|x|; log1p(u) = log(w) + (u - (w - 1)) / w, w = 1 + u
// rounded.
template <class real>
static HS_INLINE Vec<real> softplus_(Vec<real> x) {
  const Vec<real> one = Vec<real>::set1(1);
  Vec<real> u = exp_(-abs(x)), w = one + u;
  return max(Vec<real>::zero(), x) + (log_(w) + (u - (w - one)) / w);
}

// x > 0 ? x : e^x - 1 (Keras' alpha = 1)
template <class real>
static HS_INLINE Vec<real> elu_(Vec<real> x) {
  return select_gt(x, Vec<real>::zero(), x, expm1_(x));
}

// l (x > 0 ? x : a (e^x - 1)): Klambauer et al. 2017 (arXiv:1706.02515), constants as in Keras 2.
constexpr double kSeluScale = 1.0507009873554804934193349852946;
constexpr double kSeluAlpha = 1.6732632423543772848170429916717;
template <class real>
static HS_INLINE Vec<real> selu_(Vec<real> x) {
  using V = Vec<real>;
  const V left = V::set1(real(kSeluScale * kSeluAlpha)) * expm1_(x);
  return select_gt(x, V::zero(), V::set1(real(kSeluScale)) * x, left);
}

// s = 1 / (1 + e^-x) and s (1 - s), both without overflow and without cancelling.
template <class real>
static HS_INLINE Vec<real> sigmoid_and_slope(Vec<real> x, Vec<real>* slope) {
  const Vec<real> one = Vec<real>::set1(1);
  Vec<real> u = exp_(-abs(x)), high = one / (one + u), low = u * high;
  *slope = high * low;
  return select_gt(x, Vec<real>::zero(), high, low);
}

// x / (1 + e^-x): Elfwing et al. 2017 (arXiv:1702.03118), Ramachandran et al. 2017
// (arXiv:1710.05941). Not monotonic, so that no slope can be had from the output. Beyond +-1e30 as
// there: inf * 0 is no number.
template <class real>
static HS_INLINE Vec<real> swish_(Vec<real> x) {
  Vec<real> unused;
  return max(Vec<real>::set1(real(-1e30)), x) * sigmoid_and_slope(x, &unused);
}
template <class real>
static HS_INLINE Vec<real> swish_slope(Vec<real> x) {
  Vec<real> slope, s = sigmoid_and_slope(x, &slope);
  return fma(clamp(x, real(-1e30), real(1e30)), slope, s);
}

// clip(0.2 x + 0.5, 0, 1)
template <class real>
static HS_INLINE Vec<real> hard_sigmoid_(Vec<real> x) {
  return clamp(fma(x, Vec<real>::set1(real(0.2)), Vec<real>::set1(real(0.5))), real(0), real(1));
}

// x / (1 + |x|), +-1 at +-inf
template <class real>
static HS_INLINE Vec<real> softsign_(Vec<real> x) {
  x = clamp(x, real(-1e30), real(1e30));
  return x / (Vec<real>::set1(1) + abs(x));
}

// The long and seldom ones, out of line so that cells stay small; not static, so that a set has one
// copy.
template <class real>
Vec<real> activate_seldom(Activation kind, Vec<real> x) {
  switch (kind) {
    case Activation::kSoftplus: return softplus_(x);
    case Activation::kSoftsign: return softsign_(x);
    case Activation::kElu: return elu_(x);
    case Activation::kSelu: return selu_(x);
    case Activation::kExponential: return exp_(x);
    case Activation::kSwish: return swish_(x);
    default: return x;  // kSoftmax works on rows: not for here
  }
}

template <class real>
static HS_INLINE Vec<real> activate(Activation kind, Vec<real> x) {
  switch (kind) {
    case Activation::kLinear: return x;
    case Activation::kTanh: return tanh_(x);
    case Activation::kSigmoid: return sigmoid_(x);
    case Activation::kHardSigmoid: return hard_sigmoid_(x);
    case Activation::kRelu: return max(Vec<real>::zero(), x);
    default: return activate_seldom(kind, x);
  }
}

// f'(x) from y = f(x), or from x itself where slope_from_input. At kinks: relu'(0) = 0,
// hard_sigmoid 0.2 strictly inside.
template <class real>
Vec<real> activate_slope_seldom(Activation kind, Vec<real> y) {
  using V = Vec<real>;
  const V one = V::set1(1);
  switch (kind) {
    case Activation::kSoftplus: return -expm1_(-y);  // sigmoid(x) = 1 - e^-y
    case Activation::kSoftsign: {
      V t = one - abs(y);  // 1 / (1 + |x|)
      return t * t;
    }
    case Activation::kElu: return select_gt(y, V::zero(), one, y + one);
    case Activation::kSelu:
      return select_gt(y, V::zero(), V::set1(real(kSeluScale)),
                       y + V::set1(real(kSeluScale * kSeluAlpha)));
    case Activation::kExponential: return y;
    case Activation::kSwish: return swish_slope(y);  // of x
    default: return one;
  }
}

template <class real>
static HS_INLINE Vec<real> activate_slope(Activation kind, Vec<real> y) {
  using V = Vec<real>;
  const V zero = V::zero(), one = V::set1(1);
  switch (kind) {
    case Activation::kLinear: return one;
    case Activation::kTanh: return fnma(y, y, one);
    case Activation::kSigmoid: return fnma(y, y, y);
    case Activation::kHardSigmoid:
      return select_gt(y, zero, select_gt(one, y, V::set1(real(0.2)), zero), zero);
    case Activation::kRelu: return select_gt(y, zero, one, zero);
    default: return activate_slope_seldom(kind, y);
  }
}

}  // namespace HS_ISA
}  // namespace hs
#endif  // HS_ISA
