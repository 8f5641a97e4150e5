// Products. A product element is one chain of multiply-adds over rising k: blocks of k hand the chain on through c, which
// holds it exactly. So neither blocks nor the caller's split over rows, columns and threads can change a bit.
//
// The layout follows Goto & van de Geijn 2008 ("Anatomy of high-performance matrix multiplication"), but that B, not A, is
// the streamed panel and A is not packed: batches are short and weights are packed once for many steps.
#include "kernels/gemm_tile.h"

namespace hs {
namespace HS_ISA {

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

template <class real>
size_t packed_size(int64_t K, int64_t N) {
  constexpr int64_t NR = kNR<real>;
  const int64_t whole = N / NR * NR;
  return static_cast<size_t>(K * (whole + (N > whole ? panel_width<real>(N - whole) : 0)));
}

template <class real>
void pack(real* packed, const real* b, int64_t ldb, bool transposed, int64_t K, int64_t N) {
  constexpr int64_t NR = kNR<real>, block = 16;
  for (int64_t n = 0; n < N; n += NR, packed += K * NR) {
    const int64_t columns = least(NR, N - n), width = panel_width<real>(columns);
    if (!transposed) {
      pack_panel(packed, b + n, ldb, K, columns);
      continue;
    }
    for (int64_t k0 = 0; k0 < K; k0 += block) {  // one cache line of each row of b at a time
      const int64_t k1 = least(K, k0 + block);
      for (int64_t j = 0; j < columns; j++)
        for (int64_t k = k0; k < k1; k++) packed[k * width + j] = b[(n + j) * ldb + k];
      for (int64_t j = columns; j < width; j++)
        for (int64_t k = k0; k < k1; k++) packed[k * width + j] = 0;
    }
  }
}

template <class real>
static void zero_rows(real* c, int64_t ldc, int64_t rows, int64_t columns) {
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) c[i * ldc + j] = 0;
}

template <class real>
void gemm(real* c, int64_t ldc, const real* a, int64_t lda, const real* packed, int64_t M, int64_t N, int64_t K,
          int64_t n0, int64_t n1, bool accumulate) {
  constexpr int64_t NR = kNR<real>;
  if (K == 0 && !accumulate) zero_rows(c + n0, ldc, M, n1 - n0);
  for (int64_t k0 = 0; k0 < K; k0 += kKC) {
    TileArgs<real> t{};
    t.ldc = ldc, t.a_row = lda, t.a_step = 1;
    t.K = least(kKC, K - k0);
    t.fresh = k0 == 0 && !accumulate;
    for (int64_t m0 = 0; m0 < M; m0 += kMC) {
      const int64_t m1 = least(M, m0 + kMC);
      for (int64_t n = n0; n < n1; n += NR) {
        const int64_t columns = least(NR, N - n);
        t.b = packed + n * K + k0 * panel_width<real>(columns);
        for (int64_t m = m0; m < m1;) {
          const int rows = tile_height(m1 - m);
          t.a = a + m * lda + k0;
          t.c = c + m * ldc + n;
          run_tile(rows, static_cast<int>(columns), t);
          m += rows;
        }
      }
    }
  }
}

// packed[k][0:rows) = a[k, 0:rows), rows <= kMR
template <class real>
static inline void pack_tile(real* packed, const real* a, int64_t lda, int64_t K, int rows) {
  if (rows == kMR) {  // a constant size: one or two moves
    for (int64_t k = 0; k < K; k++) memcpy(packed + k * kMR, a + k * lda, kMR * sizeof(real));
    return;
  }
  for (int64_t k = 0; k < K; k++)
    for (int i = 0; i < rows; i++) packed[k * rows + i] = a[k * lda + i];
}

template <class real>
void gemm_tn(real* c, int64_t ldc, const real* a, int64_t lda, const real* b, int64_t ldb, int64_t K, int64_t m0,
             int64_t m1, int64_t n0, int64_t n1, bool accumulate, real* scratch) {
  constexpr int64_t NR = kNR<real>, NC = kTnColumns<real>;
  real* packed_b = scratch;             // [panels][KC][NR]
  real* packed_a = scratch + kKC * NC;  // [tiles][KC][rows of the tile]
  if (K == 0 && !accumulate) zero_rows(c + m0 * ldc + n0, ldc, m1 - m0, n1 - n0);
  for (int64_t nb = n0; nb < n1; nb += NC) {
    const int64_t ne = least(n1, nb + NC);
    for (int64_t k0 = 0; k0 < K; k0 += kKC) {
      TileArgs<real> t{};
      t.ldc = ldc, t.a_row = 1;
      t.K = least(kKC, K - k0);
      t.fresh = k0 == 0 && !accumulate;
      for (int64_t n = nb; n < ne; n += NR)
        pack_panel(packed_b + (n - nb) * t.K, b + k0 * ldb + n, ldb, t.K, least(NR, ne - n));
      for (int64_t mb = m0; mb < m1; mb += kMC) {
        const int64_t me = least(m1, mb + kMC);
        for (int64_t m = mb; m < me;) {
          const int rows = tile_height(me - m);
          pack_tile(packed_a + (m - mb) * t.K, a + k0 * lda + m, lda, t.K, rows);
          m += rows;
        }
        for (int64_t n = nb; n < ne; n += NR) {
          t.b = packed_b + (n - nb) * t.K;
          for (int64_t m = mb; m < me;) {
            const int rows = tile_height(me - m);
            t.a = packed_a + (m - mb) * t.K;
            t.a_step = rows;
            t.c = c + m * ldc + n;
            run_tile(rows, static_cast<int>(least(NR, ne - n)), t);
            m += rows;
          }
        }
      }
    }
  }
}

#define HS_INSTANTIATE(real)                                                                                           \
  template size_t packed_size<real>(int64_t, int64_t);                                                                 \
  template void pack<real>(real*, const real*, int64_t, bool, int64_t, int64_t);                                       \
  template void gemm<real>(real*, int64_t, const real*, int64_t, const real*, int64_t, int64_t, int64_t, int64_t,      \
                           int64_t, bool);                                                                             \
  template void gemm_tn<real>(real*, int64_t, const real*, int64_t, const real*, int64_t, int64_t, int64_t, int64_t,   \
                              int64_t, int64_t, bool, real*);
HS_INSTANTIATE(float)
HS_INSTANTIATE(double)
#undef HS_INSTANTIATE

}  // namespace HS_ISA
}  // namespace hs
