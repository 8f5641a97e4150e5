// Reductions in an order that depends on the shape alone: not on the instruction set, not on
// alignment.
#include "device/cpu/kernels/entries.h"
#include "formulas/vec.h"

namespace hs {
namespace HS_ISA {

template <class real, int NV>
static void sum_columns(real* s, const real* x, int64_t ldx, int64_t rows, bool accumulate) {
  using V = Vec<real>;
  V sum[NV];
#pragma GCC unroll 8
  for (int j = 0; j < NV; j++) sum[j] = accumulate ? V::load(s + j * V::lanes) : V::zero();
  for (int64_t r = 0; r < rows; r++, x += ldx)
#pragma GCC unroll 8
    for (int j = 0; j < NV; j++) sum[j] = sum[j] + V::load(x + j * V::lanes);
#pragma GCC unroll 8
  for (int j = 0; j < NV; j++) sum[j].store(s + j * V::lanes);
}

template <class real>
void column_sums(real* s, const real* x, int64_t ldx, int64_t rows, int64_t K, bool accumulate) {
  using V = Vec<real>;
  constexpr int64_t L = V::lanes;
  int64_t k = 0;
  for (; k + 4 * L <= K; k += 4 * L) sum_columns<real, 4>(s + k, x + k, ldx, rows, accumulate);
  for (; k + L <= K; k += L) sum_columns<real, 1>(s + k, x + k, ldx, rows, accumulate);
  if (k < K) {
    const int left = static_cast<int>(K - k);
    V sum = accumulate ? V::load_n(s + k, left) : V::zero();
    for (int64_t r = 0; r < rows; r++) sum = sum + V::load_n(x + r * ldx + k, left);
    sum.store_n(s + k, left);
  }
}

// Partial sums in double, element i into number i % kPartialSums, then halves onto halves. Products
// are rounded before they are added (no fma), as everywhere: the same bits from every instruction
// set.
template <class real, class F>
static HS_INLINE void add_all(double* s, const real* x, int64_t n, F f) {
  int64_t i = 0;
  for (; i + kPartialSums <= n; i += kPartialSums)
    for (int j = 0; j < kPartialSums; j++) s[j] += f(static_cast<double>(x[i + j]));
  for (int j = 0; i + j < n; j++) s[j] += f(static_cast<double>(x[i + j]));
}

double fold(double* s) {
  for (int w = kPartialSums / 2; w > 0; w /= 2)
    for (int j = 0; j < w; j++) s[j] += s[j + w];
  return s[0];
}

template <class real, class F>
static HS_INLINE double sum_all(const real* x, int64_t n, F f) {
  double s[kPartialSums] = {};
  add_all(s, x, n, f);
  return fold(s);
}

template <class real>
double sum_squares(const real* x, int64_t n) {
  return sum_all(x, n, [](double v) { return v * v; });
}

template <class real>
void add_squares(double* partial, const real* x, int64_t first, int64_t n) {
  const auto square = [](double v) { return v * v; };
  double s[kPartialSums];  // nothing else points here, so registers can hold it
  for (int j = 0; j < kPartialSums; j++) s[j] = partial[j];
  for (; n > 0 && first % kPartialSums != 0; first++, x++, n--)
    s[first % kPartialSums] += square(*x);
  add_all(s, x, n, square);
  for (int j = 0; j < kPartialSums; j++) partial[j] = s[j];
}

template <class real>
double sum_abs(const real* x, int64_t n) {
  return sum_all(x, n, [](double v) { return v < 0 ? -v : v; });
}

// 0 * x is NaN for infinities and NaN, and 0 for all other x; so the sum is 0 if all are finite.
template <class real>
bool all_finite(const real* x, int64_t n) {
  using V = Vec<real>;
  constexpr int64_t L = V::lanes;
  const V zero = V::zero();
  V sum[4] = {zero, zero, zero, zero};
  int64_t i = 0;
  for (; i + 4 * L <= n; i += 4 * L)
#pragma GCC unroll 8
    for (int j = 0; j < 4; j++) sum[j] = fma(zero, V::load(x + i + j * L), sum[j]);
  for (; i < n; i += L) {
    const int left = static_cast<int>(n - i < L ? n - i : L);
    sum[0] = fma(zero, V::load_n(x + i, left), sum[0]);
  }
  return reduce_add((sum[0] + sum[1]) + (sum[2] + sum[3])) == 0;
}

#define HS_INSTANTIATE(real)                                                            \
  template void column_sums<real>(real*, const real*, int64_t, int64_t, int64_t, bool); \
  template double sum_squares<real>(const real*, int64_t);                              \
  template void add_squares<real>(double*, const real*, int64_t, int64_t);              \
  template double sum_abs<real>(const real*, int64_t);                                  \
  template bool all_finite<real>(const real*, int64_t);
HS_INSTANTIATE(float)
HS_INSTANTIATE(double)
#undef HS_INSTANTIATE

}  // namespace HS_ISA
}  // namespace hs
