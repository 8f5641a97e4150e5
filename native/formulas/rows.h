// What objectives and metrics are written with: one row of the last axis, read once or twice. Each
// of them is a struct with
//   First, Second               what the first and the second reading of a row find, kHasFirst and
//                               kHasSecond: whether there is one
//   add(First&, row, k)         the first reading, of column k
//   join(First&, First, row)    two parts of a row become one
//   add(First, Second&, row, k), join(Second&, Second)  the same of the second, which knows what
//                               the first has found
// so that one thread reads a row, or several a part of it each. Sums are in double. Compiled for
// the processor without HS_ISA; for a card, which has no C library, with it.
#pragma once
#include <stdint.h>

#if defined(HS_ISA)
#include "formulas/math.h"
#define HS_ROWS HS_ISA
#else
#include <cmath>
#define HS_ROWS host_rows
#endif

namespace hs {
namespace HS_ROWS {

#if defined(HS_ISA)
inline double log_of(double x) { return log_(Vec<double>{x}).v; }
// w = 1 + x rounded: log1p(x) = log(w) + (x - (w - 1)) / w
inline double log1p_of(double x) {
  const double w = 1 + x;
  return log_of(w) + (x - (w - 1)) / w;
}
inline double sqrt_of(double x) { return ::sqrt(x); }
inline double fabs_of(double x) { return ::fabs(x); }
inline float fabs_of(float x) { return ::fabsf(x); }
// To the nearest, half to even. From 2^52 (2^23) on there are no fractions.
inline double rounded(double x) {
  const double big = 4503599627370496;
  return !(::fabs(x) < big) ? x : x < 0 ? (x - big) + big : (x + big) - big;
}
inline float rounded(float x) {
  const float big = 8388608;
  return !(::fabsf(x) < big) ? x : x < 0 ? (x - big) + big : (x + big) - big;
}
#else
inline double log_of(double x) { return std::log(x); }
inline double log1p_of(double x) { return std::log1p(x); }
inline double sqrt_of(double x) { return std::sqrt(x); }
template <class real>
real fabs_of(real x) {
  return std::fabs(x);
}
template <class real>
real rounded(real x) {
  return std::nearbyint(x);
}
#endif

template <class real>
struct Row {
  const real* t;  // [Ky] the target
  const real* p;  // [K] the output
  int64_t Ky, K;
};

struct NoReading {};

// For what is read once, or not at all.
struct OverRow {
  using First = NoReading;
  using Second = NoReading;
  static constexpr bool kHasFirst = false, kHasSecond = false;
  template <class real>
  static void add(First&, const Row<real>&, int64_t) {}
  template <class real>
  static void join(First&, First, const Row<real>&) {}
  template <int want, class real, class Found>
  static void add(const Found&, Second&, const Row<real>&, int64_t) {}
  static void join(Second&, Second) {}
};

// What reading every column k = lane, lane + lanes, ... finds.
template <class Of, class real>
typename Of::First read_first(const Row<real>& row, int64_t lane = 0, int64_t lanes = 1) {
  typename Of::First first = {};
  const int64_t columns = row.K > row.Ky ? row.K : row.Ky;
  for (int64_t k = lane; k < columns; k += lanes) Of::add(first, row, k);
  return first;
}
template <class Of, int want, class real>
typename Of::Second read_second(const typename Of::First& first, const Row<real>& row,
                                int64_t lane = 0, int64_t lanes = 1) {
  typename Of::Second second = {};
  for (int64_t k = lane; k < row.K; k += lanes) Of::template add<want>(first, second, row, k);
  return second;
}

// Parts of a row become one, in order.
template <class Of, class real>
typename Of::First join_first(const typename Of::First* parts, int64_t lanes,
                              const Row<real>& row) {
  typename Of::First first = parts[0];
  for (int64_t lane = 1; lane < lanes; lane++) Of::join(first, parts[lane], row);
  return first;
}
template <class Of>
typename Of::Second join_second(const typename Of::Second* parts, int64_t lanes) {
  typename Of::Second second = parts[0];
  for (int64_t lane = 1; lane < lanes; lane++) Of::join(second, parts[lane]);
  return second;
}

}  // namespace HS_ROWS
}  // namespace hs
