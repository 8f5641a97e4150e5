// Sine and cosine of a part of a turn, and standard normal numbers of it, for devices without a C
// library. Taylor's series up to x^17 over |x| <= pi / 4: |error| < 1e-16 but for rounding.
#pragma once
#include "formulas/math.h"

namespace hs {
namespace HS_ISA {

// Of 2 pi w / 2^32. The nearest quarter of a turn is taken off without any rounding.
static HS_INLINE void sine_cosine(uint32_t w, double* sine, double* cosine) {
  constexpr double S[] = {
      1. / 355687428096000, -1. / 1307674368000, 1. / 6227020800, -1. / 39916800,
      1. / 362880,          -1. / 5040,          1. / 120,        -1. / 6};
  constexpr double C[] = {1. / 20922789888000, -1. / 87178291200, 1. / 479001600, -1. / 3628800,
                          1. / 40320,          -1. / 720,         1. / 24,        -1. / 2};
  constexpr double kTurn = 6.283185307179586476925 / 4294967296.0;
  const uint32_t quarter = (w + 0x20000000u) >> 30;
  const double x = kTurn * double(static_cast<int32_t>(w - (quarter << 30)));
  const Vec<double> z = {x * x};
  const double s = x + x * z.v * polynomial(z, S).v, c = 1 + z.v * polynomial(z, C).v;
  const bool odd = quarter & 1;
  *sine = (quarter & 2 ? -1 : 1) * (odd ? c : s);
  *cosine = (quarter == 1 || quarter == 2 ? -1 : 1) * (odd ? s : c);
}

// Box and Muller's two numbers of two random words: those of device/cpu/rng.h.
static HS_INLINE void two_normal(uint32_t a, uint32_t b, double out[2]) {
  const Vec<double> u = {(a + 0.5) / 4294967296.0};
  const double radius = ::sqrt(-2 * log_(u).v);
  double sine, cosine;
  sine_cosine(b, &sine, &cosine);
  out[0] = radius * cosine, out[1] = radius * sine;
}

}  // namespace HS_ISA
}  // namespace hs
