// AVX512_VNNI beside AVX-512: sums of products of bytes, for int8.h. Included by vec.h.
#pragma once
#include "device/cpu/kernels/vec_avx512.h"

#define HS_SUMS 1

namespace hs {
namespace HS_ISA {

// VPDPBUSD takes unsigned bytes on the left.
using Left = uint8_t;
static constexpr int kLeftOffset = 128;

struct Sums {
  __m512i v;
  static HS_INLINE Sums load(const float* p) { return {_mm512_loadu_si512(p)}; }
  HS_INLINE Sums plus(int32_t a, Sums b) const {
    return {_mm512_dpbusd_epi32(v, _mm512_set1_epi32(a), b.v)};
  }
  HS_INLINE Vec<float> numbers() const { return {_mm512_cvtepi32_ps(v)}; }
};

}  // namespace HS_ISA
}  // namespace hs
