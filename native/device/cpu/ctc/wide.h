// Probabilities of long sequences: a double and an exponent of its own, v * 2^(512 e). Products of
// thousands of probabilities stay exact to the last digits of a double, and cost a few additions
// and multiplications where logarithms would cost exp and log (decision 0045).
//
// v is 0 or in [2^-256, 2^256]; e of 0 is kNone, below that of any other number. NaN is a v.
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>

namespace hs {

struct Wide {
  double v;
  int32_t e;
};

constexpr double kWideUp = 0x1p512, kWideDown = 0x1p-512;
constexpr double kWideMost = 0x1p256, kWideLeast = 0x1p-256;
constexpr double kLogOfWide = 512 * 0.69314718055994530942;  // log 2^512
constexpr int32_t kNone = -(1 << 30);
constexpr Wide kWideZero = {0, kNone}, kWideOne = {1, 0};

// 2^(512 d) for d <= 0. What is 2^-1024 of another number does not count beside it.
inline double wide_shift(int32_t d) { return d == 0 ? 1.0 : d == -1 ? kWideDown : 0.0; }

// v * 2^(512 e) for any v in (2^-768, 2^768), 0 or NaN
inline Wide wide(double v, int32_t e) {
  if (v < kWideLeast) {
    if (v == 0) return kWideZero;
    return {v * kWideUp, e - 1};
  }
  if (v > kWideMost) return {v * kWideDown, e + 1};
  return {v, e};
}

// exp(x) for x <= 0, -infinity or NaN; 0 where the exponent would be below -most.
inline Wide wide_exp(double x, double most) {
  const double v = std::exp(x);
  if (v >= kWideLeast || !(x < 0)) return {v, 0};  // or NaN
  const double e = std::floor(x / kLogOfWide + 0.5);
  if (e < -most) return kWideZero;
  return {std::exp(x - e * kLogOfWide), static_cast<int32_t>(e)};
}

inline double log_of(Wide x) {
  if (x.v == 0) return -std::numeric_limits<double>::infinity();
  return std::log(x.v) + kLogOfWide * x.e;
}

// Neighbours mostly have the same exponent.
inline Wide sum(Wide a, Wide b) {
  if (a.e == b.e) return wide(a.v + b.v, a.e);
  return a.e > b.e ? wide(a.v + b.v * wide_shift(b.e - a.e), a.e)
                   : wide(a.v * wide_shift(a.e - b.e) + b.v, b.e);
}
inline Wide sum(Wide a, Wide b, Wide c) {
  if (a.e == b.e && b.e == c.e) return wide(a.v + b.v + c.v, a.e);
  return sum(sum(a, b), c);
}

inline Wide operator*(Wide a, Wide b) { return wide(a.v * b.v, a.e + b.e); }

}  // namespace hs
