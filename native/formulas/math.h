// Transcendental functions over Vec. NaN in gives NaN out everywhere.
//
// exp and expm1: x = n ln2 + r, |r| <= ln2/2; e^r - 1 = r + r^2 P(r), P a near-minimax (Chebyshev)
// fit of (e^r - 1 - r) / r^2, fitted in 50 digits: |error of e^r - 1| <= 2.3e-8 of it with degree 4
// (float), 3.7e-17 with degree 9 (double). log: m in [sqrt(1/2), sqrt(2)), s = (m-1)/(m+1): log m =
// 2s (1 + s^2 Q(s^2)), relative error <= 2.8e-9 with degree 2 (float), 4.6e-18 with degree 6
// (double). Errors of whole functions, rounding included, are measured in
// native/test/activations_test.cc.
#pragma once
#include "formulas/vec.h"

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

// By Horner's rule; c: highest power first.
template <class real, int terms>
static HS_INLINE Vec<real> polynomial(Vec<real> x, const real (&c)[terms]) {
  Vec<real> p = Vec<real>::set1(c[0]);
  for (int i = 1; i < terms; i++) p = fma(p, x, Vec<real>::set1(c[i]));
  return p;
}

// x within [low, high]; in this order of arguments a NaN stays one.
template <class real>
static HS_INLINE Vec<real> clamp(Vec<real> x, real low, real high) {
  return min(Vec<real>::set1(high), max(Vec<real>::set1(low), x));
}

// n = round(x / ln2) and e^(x - n ln2) - 1
template <class real>
static HS_INLINE Vec<real> expm1_reduced(Vec<real> x, Vec<real>* n) {
  using C = MathConstants<real>;
  *n = round(x * Vec<real>::set1(C::log2e));
  Vec<real> r = fnma(*n, Vec<real>::set1(C::ln2_lo), fnma(*n, Vec<real>::set1(C::ln2_hi), x));
  return fma(r * r, polynomial(r, C::P), r);
}

// e^x; inf and 0 where it overflows or underflows.
template <class real>
static HS_INLINE Vec<real> exp_(Vec<real> x) {
  using C = MathConstants<real>;
  Vec<real> n, q = expm1_reduced(clamp(x, C::exp_low, C::exp_high), &n);
  return scale2(q + Vec<real>::set1(1), n);
}

// e^x - 1 of x within [low, high], which must lie within [expm1_low, expm1_high]: there one factor
// 2^n is enough.
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

}  // namespace HS_ISA
}  // namespace hs
