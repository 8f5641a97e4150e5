#include "device/cuda/cuda.h"
#include "device/cuda/nodes/run.h"
#include "device/cuda/ops/parts/rows.h"
#include "ops/scan_backward.h"
#include "ops/scan_forward.h"

namespace hs {

// What ScanRun asks of a card beside its nodes (ops/scan_run.h).
inline int row_threads(const CardQueue*) { return 0; }  // a launch is of the whole batch
inline int64_t rows_together(const CardQueue*) { return 1; }
template <typename Fn>
void each_of(CardQueue*, int64_t n, int, const Fn& fn) {
  for (int64_t i = 0; i < n; i++) fn(i, 0);
}
template <typename real>
void commit_numbers(CardQueue* q, real* to, const real* from, int64_t n, const double* finite) {
  q->launch("commit", CommitArgs<real>{n, to, from, finite});
}
// A card packs nothing.
inline int64_t packed_size(const CardQueue*, int64_t, int64_t) { return 0; }
template <typename real>
void pack(CardQueue*, real*, const real*, int64_t, bool, int64_t, int64_t) {}

// Rows that lie backwards are the same rows.
template <typename real>
const real* from_first(const real* x, int64_t& ldx, int64_t rows) {
  if (ldx >= 0) return x;
  const real* const first = x + (rows - 1) * ldx;
  ldx = -ldx;
  return first;
}
// c [M, N] (+)= a^T b over rows of a [rows, M] and b [rows, N].
template <typename real>
void matmul_tn(CardQueue* q, real* c, int64_t ldc, const real* a, int64_t lda, const real* b,
               int64_t ldb, int64_t rows, int64_t M, int64_t N, bool adds, real*, int64_t) {
  a = from_first(a, lda, rows), b = from_first(b, ldb, rows);
  q->multiply(c, ldc, {a, lda, true}, {b, ldb}, M, N, rows, adds);
}
template <typename real>
void sum_columns(CardQueue* q, real* sums, const real* x, int64_t ldx, int64_t rows, int64_t K,
                 bool adds) {
  x = from_first(x, ldx, rows);
  row_sums(*q, sums, x, ldx, rows, K, adds);
}

template <typename real>
std::unique_ptr<Layer<real>> make_cuda_scan(const Config& options, const OpContext& context,
                                            CardQueue& queue) {
  return std::make_unique<ScanRun<real, CudaLayer<real>>>(options, context, queue);
}

HS_REGISTER_CUDA_LAYER(scan)

}  // namespace hs
