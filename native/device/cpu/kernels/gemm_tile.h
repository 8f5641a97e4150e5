// The register tile of every product, and how a right-hand side is packed for it.
//
// Packed right-hand side [K, N]: panels of kNR columns, [N / kNR][K][kNR]; the last panel is as
// wide as its columns need, rounded up to whole vectors and filled with zeros. Left-hand sides are
// read element by element (broadcast): where they are, or, if operands are converted, from a block
// copied to the stack. K counts elements here (operands.h).
#pragma once
#include "device/cpu/kernels/entries.h"
#include "device/cpu/kernels/operands.h"

namespace hs {
namespace HS_ISA {

// 32 registers: 6 x 4 vectors = 24 accumulators, 4 of B, 1 of A. 16 registers: 6 x 2 = 12, 2, 1.
static constexpr int kMR = 6;
template <class real>
static constexpr int kNV = Vec<real>::registers >= 32 ? 4 : 2;
template <class real>
static constexpr int kNR = kNV<real> * Vec<real>::lanes;

// rows of B that one pass takes: kKC * kNR floats are 64 KB, streamed from L2
static constexpr int64_t kKC = 256;
// rows of A that share a panel while it is near: a multiple of kMR
static constexpr int64_t kMC = 96;
// rows of A in a converted block: 48 KB, for a thread may have 128 KB of stack (musl)
static constexpr int64_t kConverted = 48;
static constexpr int64_t kNear = 1 << 20;  // bytes of B that, as is assumed, stay in L2
template <class real>
static constexpr int64_t kLine = 64 / sizeof(real);  // elements of a cache line
template <class real>
static constexpr int64_t kTnColumns = 4 * kNR<real>;  // columns of B that gemm_tn packs at a time
// k that gemm_tn takes at a time: a panel of B stays in L1 beside lines of A
static constexpr int64_t kTnKC = 128;
template <class real>
static constexpr size_t kTnScratch = kTnKC * (kTnColumns<real> + kMC + kLine<real>);

// A tile of c: MR x NV vectors, the last vector `last` lanes wide. Each element is one chain of
// multiply-adds over rising k, starting at c, or at 0 if `fresh`.
template <class real>
struct TileArgs {
  real* c;  // [MR, NV*lanes]
  int64_t ldc;
  const real* a;  // element (i, k) at a[row(i) * a_row + k * a_step]
  int64_t a_row, a_step;
  const int32_t* rows;  // [MR] row(i) of c, and of an a that is read in place; nullptr: i
  const real* b;        // [K, NV*lanes], row stride b_step
  int64_t b_step;
  int64_t K;
  int last;
  bool fresh;
  // With each k the cache line at `ahead` is fetched, for the tiles that follow, and `ahead` moves
  // on by ahead_step elements; 0: nothing is fetched.
  const real* ahead;
  int64_t ahead_step;
};

template <class Operands, int MR, int NV>
static void tile(const TileArgs<typename Operands::real>& t) {
  using real = typename Operands::real;
  using V = Vec<real>;
  constexpr int L = V::lanes;
  V acc[MR][NV];
  const bool whole = t.last == L;
  int64_t a_at[MR];
  real* c_at[MR];  // [NV*lanes] each
#pragma GCC unroll 8
  for (int i = 0; i < MR; i++) {
    const int64_t row = t.rows ? t.rows[i] : i;
    a_at[i] = (Operands::converts ? i : row) * t.a_row;
    c_at[i] = t.c + row * t.ldc;
  }
  if (t.fresh) {
#pragma GCC unroll 8
    for (int i = 0; i < MR; i++)
#pragma GCC unroll 8
      for (int j = 0; j < NV; j++) acc[i][j] = V::zero();
  } else {
#pragma GCC unroll 8
    for (int i = 0; i < MR; i++)
#pragma GCC unroll 8
      for (int j = 0; j < NV; j++) {
        const real* c = c_at[i] + j * L;
        acc[i][j] = j < NV - 1 || whole ? V::load(c) : V::load_n(c, t.last);
      }
  }
  if (!t.rows)  // the c of the next tile: nothing else makes a tile wait
    for (int i = 0; i < MR; i++)
      for (int j = 0; j < NV; j++) prefetch_near(c_at[i] + MR * t.ldc + j * L);
  const real *a = t.a, *b = t.b;
  const int64_t a_step = t.a_step, b_step = t.b_step, ahead_step = t.ahead_step;
  const real* ahead = t.ahead;
  for (int64_t k = t.K; k > 0; k--) {
    V bk[NV];
#pragma GCC unroll 8
    for (int j = 0; j < NV; j++) bk[j] = V::load(b + j * L);
#pragma GCC unroll 8
    for (int i = 0; i < MR; i++) {
      V aik = V::set1(a[a_at[i]]);
#pragma GCC unroll 8
      for (int j = 0; j < NV; j++) acc[i][j] = Operands::multiply_add(aik, bk[j], acc[i][j]);
    }
    if (ahead_step != 0) prefetch(ahead);
    ahead += ahead_step;
    a += a_step;
    b += b_step;
  }
#pragma GCC unroll 8
  for (int i = 0; i < MR; i++)
#pragma GCC unroll 8
    for (int j = 0; j < NV; j++) {
      real* c = c_at[i] + j * L;
      if (j < NV - 1 || whole) {
        acc[i][j].store(c);
      } else {
        acc[i][j].store_n(c, t.last);
      }
    }
}

template <class Operands, int NV>
static void tile_rows(int rows, const TileArgs<typename Operands::real>& t) {
  switch (rows) {
    case 1: return tile<Operands, 1, NV>(t);
    case 2: return tile<Operands, 2, NV>(t);
    case 3: return tile<Operands, 3, NV>(t);
    case 4: return tile<Operands, 4, NV>(t);
    case 5: return tile<Operands, 5, NV>(t);
    default: return tile<Operands, 6, NV>(t);
  }
}

// rows in [1, kMR], columns in [1, kNR].
template <class Operands>
static void run_tile(int rows, int columns, TileArgs<typename Operands::real>& t) {
  using real = typename Operands::real;
  constexpr int L = Vec<real>::lanes;
  const int vectors = (columns + L - 1) / L;
  t.last = columns - (vectors - 1) * L;
  if constexpr (kNV<real> == 4) {
    if (vectors == 4) return tile_rows<Operands, 4>(rows, t);
    if (vectors == 3) return tile_rows<Operands, 3>(rows, t);
  }
  if (vectors == 2) return tile_rows<Operands, 2>(rows, t);
  tile_rows<Operands, 1>(rows, t);
}

// Rows are shared out evenly: 32 rows go as 6 6 5 5 5 5, not as five sixes and a slow two.
static inline int tile_height(int64_t rows_left) {
  const int64_t tiles = (rows_left + kMR - 1) / kMR;
  return static_cast<int>((rows_left + tiles - 1) / tiles);
}

template <class real>
static inline int64_t panel_width(int64_t columns) {
  constexpr int64_t L = Vec<real>::lanes, NR = kNR<real>;
  return columns >= NR ? NR : (columns + L - 1) / L * L;
}

}  // namespace HS_ISA
}  // namespace hs
