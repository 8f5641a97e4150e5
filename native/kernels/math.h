// Transcendental functions and activations over Vec. NaN in gives NaN out everywhere.
//
// exp and expm1: x = n ln2 + r, |r| <= ln2/2; e^r - 1 = r + r^2 P(r), P a near-minimax (Chebyshev) fit of (e^r - 1 - r) / r^2,
// fitted in 50 digits: |error of e^r - 1| <= 2.3e-8 of it with degree 4 (float), 3.7e-17 with degree 9 (double).
// log: m in [sqrt(1/2), sqrt(2)), s = (m-1)/(m+1): log m = 2s (1 + s^2 Q(s^2)), relative error <= 2.8e-9 with degree 2 (float),
// 4.6e-18 with degree 6 (double). Errors of whole functions, rounding included, are measured in native/test/activations_test.cc.
#pragma once
#include "kernels/table.h"
#include "kernels/vec.h"

namespace hs {
namespace HS_ISA {

template <class real>
struct MathConstants;

template <>
struct MathConstants<float> {
  static constexpr float log2e = 1.44269504f;
  static constexpr float ln2_hi = 0.693359375f,
                         ln2_lo = -2.12194440e-4f;          // hi has 9 bits: n * hi is exact
  static constexpr float exp_low = -104, exp_high = 89;     // beyond: 0, inf
  static constexpr float expm1_low = -20, expm1_high = 88;  // below: -1
  static constexpr float tanh_limit = 20;                   // of 2x: beyond, +-1
  static constexpr float min_normal = 1.17549435e-38f, denormal_scale = 16777216,
                         denormal_exponent = 24;
  static constexpr float P[] = {1.39261836e-3f, 8.36317905e-3f, 4.16665546e-2f, 1.66665770e-1f,
                                0.5f};
  static constexpr float Q[] = {1.47900265e-1f, 1.99943891e-1f, 3.33333425e-1f};
};

template <>
struct MathConstants<double> {
  static constexpr double log2e = 1.4426950408889634074;
  static constexpr double ln2_hi = 6.93145751953125e-1, ln2_lo = 1.42860682030941723212e-6;
  static constexpr double exp_low = -746, exp_high = 710;
  static constexpr double expm1_low = -40, expm1_high = 709;
  static constexpr double tanh_limit = 40;
  static constexpr double min_normal = 2.2250738585072014e-308, denormal_scale = 18014398509481984,
                          denormal_exponent = 54;
  static constexpr double P[] = {2.51003854955103191e-8, 2.76200884454097482e-7,
                                 2.75572684599970648e-6, 2.48015212959543751e-5,
                                 1.98412698630536169e-4, 1.38888889172137169e-3,
                                 8.33333333333006183e-3, 4.16666666666241279e-2,
                                 1.66666666666666675e-1, 5.00000000000000102e-1};
  static constexpr double Q[] = {7.30829271244431099e-2, 7.66585530910538578e-2,
                                 9.09144472783747302e-2, 1.11111055651299385e-1,
                                 1.42857143130016344e-1, 1.99999999999497216e-1,
                                 3.33333333333333484e-1};
};

template <class real, int terms>
static HS_INLINE Vec<real> polynomial(Vec<real> x,
                                      const real (&c)[terms]) {  // Horner, highest power first
  Vec<real> p = Vec<real>::set1(c[0]);
  for (int i = 1; i < terms; i++) p = fma(p, x, Vec<real>::set1(c[i]));
  return p;
}

template <class real>
static HS_INLINE Vec<real> clamp(Vec<real> x, real low, real high) {
  return min(Vec<real>::set1(high),
             max(Vec<real>::set1(low), x));  // in this order a NaN comes through
}

// n = round(x / ln2) and e^(x - n ln2) - 1
template <class real>
static HS_INLINE Vec<real> expm1_reduced(Vec<real> x, Vec<real>* n) {
  using C = MathConstants<real>;
  *n = round(x * Vec<real>::set1(C::log2e));
  Vec<real> r = fnma(*n, Vec<real>::set1(C::ln2_lo), fnma(*n, Vec<real>::set1(C::ln2_hi), x));
  return fma(r * r, polynomial(r, C::P), r);
}

// e^x, over and under flowing as it should.
template <class real>
static HS_INLINE Vec<real> exp_(Vec<real> x) {
  using C = MathConstants<real>;
  Vec<real> n, q = expm1_reduced(clamp(x, C::exp_low, C::exp_high), &n);
  return scale2(q + Vec<real>::set1(1), n);
}

// For low >= expm1_low and high <= expm1_high, where one factor 2^n is enough.
template <class real>
static HS_INLINE Vec<real> expm1_clamped(Vec<real> x, real low, real high) {
  Vec<real> n, q = expm1_reduced(clamp(x, low, high), &n), s = pow2i(n);
  return fma(s, q, s - Vec<real>::set1(1));
}

// e^x - 1 with full relative accuracy near 0. From expm1_high on it stays at e^expm1_high.
template <class real>
static HS_INLINE Vec<real> expm1_(Vec<real> x) {
  using C = MathConstants<real>;
  return expm1_clamped(x, C::expm1_low, C::expm1_high);
}

// Natural logarithm: -inf at 0, NaN below, inf at inf.
template <class real>
static HS_INLINE Vec<real> log_(Vec<real> x) {
  using C = MathConstants<real>;
  using V = Vec<real>;
  const V zero = V::zero(), one = V::set1(1), inf = V::set1(real(INFINITY));
  V tiny = V::set1(C::min_normal);  // below it: scaled up first
  V scaled = select_gt(tiny, x, x * V::set1(C::denormal_scale), x);
  V e = exponent(scaled) - select_gt(tiny, x, V::set1(C::denormal_exponent), zero);
  V m = significand(scaled);
  V high = V::set1(real(1.41421356237309505));
  e = e + select_gt(m, high, one, zero);
  m = select_gt(m, high, m * V::set1(real(0.5)), m);
  V s = (m - one) / (m + one), z = s * s, s2 = s + s;
  V tail = fma(s2 * z, polynomial(z, C::Q), e * V::set1(C::ln2_lo));
  V y = fma(e, V::set1(C::ln2_hi), s2 + tail);
  y = select_gt(inf, x, y, x);         // inf and NaN: themselves
  y = select_gt(x, zero, y, x - inf);  // 0: -inf; NaN stays NaN
  return select_gt(zero, x, V::set1(real(NAN)), y);
}

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

// log(1 + e^x) = max(x, 0) + log1p(u), u = e^-|x|; log1p(u) = log(w) + (u - (w - 1)) / w, w = 1 + u rounded.
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

// x / (1 + e^-x): Elfwing et al. 2017 (arXiv:1702.03118), Ramachandran et al. 2017 (arXiv:1710.05941). Not monotonic, so that no
// slope can be had from the output. Beyond +-1e30 as there: inf * 0 is no number.
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

// The long and seldom ones, out of line so that cells stay small; not static, so that a set has one copy.
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

// f'(x) from y = f(x), or from x itself where slope_from_input. At kinks: relu'(0) = 0, hard_sigmoid 0.2 strictly inside.
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
