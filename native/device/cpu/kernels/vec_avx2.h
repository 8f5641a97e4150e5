// AVX2 and FMA3. Included by vec.h.
#pragma once
#include <immintrin.h>

namespace hs {
namespace HS_ISA {

template <>
struct Vec<float> {
  static constexpr int lanes = 8;
  static constexpr int registers = 16;
  __m256 v;

  static HS_INLINE __m256i first(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static HS_INLINE Vec zero() { return {_mm256_setzero_ps()}; }
  static HS_INLINE Vec set1(float a) { return {_mm256_set1_ps(a)}; }
  static HS_INLINE Vec load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static HS_INLINE Vec load_n(const float* p, int n) { return {_mm256_maskload_ps(p, first(n))}; }
  HS_INLINE void store(float* p) const { _mm256_storeu_ps(p, v); }
  HS_INLINE void store_n(float* p, int n) const { _mm256_maskstore_ps(p, first(n), v); }

  friend HS_INLINE Vec operator+(Vec a, Vec b) { return {_mm256_add_ps(a.v, b.v)}; }
  friend HS_INLINE Vec operator-(Vec a, Vec b) { return {_mm256_sub_ps(a.v, b.v)}; }
  friend HS_INLINE Vec operator*(Vec a, Vec b) { return {_mm256_mul_ps(a.v, b.v)}; }
  friend HS_INLINE Vec operator/(Vec a, Vec b) { return {_mm256_div_ps(a.v, b.v)}; }
  friend HS_INLINE Vec operator-(Vec a) { return {_mm256_xor_ps(a.v, _mm256_set1_ps(-0.0f))}; }
  friend HS_INLINE Vec fma(Vec a, Vec b, Vec c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
  friend HS_INLINE Vec fnma(Vec a, Vec b, Vec c) { return {_mm256_fnmadd_ps(a.v, b.v, c.v)}; }
  friend HS_INLINE Vec min(Vec a, Vec b) { return {_mm256_min_ps(a.v, b.v)}; }
  friend HS_INLINE Vec max(Vec a, Vec b) { return {_mm256_max_ps(a.v, b.v)}; }
  friend HS_INLINE Vec select_gt(Vec a, Vec b, Vec x, Vec y) {
    return {_mm256_blendv_ps(y.v, x.v, _mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ))};
  }
  friend HS_INLINE Vec sqrt(Vec a) { return {_mm256_sqrt_ps(a.v)}; }
  friend HS_INLINE Vec abs(Vec a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)}; }
  friend HS_INLINE Vec round(Vec a) {
    return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
  }
  // n + 127 are the low bits of 2^23 + n + 127; they are shifted to the exponent's place.
  friend HS_INLINE Vec pow2i(Vec n) {
    __m256i biased = _mm256_castps_si256(_mm256_add_ps(n.v, _mm256_set1_ps(8388608.0f + 127)));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(biased, 23))};
  }
  friend HS_INLINE Vec scale2(Vec x, Vec n) {
    Vec half = round(n * set1(0.5f));
    return x * pow2i(half) * pow2i(n - half);
  }
  // The exponent's bits e, put into the low bits of 2^23, make the number 2^23 + e.
  friend HS_INLINE Vec exponent(Vec x) {
    __m256i e = _mm256_srli_epi32(_mm256_castps_si256(x.v), 23);
    __m256i biased = _mm256_or_si256(e, _mm256_castps_si256(_mm256_set1_ps(8388608.0f)));
    return {_mm256_sub_ps(_mm256_castsi256_ps(biased), _mm256_set1_ps(8388608.0f + 127))};
  }
  friend HS_INLINE Vec significand(Vec x) {
    __m256i m = _mm256_and_si256(_mm256_castps_si256(x.v), _mm256_set1_epi32(0x7fffff));
    return {_mm256_castsi256_ps(_mm256_or_si256(m, _mm256_castps_si256(_mm256_set1_ps(1))))};
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
  static constexpr int lanes = 4;
  static constexpr int registers = 16;
  __m256d v;

  static HS_INLINE __m256i first(int n) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_set_epi64x(3, 2, 1, 0));
  }
  static HS_INLINE Vec zero() { return {_mm256_setzero_pd()}; }
  static HS_INLINE Vec set1(double a) { return {_mm256_set1_pd(a)}; }
  static HS_INLINE Vec load(const double* p) { return {_mm256_loadu_pd(p)}; }
  static HS_INLINE Vec load_n(const double* p, int n) { return {_mm256_maskload_pd(p, first(n))}; }
  HS_INLINE void store(double* p) const { _mm256_storeu_pd(p, v); }
  HS_INLINE void store_n(double* p, int n) const { _mm256_maskstore_pd(p, first(n), v); }

  friend HS_INLINE Vec operator+(Vec a, Vec b) { return {_mm256_add_pd(a.v, b.v)}; }
  friend HS_INLINE Vec operator-(Vec a, Vec b) { return {_mm256_sub_pd(a.v, b.v)}; }
  friend HS_INLINE Vec operator*(Vec a, Vec b) { return {_mm256_mul_pd(a.v, b.v)}; }
  friend HS_INLINE Vec operator/(Vec a, Vec b) { return {_mm256_div_pd(a.v, b.v)}; }
  friend HS_INLINE Vec operator-(Vec a) { return {_mm256_xor_pd(a.v, _mm256_set1_pd(-0.0))}; }
  friend HS_INLINE Vec fma(Vec a, Vec b, Vec c) { return {_mm256_fmadd_pd(a.v, b.v, c.v)}; }
  friend HS_INLINE Vec fnma(Vec a, Vec b, Vec c) { return {_mm256_fnmadd_pd(a.v, b.v, c.v)}; }
  friend HS_INLINE Vec min(Vec a, Vec b) { return {_mm256_min_pd(a.v, b.v)}; }
  friend HS_INLINE Vec max(Vec a, Vec b) { return {_mm256_max_pd(a.v, b.v)}; }
  friend HS_INLINE Vec select_gt(Vec a, Vec b, Vec x, Vec y) {
    return {_mm256_blendv_pd(y.v, x.v, _mm256_cmp_pd(a.v, b.v, _CMP_GT_OQ))};
  }
  friend HS_INLINE Vec sqrt(Vec a) { return {_mm256_sqrt_pd(a.v)}; }
  friend HS_INLINE Vec abs(Vec a) { return {_mm256_andnot_pd(_mm256_set1_pd(-0.0), a.v)}; }
  friend HS_INLINE Vec round(Vec a) {
    return {_mm256_round_pd(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
  }
  // n + 1023 are the low bits of 2^52 + n + 1023; they are shifted to the exponent's place.
  friend HS_INLINE Vec pow2i(Vec n) {
    __m256i biased =
        _mm256_castpd_si256(_mm256_add_pd(n.v, _mm256_set1_pd(4503599627370496.0 + 1023)));
    return {_mm256_castsi256_pd(_mm256_slli_epi64(biased, 52))};
  }
  friend HS_INLINE Vec scale2(Vec x, Vec n) {
    Vec half = round(n * set1(0.5));
    return x * pow2i(half) * pow2i(n - half);
  }
  // The exponent's bits e, put into the low bits of 2^52, make the number 2^52 + e.
  friend HS_INLINE Vec exponent(Vec x) {
    __m256i e = _mm256_srli_epi64(_mm256_castpd_si256(x.v), 52);
    __m256i biased = _mm256_or_si256(e, _mm256_castpd_si256(_mm256_set1_pd(4503599627370496.0)));
    return {_mm256_sub_pd(_mm256_castsi256_pd(biased), _mm256_set1_pd(4503599627370496.0 + 1023))};
  }
  friend HS_INLINE Vec significand(Vec x) {
    __m256i m = _mm256_and_si256(_mm256_castpd_si256(x.v), _mm256_set1_epi64x(0xfffffffffffff));
    return {_mm256_castsi256_pd(_mm256_or_si256(m, _mm256_castpd_si256(_mm256_set1_pd(1))))};
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

#define HS_SUMS 1

// Sums of products of 16-bit integers, for int8.h.
using Left = int16_t;
static constexpr int kLeftOffset = 0;

struct Sums {
  __m256i v;
  static HS_INLINE Sums load(const float* p) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))};
  }
  HS_INLINE Sums plus(int32_t a, Sums b) const {
    return {_mm256_add_epi32(v, _mm256_madd_epi16(_mm256_set1_epi32(a), b.v))};
  }
  HS_INLINE Vec<float> numbers() const { return {_mm256_cvtepi32_ps(v)}; }
};

}  // namespace HS_ISA
}  // namespace hs
