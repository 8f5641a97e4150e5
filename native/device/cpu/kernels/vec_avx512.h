// AVX-512 F, BW, DQ, VL. Included by vec.h.
#pragma once
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push  // gcc 12's own header leaves don't-care operands unset (gcc bug 105593)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#else
#include <immintrin.h>
#endif

namespace hs {
namespace HS_ISA {

template <>
struct Vec<float> {
  static constexpr int lanes = 16;
  static constexpr int registers = 32;
  __m512 v;

  static HS_INLINE __mmask16 first(int n) { return static_cast<__mmask16>((1u << n) - 1); }
  static HS_INLINE Vec zero() { return {_mm512_setzero_ps()}; }
  static HS_INLINE Vec set1(float a) { return {_mm512_set1_ps(a)}; }
  static HS_INLINE Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static HS_INLINE Vec load_n(const float* p, int n) {
    return {_mm512_maskz_loadu_ps(first(n), p)};
  }
  HS_INLINE void store(float* p) const { _mm512_storeu_ps(p, v); }
  HS_INLINE void store_n(float* p, int n) const { _mm512_mask_storeu_ps(p, first(n), v); }

  friend HS_INLINE Vec operator+(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
  friend HS_INLINE Vec operator-(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
  friend HS_INLINE Vec operator*(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
  friend HS_INLINE Vec operator/(Vec a, Vec b) { return {_mm512_div_ps(a.v, b.v)}; }
  friend HS_INLINE Vec operator-(Vec a) { return {_mm512_xor_ps(a.v, _mm512_set1_ps(-0.0f))}; }
  friend HS_INLINE Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
  friend HS_INLINE Vec fnma(Vec a, Vec b, Vec c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
  friend HS_INLINE Vec min(Vec a, Vec b) { return {_mm512_min_ps(a.v, b.v)}; }
  friend HS_INLINE Vec max(Vec a, Vec b) { return {_mm512_max_ps(a.v, b.v)}; }
  friend HS_INLINE Vec select_gt(Vec a, Vec b, Vec x, Vec y) {
    return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ), y.v, x.v)};
  }
  friend HS_INLINE Vec sqrt(Vec a) { return {_mm512_sqrt_ps(a.v)}; }
  friend HS_INLINE Vec abs(Vec a) { return {_mm512_abs_ps(a.v)}; }
  friend HS_INLINE Vec round(Vec a) {
    return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
  }
  friend HS_INLINE Vec pow2i(Vec n) { return {_mm512_scalef_ps(_mm512_set1_ps(1), n.v)}; }
  friend HS_INLINE Vec scale2(Vec x, Vec n) { return {_mm512_scalef_ps(x.v, n.v)}; }
  friend HS_INLINE Vec exponent(Vec x) { return {_mm512_getexp_ps(x.v)}; }
  friend HS_INLINE Vec significand(Vec x) {
    return {_mm512_getmant_ps(x.v, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_src)};
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
  static constexpr int lanes = 8;
  static constexpr int registers = 32;
  __m512d v;

  static HS_INLINE __mmask8 first(int n) { return static_cast<__mmask8>((1u << n) - 1); }
  static HS_INLINE Vec zero() { return {_mm512_setzero_pd()}; }
  static HS_INLINE Vec set1(double a) { return {_mm512_set1_pd(a)}; }
  static HS_INLINE Vec load(const double* p) { return {_mm512_loadu_pd(p)}; }
  static HS_INLINE Vec load_n(const double* p, int n) {
    return {_mm512_maskz_loadu_pd(first(n), p)};
  }
  HS_INLINE void store(double* p) const { _mm512_storeu_pd(p, v); }
  HS_INLINE void store_n(double* p, int n) const { _mm512_mask_storeu_pd(p, first(n), v); }

  friend HS_INLINE Vec operator+(Vec a, Vec b) { return {_mm512_add_pd(a.v, b.v)}; }
  friend HS_INLINE Vec operator-(Vec a, Vec b) { return {_mm512_sub_pd(a.v, b.v)}; }
  friend HS_INLINE Vec operator*(Vec a, Vec b) { return {_mm512_mul_pd(a.v, b.v)}; }
  friend HS_INLINE Vec operator/(Vec a, Vec b) { return {_mm512_div_pd(a.v, b.v)}; }
  friend HS_INLINE Vec operator-(Vec a) { return {_mm512_xor_pd(a.v, _mm512_set1_pd(-0.0))}; }
  friend HS_INLINE Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_pd(a.v, b.v, c.v)}; }
  friend HS_INLINE Vec fnma(Vec a, Vec b, Vec c) { return {_mm512_fnmadd_pd(a.v, b.v, c.v)}; }
  friend HS_INLINE Vec min(Vec a, Vec b) { return {_mm512_min_pd(a.v, b.v)}; }
  friend HS_INLINE Vec max(Vec a, Vec b) { return {_mm512_max_pd(a.v, b.v)}; }
  friend HS_INLINE Vec select_gt(Vec a, Vec b, Vec x, Vec y) {
    return {_mm512_mask_blend_pd(_mm512_cmp_pd_mask(a.v, b.v, _CMP_GT_OQ), y.v, x.v)};
  }
  friend HS_INLINE Vec sqrt(Vec a) { return {_mm512_sqrt_pd(a.v)}; }
  friend HS_INLINE Vec abs(Vec a) { return {_mm512_abs_pd(a.v)}; }
  friend HS_INLINE Vec round(Vec a) {
    return {_mm512_roundscale_pd(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
  }
  friend HS_INLINE Vec pow2i(Vec n) { return {_mm512_scalef_pd(_mm512_set1_pd(1), n.v)}; }
  friend HS_INLINE Vec scale2(Vec x, Vec n) { return {_mm512_scalef_pd(x.v, n.v)}; }
  friend HS_INLINE Vec exponent(Vec x) { return {_mm512_getexp_pd(x.v)}; }
  friend HS_INLINE Vec significand(Vec x) {
    return {_mm512_getmant_pd(x.v, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_src)};
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
