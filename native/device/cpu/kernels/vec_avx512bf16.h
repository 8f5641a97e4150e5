// AVX512_BF16 beside AVX-512: pairs of bfloat16 in the lanes of Vec<float>. Included by vec.h.
// VDPBF16PS adds the upper products first, then the lower ones, each sum rounded to nearest even;
// subnormal numbers are 0.
#pragma once
#include "device/cpu/kernels/vec_avx512.h"

namespace hs {
namespace HS_ISA {

// The compilers' types for bfloat16 vectors differ (of short, of __bf16, structs), so bits are
// copied. No code comes from it.
template <class To, class From>
static HS_INLINE To same_bits_as(From from) {
  static_assert(sizeof(To) == sizeof(From), "as many bits");
  To to;
  memcpy(&to, &from, sizeof(to));
  return to;
}

// acc + lower(a) lower(b) + upper(a) upper(b)
static HS_INLINE Vec<float> multiply_add_pairs(Vec<float> a, Vec<float> b, Vec<float> acc) {
  return {_mm512_dpbf16_ps(acc.v, same_bits_as<__m512bh>(a.v), same_bits_as<__m512bh>(b.v))};
}

// Lane i: the pair (lower[i], upper[i]), rounded.
static HS_INLINE Vec<float> pairs(Vec<float> lower, Vec<float> upper) {
  const __m512i low = _mm512_cvtepu16_epi32(same_bits_as<__m256i>(_mm512_cvtneps_pbh(lower.v)));
  const __m512i high = _mm512_cvtepu16_epi32(same_bits_as<__m256i>(_mm512_cvtneps_pbh(upper.v)));
  return {_mm512_castsi512_ps(_mm512_or_si512(low, _mm512_slli_epi32(high, 16)))};
}

// 32 numbers in a row, first then second, as 16 pairs of neighbours.
static HS_INLINE Vec<float> adjacent_pairs(Vec<float> first, Vec<float> second) {
  return {same_bits_as<__m512>(_mm512_cvtne2ps_pbh(second.v, first.v))};
}

}  // namespace HS_ISA
}  // namespace hs
