// Vec<real>: one vector of the instruction set this file is compiled for (HS_ISA). The template is
// the definition, one lane wide; vec_*.h specialise it. Code over Vec never sees an intrinsic.
//
//   lanes, registers               elements in a vector; vector registers the processor has
//   zero() set1(a) load(p) load_n(p, n)      n in [0, lanes]: lanes from n on are 0 and not read
//   v.store(p) v.store_n(p, n)               lanes from n on are not written
//   + - * / and unary -            IEEE
//   fma(a, b, c) fnma(a, b, c)     a*b + c, c - a*b; one rounding where the processor has it (not
//                                  scalar, sse)
//   min(a, b) max(a, b)            a < b ? a : b, a > b ? a : b; a NaN in b survives, one in a does
//                                  not
//   select_gt(a, b, x, y)          a > b ? x : y (NaN compares false)
//   sqrt abs round                 round: nearest even, |a| < 2^22 (float), 2^51 (double)
//   pow2i(n)                       2^n, n whole in [-126, 127] (float), [-1022, 1023] (double)
//   scale2(x, n)                   x * 2^n, n whole, |n| <= 252 (float), 2044 (double); it may
//                                  overflow or underflow
//   exponent(x) significand(x)     x = significand * 2^exponent, significand in [1, 2); x positive
//                                  and normal
//   reduce_add(v) reduce_max(v)    halves onto halves: an order fixed by `lanes`
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(_MSC_VER)
#define HS_INLINE __forceinline
#define HS_NOINLINE __declspec(noinline)
#define HS_SELDOM __declspec(noinline)
#else
#define HS_INLINE inline __attribute__((always_inline))
#define HS_NOINLINE __attribute__((noinline))
#define HS_SELDOM __attribute__((noinline, cold))  // out of line and built small
#endif

namespace hs {
namespace HS_ISA {

// Fetches the cache line at p into L2, for later. p may be any address.
static HS_INLINE void prefetch(const void* p) {
#if defined(_MSC_VER)
  (void)p;
#else
  __builtin_prefetch(p, 0, 2);
#endif
}
// Fetches the cache line at p into L1, to be written.
static HS_INLINE void prefetch_near(const void* p) {
#if defined(_MSC_VER)
  (void)p;
#else
  __builtin_prefetch(p, 1, 3);
#endif
}

template <class real>
struct Vec {
  static constexpr int lanes = 1;
  static constexpr int registers = 16;
  static constexpr bool is_float = sizeof(real) == 4;
  real v;

  static HS_INLINE Vec zero() { return {0}; }
  static HS_INLINE Vec set1(real a) { return {a}; }
  static HS_INLINE Vec load(const real* p) { return {*p}; }
  static HS_INLINE Vec load_n(const real* p, int n) { return {n > 0 ? *p : 0}; }
  HS_INLINE void store(real* p) const { *p = v; }
  HS_INLINE void store_n(real* p, int n) const {
    if (n > 0) *p = v;
  }

  friend HS_INLINE Vec operator+(Vec a, Vec b) { return {a.v + b.v}; }
  friend HS_INLINE Vec operator-(Vec a, Vec b) { return {a.v - b.v}; }
  friend HS_INLINE Vec operator*(Vec a, Vec b) { return {a.v * b.v}; }
  friend HS_INLINE Vec operator/(Vec a, Vec b) { return {a.v / b.v}; }
  friend HS_INLINE Vec operator-(Vec a) { return {-a.v}; }
  friend HS_INLINE Vec fma(Vec a, Vec b, Vec c) { return {a.v * b.v + c.v}; }
  friend HS_INLINE Vec fnma(Vec a, Vec b, Vec c) { return {c.v - a.v * b.v}; }
  friend HS_INLINE Vec min(Vec a, Vec b) { return {a.v < b.v ? a.v : b.v}; }
  friend HS_INLINE Vec max(Vec a, Vec b) { return {a.v > b.v ? a.v : b.v}; }
  friend HS_INLINE Vec select_gt(Vec a, Vec b, Vec x, Vec y) { return {a.v > b.v ? x.v : y.v}; }
  friend HS_INLINE Vec sqrt(Vec a) {
    if constexpr (is_float) return {::sqrtf(a.v)};
    return {static_cast<real>(::sqrt(a.v))};
  }
  friend HS_INLINE Vec abs(Vec a) {
    if constexpr (is_float) return {::fabsf(a.v)};
    return {static_cast<real>(::fabs(a.v))};
  }
  // Adding 1.5 * 2^mantissa leaves no room for a fraction.
  friend HS_INLINE Vec round(Vec a) {
    constexpr real magic = is_float ? real(12582912) : real(6755399441055744);
    real sum = a.v + magic;
    return {sum - magic};
  }
  // The low bits of 2^mantissa + n + bias are n + bias; they are moved to the exponent's place.
  friend HS_INLINE Vec pow2i(Vec n) {
    if constexpr (is_float) {
      return {from_bits(bits<uint32_t>(n.v + real(8388608 + 127)) << 23)};
    } else {
      return {from_bits(bits<uint64_t>(n.v + real(4503599627370496 + 1023)) << 52)};
    }
  }
  // In two factors, since 2^n itself may be out of range.
  friend HS_INLINE Vec scale2(Vec x, Vec n) {
    Vec half = round(n * set1(real(0.5)));
    return x * pow2i(half) * pow2i(n - half);
  }
  friend HS_INLINE Vec exponent(Vec x) {
    if constexpr (is_float) {
      return {static_cast<real>(static_cast<int32_t>(bits<uint32_t>(x.v) >> 23) - 127)};
    } else {
      return {static_cast<real>(static_cast<int64_t>(bits<uint64_t>(x.v) >> 52) - 1023)};
    }
  }
  friend HS_INLINE Vec significand(Vec x) {
    if constexpr (is_float) {
      return {from_bits((bits<uint32_t>(x.v) & 0x7fffffu) | 0x3f800000u)};
    } else {
      return {from_bits((bits<uint64_t>(x.v) & 0xfffffffffffffull) | 0x3ff0000000000000ull)};
    }
  }
  friend HS_INLINE real reduce_add(Vec a) { return a.v; }
  friend HS_INLINE real reduce_max(Vec a) { return a.v; }

 private:
  template <class Word>
  static HS_INLINE Word bits(real a) {
    Word word;
    memcpy(&word, &a, sizeof(word));
    return word;
  }
  template <class Word>
  static HS_INLINE real from_bits(Word word) {
    real a;
    memcpy(&a, &word, sizeof(a));
    return a;
  }
};

// For the specialisations: upper half onto lower half until one is left.
template <class real, int lanes>
HS_INLINE real halve_add(const real (&x)[lanes]) {
  real s[lanes];
  for (int i = 0; i < lanes; i++) s[i] = x[i];
  for (int w = lanes / 2; w > 0; w /= 2)
    for (int i = 0; i < w; i++) s[i] = s[i] + s[i + w];
  return s[0];
}
template <class real, int lanes>
HS_INLINE real halve_max(const real (&x)[lanes]) {
  real s[lanes];
  for (int i = 0; i < lanes; i++) s[i] = x[i];
  for (int w = lanes / 2; w > 0; w /= 2)
    for (int i = 0; i < w; i++) s[i] = s[i] > s[i + w] ? s[i] : s[i + w];
  return s[0];
}

}  // namespace HS_ISA
}  // namespace hs

#if defined(HS_ISA_SSE)
#include "device/cpu/kernels/vec_sse.h"
#elif defined(HS_ISA_AVX2)
#include "device/cpu/kernels/vec_avx2.h"
#elif defined(HS_ISA_AVX512)
#include "device/cpu/kernels/vec_avx512.h"
#elif defined(HS_ISA_AVX512VNNI)
#include "device/cpu/kernels/vec_avx512vnni.h"
#elif defined(HS_ISA_AVX512BF16)
#include "device/cpu/kernels/vec_avx512bf16.h"
#elif defined(HS_ISA_NEON)
#include "device/cpu/kernels/vec_neon.h"
#elif !defined(HS_ISA_SCALAR)
#error "HS_ISA_<NAME> is not set: CMakeLists.txt, hs_isa()"
#endif
