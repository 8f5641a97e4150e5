// Products. A product element is one chain of multiply-adds over rising k: blocks of k hand the
// chain on through c, which holds it exactly. So neither blocks nor the caller's split over rows,
// columns and threads can change a bit. What the operands are (their own numbers, or bfloat16) is a
// parameter: operands.h.
//
// Measured on Sapphire Rapids (2 cores, 178.7 GFLOP/s fp32 peak a core): fetching the next panel
// while this one is used took 64 x 2048 x 512 from 101 to 162 GFLOP/s (weights come from a far L3),
// fetching the next rows of c took 3200 x 512 x 128 from 127 to 147. Blocks of k of 64 to 256 made
// no difference. On Zen 5 (260 GFLOP/s from L1) blocks of 128 instead of 256 took gemm_tn from 223
// to 229, and gemm over 2048 of k from 254 to 250.
//
// The layout follows Goto & van de Geijn 2008 ("Anatomy of high-performance matrix
// multiplication"), but that B, not A, is the streamed panel and A is not packed: batches are short
// and weights are packed once for many steps.
#include "device/cpu/kernels/gemm_tile.h"

namespace hs {
namespace HS_ISA {

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

template <class Operands>
size_t packed_size(int64_t K, int64_t N) {
  using real = typename Operands::real;
  constexpr int64_t NR = kNR<real>;
  const int64_t whole = N / NR * NR;
  return static_cast<size_t>(Operands::elements(K) *
                             (whole + (N > whole ? panel_width<real>(N - whole) : 0)));
}

template <class Operands, class real>
void pack(real* packed, const real* b, int64_t ldb, bool transposed, int64_t K, int64_t N,
          int64_t n0, int64_t n1) {
  constexpr int64_t NR = kNR<real>, block = 16, per = Operands::per;
  const int64_t E = Operands::elements(K);
  packed += n0 * E;
  for (int64_t n = n0; n < n1; n += NR, packed += E * NR) {
    const int64_t columns = least(NR, N - n), width = panel_width<real>(columns);
    if (!transposed) {
      Operands::rows(packed, width, width, b + n, ldb, K, columns, nullptr);
      continue;
    }
    for (int64_t k0 = 0; k0 < K; k0 += block) {  // one cache line of each row of b at a time
      const int64_t k_count = least(block, K - k0), count = Operands::elements(k_count);
      real* to = packed + k0 / per * width;  // [count, width]
      for (int64_t j = 0; j < columns; j++) {
        real line[block];
        const real* from = Operands::row(line, b + (n + j) * ldb + k0, k_count);
        for (int64_t e = 0; e < count; e++) to[e * width + j] = from[e];
      }
      for (int64_t j = columns; j < width; j++)
        for (int64_t e = 0; e < count; e++) to[e * width + j] = 0;
    }
  }
}

template <class real>
static void zero_rows(real* c, int64_t ldc, int64_t rows, int64_t columns,
                      const int32_t* which = nullptr) {
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) c[(which ? which[i] : i) * ldc + j] = 0;
}

// Has each k of the tile fetch a cache line: from `at` on, `step` elements apart, if wanted.
template <class real>
static inline void look_ahead(TileArgs<real>& t, bool wanted, const real* at, int64_t step) {
  t.ahead = wanted ? at : t.b;
  t.ahead_step = wanted ? step : 0;
}

// Rows [m0, m1) of one panel. next: the panel that follows; each tile fetches a share of it, unless
// all panels are near anyway.
template <class Operands, class real>
static inline void gemm_panel(TileArgs<real>& t, real* c, const real* a, const int32_t* which,
                              int64_t m0, int64_t m1, int64_t columns, const real* next,
                              bool near) {
  const int64_t count = (m1 - m0 + kMR - 1) / kMR,
                share = least(kLine<real>, (kNR<real> + count - 1) / count);
  for (int64_t m = m0; m < m1; next += t.K * share) {
    const int rows = tile_height(m1 - m);
    t.rows = which ? which + m : nullptr;
    t.a = Operands::converts ? a + (m - m0) * t.a_row : which ? a : a + m * t.a_row;
    t.c = which ? c : c + m * t.ldc;
    look_ahead(t, !near, next, share);
    run_tile<Operands>(rows, static_cast<int>(columns), t);
    m += rows;
  }
}

template <class Operands, class real>
void gemm(real* c, int64_t ldc, const real* a, int64_t lda, const real* packed, int64_t M,
          int64_t N, int64_t K, int64_t n0, int64_t n1, bool accumulate, const int32_t* rows) {
  constexpr int64_t NR = kNR<real>, MC = Operands::converts ? kConverted : kMC, per = Operands::per;
  alignas(64) real converted[Operands::converts ? kConverted * kKC : 1];  // [MC, t.K]
  if (K == 0 && !accumulate) zero_rows(c + n0, ldc, M, n1 - n0, rows);
  const int64_t E = Operands::elements(K);
  const bool near = E * (n1 - n0) * static_cast<int64_t>(sizeof(real)) <= kNear;
  for (int64_t k0 = 0; k0 < E; k0 += kKC) {
    TileArgs<real> t{};
    t.K = least(kKC, E - k0);
    t.ldc = ldc, t.a_row = Operands::converts ? t.K : lda, t.a_step = 1;
    t.fresh = k0 == 0 && !accumulate;
    for (int64_t m0 = 0; m0 < M; m0 += MC) {
      const int64_t m1 = least(M, m0 + MC);
      if constexpr (Operands::converts)
        for (int64_t m = m0; m < m1; m++)
          Operands::row(converted + (m - m0) * t.K, a + (rows ? rows[m] : m) * lda + k0 * per,
                        least(t.K * per, K - k0 * per));
      for (int64_t n = n0; n < n1; n += NR) {
        const int64_t columns = least(NR, N - n);
        t.b_step = panel_width<real>(columns);
        t.b = packed + n * E + k0 * t.b_step;
        const real* next = n + NR < n1 ? t.b + NR * E : packed + n0 * E + (k0 + kKC) * NR;
        gemm_panel<Operands>(t, c + n, Operands::converts ? converted : a + k0, rows, m0, m1,
                             columns, next, near);
      }
    }
  }
}

// A block of a is copied with an odd number of cache lines from one k to the next, so that the
// lines of a tile spread over all sets of the cache.
template <class real>
static inline int64_t block_stride(int64_t rows) {
  return ((rows + kLine<real> - 1) / kLine<real> | 1) * kLine<real>;
}

// gemm_tn for at most kMR rows of c, where copying would cost more than it brings: a and b are read
// where they are, and columns only in whole vectors.
template <class real>
static void gemm_tn_direct(real* c, int64_t ldc, const real* a, int64_t lda, const real* b,
                           int64_t ldb, int64_t K, int rows, int64_t columns, bool accumulate) {
  TileArgs<real> t{};
  t.ldc = ldc, t.a_row = 1, t.a_step = lda, t.b_step = ldb;
  for (int64_t k0 = 0; k0 < K; k0 += kKC) {
    t.K = least(kKC, K - k0);
    t.fresh = k0 == 0 && !accumulate;
    t.a = a + k0 * lda;
    for (int64_t n = 0; n < columns; n += kNR<real>) {
      t.b = b + k0 * ldb + n;
      t.c = c + n;
      run_tile<Exact<real>>(rows, static_cast<int>(least(kNR<real>, columns - n)), t);
    }
  }
}

// Cache lines in one row of a panel.
template <class real>
static constexpr int64_t kLines = (kNR<real> + kLine<real> - 1) / kLine<real>;

template <class Operands, class real>
void gemm_tn(real* c, int64_t ldc, const real* a, int64_t lda, const real* b, int64_t ldb,
             int64_t K, int64_t m0, int64_t m1, int64_t n0, int64_t n1, bool accumulate,
             const int32_t* rows, real* scratch) {
  constexpr int64_t NR = kNR<real>, NC = kTnColumns<real>, per = Operands::per, KC = kTnKC * per;
  real* packed_b = scratch;               // [panels][elements of KC][NR]
  real* packed_a = scratch + kTnKC * NC;  // [elements of KC][block_stride]
  if (K == 0 && !accumulate) zero_rows(c + m0 * ldc + n0, ldc, m1 - m0, n1 - n0);
  // The last columns, fewer than a vector, are left for the loop below.
  if (!Operands::converts && m1 - m0 <= kMR && m1 > m0 && !rows) {
    const int64_t whole = (n1 - n0) / Vec<real>::lanes * Vec<real>::lanes;
    gemm_tn_direct(c + m0 * ldc + n0, ldc, a + m0, lda, b + n0, ldb, K, static_cast<int>(m1 - m0),
                   whole, accumulate);
    n0 += whole;
  }
  for (int64_t nb = n0; nb < n1; nb += NC) {
    const int64_t ne = least(n1, nb + NC);
    for (int64_t k0 = 0; k0 < K; k0 += KC) {
      const int64_t k_count = least(KC, K - k0);
      TileArgs<real> t{};
      t.ldc = ldc, t.a_row = 1;
      t.K = Operands::elements(k_count);
      t.fresh = k0 == 0 && !accumulate;
      for (int64_t n = nb; n < ne; n += NR) {
        const int64_t width = panel_width<real>(ne - n);
        Operands::rows(packed_b + (n - nb) * t.K, width, width, b + (rows ? 0 : k0 * ldb) + n, ldb,
                       k_count, least(NR, ne - n), rows ? rows + k0 : nullptr);
      }
      for (int64_t mb = m0; mb < m1; mb += kMC) {
        const int64_t me = least(m1, mb + kMC);
        t.a_step = block_stride<real>(me - mb);
        Operands::rows(packed_a, t.a_step, me - mb, a + (rows ? 0 : k0 * lda) + mb, lda, k_count,
                       me - mb, rows ? rows + k0 : nullptr);
        const bool more = k0 + KC < K;
        const int64_t next = !more ? 0 : rows ? rows[k0 + KC] : k0 + KC;  // row after this block
        for (int64_t n = nb; n < ne; n += NR) {
          t.b = packed_b + (n - nb) * t.K;
          t.b_step = panel_width<real>(ne - n);
          int64_t tiles = 0;
          for (int64_t m = mb; m < me; tiles++) {
            const int rows = tile_height(me - m);
            t.a = packed_a + (m - mb);
            t.c = c + m * ldc + n;
            // the column of a to fetch: its lines come after those of b
            const int64_t column = (tiles - kLines<real>)*kLine<real>;
            if (tiles < kLines<real>) {
              look_ahead(t, more, b + next * ldb + n + tiles * kLine<real>, ldb * per);
            } else {
              look_ahead(t, more && n == nb && mb + column < me, a + next * lda + mb + column,
                         lda * per);
            }
            run_tile<Operands>(rows, static_cast<int>(least(NR, ne - n)), t);
            m += rows;
          }
        }
      }
    }
  }
}

#define HS_INSTANTIATE(Operands, real)                                                        \
  template size_t packed_size<Operands>(int64_t, int64_t);                                    \
  template void pack<Operands>(real*, const real*, int64_t, bool, int64_t, int64_t, int64_t,  \
                               int64_t);                                                      \
  template void gemm<Operands>(real*, int64_t, const real*, int64_t, const real*, int64_t,    \
                               int64_t, int64_t, int64_t, int64_t, bool, const int32_t*);     \
  template void gemm_tn<Operands>(real*, int64_t, const real*, int64_t, const real*, int64_t, \
                                  int64_t, int64_t, int64_t, int64_t, int64_t, bool,          \
                                  const int32_t*, real*);
#if HS_EXACT
HS_INSTANTIATE(Exact<float>, float)
HS_INSTANTIATE(Exact<double>, double)
#endif
#if HS_BF16
HS_INSTANTIATE(Bf16, float)
#endif
#undef HS_INSTANTIATE

}  // namespace HS_ISA
}  // namespace hs
