// NEON of 64-bit ARM. Included by vec.h.
#pragma once
#include <arm_neon.h>

namespace hs {
namespace HS_ISA {

template <>
struct Vec<float> {
  static constexpr int lanes = 4;
  static constexpr int registers = 32;
  float32x4_t v;

  static HS_INLINE Vec zero() { return {vdupq_n_f32(0)}; }
  static HS_INLINE Vec set1(float a) { return {vdupq_n_f32(a)}; }
  static HS_INLINE Vec load(const float* p) { return {vld1q_f32(p)}; }
  static HS_INLINE Vec load_n(const float* p, int n) {
    float x[lanes] = {};
    for (int i = 0; i < lanes; i++)
      if (i < n) x[i] = p[i];
    return load(x);
  }
  HS_INLINE void store(float* p) const { vst1q_f32(p, v); }
  HS_INLINE void store_n(float* p, int n) const {
    float x[lanes];
    store(x);
    for (int i = 0; i < lanes; i++)
      if (i < n) p[i] = x[i];
  }

  friend HS_INLINE Vec operator+(Vec a, Vec b) { return {vaddq_f32(a.v, b.v)}; }
  friend HS_INLINE Vec operator-(Vec a, Vec b) { return {vsubq_f32(a.v, b.v)}; }
  friend HS_INLINE Vec operator*(Vec a, Vec b) { return {vmulq_f32(a.v, b.v)}; }
  friend HS_INLINE Vec operator/(Vec a, Vec b) { return {vdivq_f32(a.v, b.v)}; }
  friend HS_INLINE Vec operator-(Vec a) { return {vnegq_f32(a.v)}; }
  friend HS_INLINE Vec fma(Vec a, Vec b, Vec c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
  friend HS_INLINE Vec fnma(Vec a, Vec b, Vec c) { return {vfmsq_f32(c.v, a.v, b.v)}; }
  // Not vminq, which gives NaN where either is.
  friend HS_INLINE Vec min(Vec a, Vec b) { return select_gt(b, a, a, b); }
  friend HS_INLINE Vec max(Vec a, Vec b) { return select_gt(a, b, a, b); }
  friend HS_INLINE Vec select_gt(Vec a, Vec b, Vec x, Vec y) {
    return {vbslq_f32(vcgtq_f32(a.v, b.v), x.v, y.v)};
  }
  friend HS_INLINE Vec sqrt(Vec a) { return {vsqrtq_f32(a.v)}; }
  friend HS_INLINE Vec abs(Vec a) { return {vabsq_f32(a.v)}; }
  friend HS_INLINE Vec round(Vec a) { return {vrndnq_f32(a.v)}; }
  // n + 127 are the low bits of 2^23 + n + 127; they are shifted to the exponent's place.
  friend HS_INLINE Vec pow2i(Vec n) {
    uint32x4_t biased = vreinterpretq_u32_f32(vaddq_f32(n.v, vdupq_n_f32(8388608.0f + 127)));
    return {vreinterpretq_f32_u32(vshlq_n_u32(biased, 23))};
  }
  friend HS_INLINE Vec scale2(Vec x, Vec n) {
    Vec half = round(n * set1(0.5f));
    return x * pow2i(half) * pow2i(n - half);
  }
  friend HS_INLINE Vec exponent(Vec x) {
    int32x4_t e = vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_f32(x.v), 23));
    return {vcvtq_f32_s32(vsubq_s32(e, vdupq_n_s32(127)))};
  }
  friend HS_INLINE Vec significand(Vec x) {
    uint32x4_t m = vandq_u32(vreinterpretq_u32_f32(x.v), vdupq_n_u32(0x7fffff));
    return {vreinterpretq_f32_u32(vorrq_u32(m, vreinterpretq_u32_f32(vdupq_n_f32(1))))};
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
  static constexpr int registers = 32;
  float64x2_t v;

  static HS_INLINE Vec zero() { return {vdupq_n_f64(0)}; }
  static HS_INLINE Vec set1(double a) { return {vdupq_n_f64(a)}; }
  static HS_INLINE Vec load(const double* p) { return {vld1q_f64(p)}; }
  static HS_INLINE Vec load_n(const double* p, int n) {
    double x[lanes] = {};
    for (int i = 0; i < lanes; i++)
      if (i < n) x[i] = p[i];
    return load(x);
  }
  HS_INLINE void store(double* p) const { vst1q_f64(p, v); }
  HS_INLINE void store_n(double* p, int n) const {
    double x[lanes];
    store(x);
    for (int i = 0; i < lanes; i++)
      if (i < n) p[i] = x[i];
  }

  friend HS_INLINE Vec operator+(Vec a, Vec b) { return {vaddq_f64(a.v, b.v)}; }
  friend HS_INLINE Vec operator-(Vec a, Vec b) { return {vsubq_f64(a.v, b.v)}; }
  friend HS_INLINE Vec operator*(Vec a, Vec b) { return {vmulq_f64(a.v, b.v)}; }
  friend HS_INLINE Vec operator/(Vec a, Vec b) { return {vdivq_f64(a.v, b.v)}; }
  friend HS_INLINE Vec operator-(Vec a) { return {vnegq_f64(a.v)}; }
  friend HS_INLINE Vec fma(Vec a, Vec b, Vec c) { return {vfmaq_f64(c.v, a.v, b.v)}; }
  friend HS_INLINE Vec fnma(Vec a, Vec b, Vec c) { return {vfmsq_f64(c.v, a.v, b.v)}; }
  // Not vminq, which gives NaN where either is.
  friend HS_INLINE Vec min(Vec a, Vec b) { return select_gt(b, a, a, b); }
  friend HS_INLINE Vec max(Vec a, Vec b) { return select_gt(a, b, a, b); }
  friend HS_INLINE Vec select_gt(Vec a, Vec b, Vec x, Vec y) {
    return {vbslq_f64(vcgtq_f64(a.v, b.v), x.v, y.v)};
  }
  friend HS_INLINE Vec sqrt(Vec a) { return {vsqrtq_f64(a.v)}; }
  friend HS_INLINE Vec abs(Vec a) { return {vabsq_f64(a.v)}; }
  friend HS_INLINE Vec round(Vec a) { return {vrndnq_f64(a.v)}; }
  // n + 1023 are the low bits of 2^52 + n + 1023; they are shifted to the exponent's place.
  friend HS_INLINE Vec pow2i(Vec n) {
    uint64x2_t biased =
        vreinterpretq_u64_f64(vaddq_f64(n.v, vdupq_n_f64(4503599627370496.0 + 1023)));
    return {vreinterpretq_f64_u64(vshlq_n_u64(biased, 52))};
  }
  friend HS_INLINE Vec scale2(Vec x, Vec n) {
    Vec half = round(n * set1(0.5));
    return x * pow2i(half) * pow2i(n - half);
  }
  friend HS_INLINE Vec exponent(Vec x) {
    int64x2_t e = vreinterpretq_s64_u64(vshrq_n_u64(vreinterpretq_u64_f64(x.v), 52));
    return {vcvtq_f64_s64(vsubq_s64(e, vdupq_n_s64(1023)))};
  }
  friend HS_INLINE Vec significand(Vec x) {
    uint64x2_t m = vandq_u64(vreinterpretq_u64_f64(x.v), vdupq_n_u64(0xfffffffffffff));
    return {vreinterpretq_f64_u64(vorrq_u64(m, vreinterpretq_u64_f64(vdupq_n_f64(1))))};
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
