#include "device/cpu/nodes/broadcast.h"
#include "device/cpu/nodes/run.h"
#include "device/cpu/ops/parts/cpu_layer.h"
#include "device/cpu/ops/parts/matmul.h"
#include "ops/scan_backward.h"
#include "ops/scan_forward.h"

namespace hs {

// What ScanRun asks of the CPU beside its nodes (ops/scan_run.h).
template <typename real>
int row_threads(const Table<real>*) {
  return threads();
}
template <typename real>
int64_t rows_together(const Table<real>* k) {
  return k->gemm_k;
}
template <typename real, typename Fn>
void each_of(const Table<real>*, int64_t n, int most, const Fn& fn) {
  const int workers = std::min(threads(), most);
  if (workers <= 1) {
    for (int64_t i = 0; i < n; i++) fn(i, 0);
    return;
  }
  std::atomic<int64_t> next{0};
  parallel_region(workers, [&](int worker) {
    for (int64_t i; (i = next.fetch_add(1)) < n;) fn(i, worker);
  });
}
template <typename real>
void commit_numbers(const Table<real>*, real* to, const real* from, int64_t n,
                    const double* finite) {
  if (!finite || *finite != 0) std::copy_n(from, n, to);
}

template <typename real>
std::unique_ptr<Layer<real>> make_scan(const Config& options, const OpContext& context,
                                       const Table<real>& k) {
  return std::make_unique<ScanRun<real, CpuLayer<real>>>(options, context, k);
}

HS_REGISTER_LAYER(scan)

}  // namespace hs
