// bfloat16: the upper half of a float, rounded to nearest, halves to even.
#pragma once
#include <stdint.h>
#include <string.h>

#include "formulas/vec.h"

namespace hs {
namespace HS_ISA {

// The bits of x rounded, as a float has them. A NaN stays one: its payload is cut off, not rounded,
// for that might carry over into an infinity.
static HS_INLINE uint32_t bfloat16_bits(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof(bits));
  const uint32_t even = bits + 0x7fffu + ((bits >> 16) & 1), nan = bits | 0x400000u;
  return ((bits & 0x7fffffffu) > 0x7f800000u ? nan : even) & 0xffff0000u;
}
static HS_INLINE float bfloat16(float x) {
  const uint32_t bits = bfloat16_bits(x);
  memcpy(&x, &bits, sizeof(x));
  return x;
}

}  // namespace HS_ISA
}  // namespace hs
