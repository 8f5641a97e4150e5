// The products of layers, over the threads: a kernel of Table computes one tile, this file says
// which tiles there are. An element of a product is one chain of multiply-adds whatever the tiles
// (kernels/table.h), so its bits do not depend on the number of threads; sums over rows go through
// fixed blocks for the same reason.
//
//   in prepare:   packed_W_ = d.packed("W", {packed_size(this->k, D, K)});
//                 gemm_scratch_ = d.scratch("gemm", {matmul_tn_scratch(this->k)});
//   in forward:   if (p.repack) pack(this->k, p.at(packed_W_), W, K, false, D, K);
//                 matmul(this->k, y, K, x, D, p.at(packed_W_), rows, K, D, false);
//   in backward:  matmul_tn(this->k, dW, K, x, D, dy, K, rows, D, K, false, p.at(gemm_scratch_),
//                           gemm_scratch_.size);
#pragma once
#include <algorithm>
#include <atomic>
#include <functional>
#include <string>

#include "base/error.h"
#include "device/cpu/kernels/table.h"
#include "device/cpu/threads/chunks.h"
#include "device/cpu/threads/parallel.h"

namespace hs {

// Below this much work (about 50 us of one core) waking other threads costs more than it brings.
constexpr double kParallelFlops = 2e6;
constexpr int64_t kAlignElements = 16;  // 64 bytes of float, 128 of double

// Elements of a packed right-hand side [K, N].
template <typename real>
int64_t packed_size(const Table<real>* k, int64_t K, int64_t N) {
  return static_cast<int64_t>(k->packed_size(K, N));
}

// packed <- op(b): b is [K, N] with row stride ldb, or, if transposed, [N, K] with row stride ldb.
template <typename real>
void pack(const Table<real>* k, real* packed, const real* b, int64_t ldb, bool transposed,
          int64_t K, int64_t N) {
  for_chunks(N, k->gemm_nr, K,
             [&](int64_t n0, int64_t n1) { k->pack(packed, b, ldb, transposed, K, N, n0, n1); });
}

// c[M, N] = (accumulate ? c : 0) + a[M, K] * packed[K, N]; c has row stride ldc, a lda. which [M]:
// these rows of both; nullptr: 0..M-1.
template <typename real>
void matmul(const Table<real>* k, real* c, int64_t ldc, const real* a, int64_t lda,
            const real* packed, int64_t M, int64_t N, int64_t K, bool accumulate,
            const int32_t* which = nullptr) {
  if (M == 0 || N == 0) return;
  if (threads() == 1 || 2.0 * double(M) * double(N) * double(K) < kParallelFlops) {
    k->gemm(c, ldc, a, lda, packed, M, N, K, 0, N, accumulate, which);
    return;
  }
  // Few rows (a small batch, one step): share the columns as well.
  const int64_t tile_m = round_up(96, k->gemm_mr), rows = tiles_of(M, tile_m);
  const int64_t tile_n = rows >= 4 ? N : round_up(128, k->gemm_nr), columns = tiles_of(N, tile_n);
  parallel_for(rows * columns, [&](int64_t tile, int) {
    const int64_t m0 = tile / columns * tile_m, n0 = tile % columns * tile_n;
    const int64_t skip = which ? 0 : m0;
    k->gemm(c + skip * ldc, ldc, a + skip * lda, lda, packed, std::min(tile_m, M - m0), N, K, n0,
            std::min(N, n0 + tile_n), accumulate, which ? which + m0 : nullptr);
  });
}

// Elements of scratch that matmul_tn needs for one worker.
template <typename real>
int64_t matmul_tn_scratch_each(const Table<real>* k) {
  return round_up(std::max<int64_t>(1, static_cast<int64_t>(k->gemm_tn_scratch)), kAlignElements);
}
// The same for as many workers as there may be now.
template <typename real>
int64_t matmul_tn_scratch(const Table<real>* k) {
  return threads() * matmul_tn_scratch_each(k);
}

// c[M, N] = (accumulate ? c : 0) + a^T b, a [K, M], b [K, N]: weight gradients, K = T*B. which [K]:
// these rows of both, in this order; nullptr: 0..K-1. An element is one chain over k, which goes on
// from part to part (Products::gemm_k). With negative row strides lda and ldb it runs from the last
// row, which a and b point to then, to the first. scratch: scratch_size elements; as many workers
// take part as it has room for, so a plan laid out for fewer threads stays valid.
template <typename real>
void matmul_tn(const Table<real>* k, real* c, int64_t ldc, const real* a, int64_t lda,
               const real* b, int64_t ldb, int64_t K, int64_t M, int64_t N, bool accumulate,
               real* scratch, int64_t scratch_size, const int32_t* which = nullptr) {
  if (M == 0 || N == 0) return;
  const int64_t each = matmul_tn_scratch_each(k);
  const int workers = static_cast<int>(std::min<int64_t>(threads(), scratch_size / each));
  if (workers < 1) {
    fail(Code::kInternal, "matmul_tn", "scratch", std::to_string(each) + " elements a worker",
         std::to_string(scratch_size));
  }
  if (workers == 1 || 2.0 * double(M) * double(N) * double(K) < kParallelFlops) {
    k->gemm_tn(c, ldc, a, lda, b, ldb, K, 0, M, 0, N, accumulate, which, scratch);
    return;
  }
  // Large tiles repay the packing of their operands; small ones only where there would be too few
  // to share.
  int64_t tile_m = round_up(192, k->gemm_mr), tile_n = round_up(256, k->gemm_nr);
  if (tiles_of(M, tile_m) * tiles_of(N, tile_n) < 4 * workers) {
    tile_m = round_up(64, k->gemm_mr), tile_n = round_up(128, k->gemm_nr);
  }
  const int64_t rows = tiles_of(M, tile_m), columns = tiles_of(N, tile_n);
  std::atomic<int64_t> next{0};
  parallel_region(workers, [&](int worker) {
    for (int64_t tile; (tile = next.fetch_add(1)) < rows * columns;) {
      const int64_t m0 = tile / columns * tile_m, n0 = tile % columns * tile_n;
      k->gemm_tn(c, ldc, a, lda, b, ldb, K, m0, std::min(M, m0 + tile_m), n0,
                 std::min(N, n0 + tile_n), accumulate, which, scratch + worker * each);
    }
  });
}

// Rows of one block of row_sums: the order of summation is fixed by it.
constexpr int64_t kSumRows = 256;

// Elements of scratch that row_sums needs.
inline int64_t row_sums_scratch(int64_t rows, int64_t K) {
  return std::max<int64_t>(1, tiles_of(rows, kSumRows) * K);
}

// s[K] = sum over the rows of x[rows, K]: bias gradients. Blocks of kSumRows rows in order, then
// the blocks in order.
template <typename real>
void row_sums(const Table<real>* k, real* s, const real* x, int64_t rows, int64_t K,
              real* scratch) {
  const int64_t blocks = tiles_of(rows, kSumRows);
  if (blocks <= 1) {
    k->column_sums(s, x, K, rows, K, false);
    return;
  }
  for_chunks(blocks, 1, kSumRows * K, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      k->column_sums(scratch + i * K, x + i * kSumRows * K, K,
                     std::min(kSumRows, rows - i * kSumRows), K, false);
    }
  });
  k->column_sums(s, scratch, K, blocks, K, false);
}

}  // namespace hs
