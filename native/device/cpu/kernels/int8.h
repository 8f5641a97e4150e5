// Products of 8-bit integers, for mixed_int8. Weights are whole numbers in [-127, 127] times the
// scale of their column, max|w| / 127; the left-hand side is rounded likewise on the way in, with a
// scale of each row and each kInt8Block numbers along k. Sums of their products are exact in 32
// bits, and what follows is a multiplication and an addition of floats: c + sum * (scale of row *
// scale of column). So a product has the same bits on every instruction set, and however rows,
// columns and threads are split.
//
// Numbers along k lie in elements of 32 bits: four bytes where VPDPBUSD is there, which takes
// unsigned ones on the left (128 is added to them, and `start` takes it away again), else two
// integers of 16 bits, as the multiplications of older sets want them.
//
// A packed column of K numbers has, for each block along k, its scale, its start, and its elements.
#pragma once
#include "device/cpu/kernels/gemm_tile.h"

namespace hs {
namespace HS_ISA {

// Numbers along k with one scale of the left-hand side.
static constexpr int64_t kInt8Block = 1024;

#if !defined(HS_SUMS)  // else of vec_*.h

// A number of the left-hand side, and what is added to it.
using Left = int16_t;
static constexpr int kLeftOffset = 0;

// A vector of sums of products, of 32 bits.
struct Sums {
  static constexpr int lanes = Vec<float>::lanes;
  int32_t v[lanes];
  static HS_INLINE Sums load(const float* p) {
    Sums s;
    memcpy(s.v, p, sizeof(s.v));
    return s;
  }
  // Plus an element of the left-hand side times a vector of elements of the right-hand one.
  HS_INLINE Sums plus(int32_t a, Sums b) const {
    Sums s;
    for (int i = 0; i < lanes; i++)
      s.v[i] = v[i] + int16_t(a) * int16_t(b.v[i]) + (a >> 16) * (b.v[i] >> 16);
    return s;
  }
  HS_INLINE Vec<float> numbers() const {
    float x[lanes];
    for (int i = 0; i < lanes; i++) x[i] = float(v[i]);
    return Vec<float>::load(x);
  }
};

#endif

// Numbers along k in one element.
static constexpr int64_t kInt8Per = 4 / sizeof(Left);

static inline int64_t int8_elements(int64_t K) { return (K + kInt8Per - 1) / kInt8Per; }
static inline int64_t int8_blocks(int64_t K) { return (K + kInt8Block - 1) / kInt8Block; }
// Rows of a panel that K numbers along k take; also where the block that begins at K begins.
static inline int64_t int8_rows(int64_t K) { return 2 * int8_blocks(K) + int8_elements(K); }

static HS_INLINE uint32_t bits_of(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof(bits));
  return bits;
}

// Rounded to nearest, halves to even; |x| <= 127.
static HS_INLINE int32_t whole(float x) {
  constexpr float shift = 12582912;  // 1.5 * 2^23: the last bit of a sum with it is one
  return static_cast<int32_t>(bits_of(x + shift) - 0x4b400000u);
}

// What numbers whose largest magnitude has the bits `top` are multiplied with, and the scale that
// takes it back. Not finite: nothing is left of the numbers, and a scale of NaN says so.
struct Int8Scale {
  float inverse, scale;
  explicit Int8Scale(uint32_t top) : inverse(0), scale(0) {
    float largest;
    memcpy(&largest, &top, sizeof(largest));
    if (top > 0x7f7fffffu) {
      scale = largest - largest;    // NaN, of infinity too
    } else if (largest > 1e-36f) {  // below, 127 / largest may be infinite
      inverse = 127 / largest, scale = largest / 127;
    }
  }
};

// The largest magnitude of numbers, as bits: those of a NaN are above all others.
static inline uint32_t int8_top(const float* x, int64_t step, int64_t n) {
  uint32_t top = 0;
  for (int64_t i = 0; i < n; i++) {
    const uint32_t bits = bits_of(x[i * step]) & 0x7fffffffu;
    top = bits > top ? bits : top;
  }
  return top;
}

// One block of a left-hand side: to [elements of K]. Returns its scale.
HS_NOINLINE static float int8_row(Left* to, const float* x, int64_t K) {
  const Int8Scale by(int8_top(x, 1, K));
  const int64_t all = int8_elements(K) * kInt8Per;
  if (by.inverse == 0) {
    for (int64_t k = 0; k < all; k++) to[k] = static_cast<Left>(kLeftOffset);
    return by.scale;
  }
  for (int64_t k = 0; k < K; k++) to[k] = static_cast<Left>(whole(x[k] * by.inverse) + kLeftOffset);
  for (int64_t k = K; k < all; k++) to[k] = static_cast<Left>(kLeftOffset);
  return by.scale;
}

// Columns of a panel whose rows are ldto apart: int8_rows(K) rows, `width` columns, those beyond
// `columns` zero. Number (k, j) is b[k * k_step + j * j_step].
HS_SELDOM static void int8_columns(float* to, int64_t ldto, int64_t width, const float* b,
                                   int64_t k_step, int64_t j_step, int64_t K, int64_t columns) {
  for (int64_t j = 0; j < width; j++, to++, b += j_step) {
    const bool there = j < columns;
    const Int8Scale by(there ? int8_top(b, k_step, K) : 0);
    for (int64_t k0 = 0; k0 < K; k0 += kInt8Block) {
      const int64_t end = K - k0 < kInt8Block ? K : k0 + kInt8Block;
      float* at = to + int8_rows(k0) * ldto;
      float* element = at + 2 * ldto;
      int32_t sum = 0;
      for (int64_t k = k0; k < end; k += kInt8Per, element += ldto) {
        uint32_t bits = 0;
        for (int64_t i = 0; by.inverse != 0 && i < kInt8Per && k + i < end; i++) {
          const int32_t w = whole(b[(k + i) * k_step] * by.inverse);
          constexpr int size = 8 * sizeof(Left);
          bits |= (static_cast<uint32_t>(w) & ((1u << size) - 1)) << (size * i);
          sum += w;
        }
        memcpy(element, &bits, sizeof(bits));
      }
      const int32_t start = -kLeftOffset * sum;
      *at = by.scale;
      memcpy(at + ldto, &start, sizeof(start));
    }
  }
}

// One block along k of a tile: c[i] = (fresh ? 0 : c[i]) + a[i] b, in `columns` columns.
struct Int8Tile {
  const Left* a;  // [MR][elements], rows a_step apart
  int64_t a_step;
  const float* scales;  // of the rows, scale_step apart
  int64_t scale_step;
  const float* b;  // [2 + elements][NV * lanes]
  int64_t elements;
  float* c[kMR];
  int columns;  // at most NV * lanes
  bool fresh;
};

template <int MR, int NV>
HS_NOINLINE static void int8_tile(const Int8Tile& t) {
  using V = Vec<float>;
  constexpr int L = V::lanes;
  const float* b = t.b + NV * L;
  Sums acc[MR][NV];
#pragma GCC unroll 8
  for (int v = 0; v < NV; v++) {
    const Sums start = Sums::load(b + v * L);
#pragma GCC unroll 8
    for (int i = 0; i < MR; i++) acc[i][v] = start;
  }
  const Left* a = t.a;
  for (int64_t e = 0; e < t.elements; e++, a += kInt8Per) {
    b += NV * L;
    Sums bk[NV];
#pragma GCC unroll 8
    for (int v = 0; v < NV; v++) bk[v] = Sums::load(b + v * L);
#pragma GCC unroll 8
    for (int i = 0; i < MR; i++) {
      int32_t ak;
      memcpy(&ak, a + i * t.a_step, sizeof(ak));
#pragma GCC unroll 8
      for (int v = 0; v < NV; v++) acc[i][v] = acc[i][v].plus(ak, bk[v]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < MR; i++) {
    const V row_scale = V::set1(t.scales[i * t.scale_step]);
#pragma GCC unroll 8
    for (int v = 0; v < NV; v++) {
      float* c = t.c[i] + v * L;
      const int n = t.columns - v * L < L ? t.columns - v * L : L;  // columns of this vector
      if (n <= 0) break;
      V sum = acc[i][v].numbers() * (row_scale * V::load(t.b + v * L));
      if (!t.fresh) sum = (n < L ? V::load_n(c, n) : V::load(c)) + sum;
      if (n < L) {
        sum.store_n(c, n);
      } else {
        sum.store(c);
      }
    }
  }
}

// Rows that a tile may have: what registers there are for, 3, 2 and 1.
template <int NV>
static constexpr int kInt8Rows = Vec<float>::registers >= 32 || NV <= 2 ? 6 : 3;

// Does the first of `rows` rows; returns how many.
template <int NV>
static int int8_rows_of_tile(int64_t rows, const Int8Tile& t) {
  if (kInt8Rows<NV> == 6 && rows >= 6) return int8_tile<kInt8Rows<NV>, NV>(t), 6;
  if (rows >= 3 && rows != 4) return int8_tile<3, NV>(t), 3;
  if (rows >= 2) return int8_tile<2, NV>(t), 2;
  return int8_tile<1, NV>(t), 1;
}

}  // namespace HS_ISA
}  // namespace hs
