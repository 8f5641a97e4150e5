// SSE2, the baseline of x86-64: no fused multiply-add, no masks. Included by vec.h.
#pragma once
#include <emmintrin.h>

namespace hs {
namespace HS_ISA {

template <>
struct Vec<float> {
  static constexpr int lanes = 4;
  static constexpr int registers = 16;
  __m128 v;

  static HS_INLINE Vec zero() { return {_mm_setzero_ps()}; }
  static HS_INLINE Vec set1(float a) { return {_mm_set1_ps(a)}; }
  static HS_INLINE Vec load(const float* p) { return {_mm_loadu_ps(p)}; }
  static HS_INLINE Vec load_n(const float* p, int n) {
    float x[lanes] = {};
    for (int i = 0; i < lanes; i++)
      if (i < n) x[i] = p[i];
    return load(x);
  }
  HS_INLINE void store(float* p) const { _mm_storeu_ps(p, v); }
  HS_INLINE void store_n(float* p, int n) const {
    float x[lanes];
    store(x);
    for (int i = 0; i < lanes; i++)
      if (i < n) p[i] = x[i];
  }

  friend HS_INLINE Vec operator+(Vec a, Vec b) { return {_mm_add_ps(a.v, b.v)}; }
  friend HS_INLINE Vec operator-(Vec a, Vec b) { return {_mm_sub_ps(a.v, b.v)}; }
  friend HS_INLINE Vec operator*(Vec a, Vec b) { return {_mm_mul_ps(a.v, b.v)}; }
  friend HS_INLINE Vec operator/(Vec a, Vec b) { return {_mm_div_ps(a.v, b.v)}; }
  friend HS_INLINE Vec operator-(Vec a) { return {_mm_xor_ps(a.v, _mm_set1_ps(-0.0f))}; }
  friend HS_INLINE Vec fma(Vec a, Vec b, Vec c) { return {_mm_add_ps(_mm_mul_ps(a.v, b.v), c.v)}; }
  friend HS_INLINE Vec fnma(Vec a, Vec b, Vec c) { return {_mm_sub_ps(c.v, _mm_mul_ps(a.v, b.v))}; }
  friend HS_INLINE Vec min(Vec a, Vec b) { return {_mm_min_ps(a.v, b.v)}; }
  friend HS_INLINE Vec max(Vec a, Vec b) { return {_mm_max_ps(a.v, b.v)}; }
  friend HS_INLINE Vec select_gt(Vec a, Vec b, Vec x, Vec y) {
    __m128 greater = _mm_cmpgt_ps(a.v, b.v);
    return {_mm_or_ps(_mm_and_ps(greater, x.v), _mm_andnot_ps(greater, y.v))};
  }
  friend HS_INLINE Vec sqrt(Vec a) { return {_mm_sqrt_ps(a.v)}; }
  friend HS_INLINE Vec abs(Vec a) { return {_mm_andnot_ps(_mm_set1_ps(-0.0f), a.v)}; }
  // Adding 1.5 * 2^mantissa leaves no room for a fraction.
  friend HS_INLINE Vec round(Vec a) {
    Vec magic = set1(12582912.0f);
    return (a + magic) - magic;
  }
  // n + 127 are the low bits of 2^23 + n + 127; they are shifted to the exponent's place.
  friend HS_INLINE Vec pow2i(Vec n) {
    __m128i biased = _mm_castps_si128(_mm_add_ps(n.v, _mm_set1_ps(8388608.0f + 127)));
    return {_mm_castsi128_ps(_mm_slli_epi32(biased, 23))};
  }
  friend HS_INLINE Vec scale2(Vec x, Vec n) {
    Vec half = round(n * set1(0.5f));
    return x * pow2i(half) * pow2i(n - half);
  }
  // The exponent's bits e, put into the low bits of 2^23, make the number 2^23 + e.
  friend HS_INLINE Vec exponent(Vec x) {
    __m128i e = _mm_srli_epi32(_mm_castps_si128(x.v), 23);
    __m128i biased = _mm_or_si128(e, _mm_castps_si128(_mm_set1_ps(8388608.0f)));
    return {_mm_sub_ps(_mm_castsi128_ps(biased), _mm_set1_ps(8388608.0f + 127))};
  }
  friend HS_INLINE Vec significand(Vec x) {
    __m128i m = _mm_and_si128(_mm_castps_si128(x.v), _mm_set1_epi32(0x7fffff));
    return {_mm_castsi128_ps(_mm_or_si128(m, _mm_castps_si128(_mm_set1_ps(1))))};
  }
  friend HS_INLINE float reduce_add(Vec a) {
    float x[lanes];
    a.store(x);
    return halve_add(x);
  }
  friend HS_INLINE float reduce_max(Vec a) {
    float x[lanes];
    a.store(x);
    return halve_max(x);
  }
};

template <>
struct Vec<double> {
  static constexpr int lanes = 2;
  static constexpr int registers = 16;
  __m128d v;

  static HS_INLINE Vec zero() { return {_mm_setzero_pd()}; }
  static HS_INLINE Vec set1(double a) { return {_mm_set1_pd(a)}; }
  static HS_INLINE Vec load(const double* p) { return {_mm_loadu_pd(p)}; }
  static HS_INLINE Vec load_n(const double* p, int n) {
    double x[lanes] = {};
    for (int i = 0; i < lanes; i++)
      if (i < n) x[i] = p[i];
    return load(x);
  }
  HS_INLINE void store(double* p) const { _mm_storeu_pd(p, v); }
  HS_INLINE void store_n(double* p, int n) const {
    double x[lanes];
    store(x);
    for (int i = 0; i < lanes; i++)
      if (i < n) p[i] = x[i];
  }

  friend HS_INLINE Vec operator+(Vec a, Vec b) { return {_mm_add_pd(a.v, b.v)}; }
  friend HS_INLINE Vec operator-(Vec a, Vec b) { return {_mm_sub_pd(a.v, b.v)}; }
  friend HS_INLINE Vec operator*(Vec a, Vec b) { return {_mm_mul_pd(a.v, b.v)}; }
  friend HS_INLINE Vec operator/(Vec a, Vec b) { return {_mm_div_pd(a.v, b.v)}; }
  friend HS_INLINE Vec operator-(Vec a) { return {_mm_xor_pd(a.v, _mm_set1_pd(-0.0))}; }
  friend HS_INLINE Vec fma(Vec a, Vec b, Vec c) { return {_mm_add_pd(_mm_mul_pd(a.v, b.v), c.v)}; }
  friend HS_INLINE Vec fnma(Vec a, Vec b, Vec c) { return {_mm_sub_pd(c.v, _mm_mul_pd(a.v, b.v))}; }
  friend HS_INLINE Vec min(Vec a, Vec b) { return {_mm_min_pd(a.v, b.v)}; }
  friend HS_INLINE Vec max(Vec a, Vec b) { return {_mm_max_pd(a.v, b.v)}; }
  friend HS_INLINE Vec select_gt(Vec a, Vec b, Vec x, Vec y) {
    __m128d greater = _mm_cmpgt_pd(a.v, b.v);
    return {_mm_or_pd(_mm_and_pd(greater, x.v), _mm_andnot_pd(greater, y.v))};
  }
  friend HS_INLINE Vec sqrt(Vec a) { return {_mm_sqrt_pd(a.v)}; }
  friend HS_INLINE Vec abs(Vec a) { return {_mm_andnot_pd(_mm_set1_pd(-0.0), a.v)}; }
  // Adding 1.5 * 2^mantissa leaves no room for a fraction.
  friend HS_INLINE Vec round(Vec a) {
    Vec magic = set1(6755399441055744.0);
    return (a + magic) - magic;
  }
  // n + 1023 are the low bits of 2^52 + n + 1023; they are shifted to the exponent's place.
  friend HS_INLINE Vec pow2i(Vec n) {
    __m128i biased = _mm_castpd_si128(_mm_add_pd(n.v, _mm_set1_pd(4503599627370496.0 + 1023)));
    return {_mm_castsi128_pd(_mm_slli_epi64(biased, 52))};
  }
  friend HS_INLINE Vec scale2(Vec x, Vec n) {
    Vec half = round(n * set1(0.5));
    return x * pow2i(half) * pow2i(n - half);
  }
  // The exponent's bits e, put into the low bits of 2^52, make the number 2^52 + e.
  friend HS_INLINE Vec exponent(Vec x) {
    __m128i e = _mm_srli_epi64(_mm_castpd_si128(x.v), 52);
    __m128i biased = _mm_or_si128(e, _mm_castpd_si128(_mm_set1_pd(4503599627370496.0)));
    return {_mm_sub_pd(_mm_castsi128_pd(biased), _mm_set1_pd(4503599627370496.0 + 1023))};
  }
  friend HS_INLINE Vec significand(Vec x) {
    __m128i m = _mm_and_si128(_mm_castpd_si128(x.v), _mm_set1_epi64x(0xfffffffffffff));
    return {_mm_castsi128_pd(_mm_or_si128(m, _mm_castpd_si128(_mm_set1_pd(1))))};
  }
  friend HS_INLINE double reduce_add(Vec a) {
    double x[lanes];
    a.store(x);
    return halve_add(x);
  }
  friend HS_INLINE double reduce_max(Vec a) {
    double x[lanes];
    a.store(x);
    return halve_max(x);
  }
};

}  // namespace HS_ISA
}  // namespace hs
