// How the operands of products are stored and multiplied. gemm and the fused forward of cells are
// written over one of these types, which have
//   per           how many consecutive k share one element; elements(K) = K / per, rounded up, a
//                 missing k being 0
//   converts      whether operands are converted on the way to the product: then the left one is
//                 copied, else it is read in place
//   multiply_add  acc + a b, over the k of one element
//   row(to, from, K)
//                 K numbers along k as elements: into `to` (which is returned), or `from` itself if
//                 nothing is converted
//   rows(to, ldto, width, from, ldfrom, K, columns, which)
//                 K rows of `columns` numbers as elements(K) rows, with zeros up to width; row k is
//                 from[which[k]], or from[k]
// Exact: the numbers themselves. Bf16: bfloat16, the upper half of a float, rounded to nearest
// even. A product of two of them is exact in a float, so only the sums round. Where VDPBF16PS is
// there, two consecutive k lie in one element (k in the lower half); elsewhere an element is the
// rounded float. A pair is handled as the float that has its bits: it is only ever copied.
#pragma once
#include "formulas/bfloat16.h"
#include "formulas/vec.h"

namespace hs {
namespace HS_ISA {

template <class real_>
struct Exact {
  using real = real_;
  using V = Vec<real>;
  static constexpr int per = 1;
  static constexpr bool converts = false;

  static constexpr int64_t elements(int64_t K) { return K; }
  static HS_INLINE V multiply_add(V a, V b, V acc) { return fma(a, b, acc); }
  static HS_INLINE const real* row(real*, const real* from, int64_t) { return from; }
  HS_NOINLINE static void rows(real* to, int64_t ldto, int64_t width, const real* from,
                               int64_t ldfrom, int64_t K, int64_t columns, const int32_t* which) {
    constexpr int64_t L = V::lanes;
    for (int64_t k = 0; k < K; k++, to += ldto) {
      const real* row = from + (which ? which[k] : k) * ldfrom;  // [columns]
      int64_t j = 0;
      for (; j + L <= columns; j += L) V::load(row + j).store(to + j);
      if (j < columns) V::load_n(row + j, static_cast<int>(columns - j)).store(to + j), j += L;
      for (; j < width; j++) to[j] = 0;
    }
  }
};

#if defined(HS_ISA_AVX512BF16)

struct Bf16 {
  using real = float;
  using V = Vec<float>;
  static constexpr int per = 2;
  static constexpr bool converts = true;

  static constexpr int64_t elements(int64_t K) { return (K + 1) / 2; }
  static HS_INLINE V multiply_add(V a, V b, V acc) { return multiply_add_pairs(a, b, acc); }
  HS_NOINLINE static const float* row(float* to, const float* from, int64_t K) {
    constexpr int64_t L = V::lanes;
    int64_t k = 0;
    for (; k + 2 * L <= K; k += 2 * L)
      adjacent_pairs(V::load(from + k), V::load(from + k + L)).store(to + k / 2);
    if (k < K) {
      const int left = static_cast<int>(K - k), first = left < L ? left : static_cast<int>(L);
      const V high = left > L ? V::load_n(from + k + L, left - first) : V::zero();
      adjacent_pairs(V::load_n(from + k, first), high).store_n(to + k / 2, (left + 1) / 2);
    }
    return to;
  }
  HS_NOINLINE static void rows(float* to, int64_t ldto, int64_t width, const float* from,
                               int64_t ldfrom, int64_t K, int64_t columns, const int32_t* which) {
    constexpr int64_t L = V::lanes;
    for (int64_t k = 0; k < K; k += 2, to += ldto) {
      const bool both = k + 1 < K;
      const float* lower = from + (which ? which[k] : k) * ldfrom;  // [columns]
      const float* upper = both ? from + (which ? which[k + 1] : k + 1) * ldfrom : lower;
      int64_t j = 0;
      for (; j + L <= columns; j += L)
        pairs(V::load(lower + j), both ? V::load(upper + j) : V::zero()).store(to + j);
      if (j < columns) {
        const int n = static_cast<int>(columns - j);
        pairs(V::load_n(lower + j, n), both ? V::load_n(upper + j, n) : V::zero()).store(to + j);
        j += L;
      }
      for (; j < width; j++) to[j] = 0;
    }
  }
};

#else

struct Bf16 {
  using real = float;
  using V = Vec<float>;
  static constexpr int per = 1;
  static constexpr bool converts = true;

  static constexpr int64_t elements(int64_t K) { return K; }
  static HS_INLINE V multiply_add(V a, V b, V acc) { return fma(a, b, acc); }
  HS_NOINLINE static const float* row(float* to, const float* from, int64_t K) {
    for (int64_t k = 0; k < K; k++) to[k] = bfloat16(from[k]);
    return to;
  }
  HS_NOINLINE static void rows(float* to, int64_t ldto, int64_t width, const float* from,
                               int64_t ldfrom, int64_t K, int64_t columns, const int32_t* which) {
    for (int64_t k = 0; k < K; k++, to += ldto) {
      row(to, from + (which ? which[k] : k) * ldfrom, columns);
      for (int64_t j = columns; j < width; j++) to[j] = 0;
    }
  }
};

#endif

}  // namespace HS_ISA
}  // namespace hs
