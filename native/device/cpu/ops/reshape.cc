// The same numbers in the same batch-major order under another shape. Keras 1.2.2 core.py:376-390
// (Reshape), :482-483 (Flatten). Element j of a sample lies at ((j / inner) * B + b) * inner + j %
// inner, inner = count / dims[0], if there are several axes; at b * count + j if there is one.
// Where both shapes have the same inner the memory is the same.
#include <algorithm>

#include "base/arena.h"
#include "device/cpu/ops/parts/cpu_layer.h"
#include "device/cpu/ops/parts/matmul.h"
#include "ops/reshape.h"

namespace hs {
namespace {

// to (shape `to_e`) = from (shape `from_e`), batch-major order kept.
template <typename real>
void reorder(real* to, const Extent& to_e, const real* from, const Extent& from_e) {
  const int64_t B = to_e.rows, n = count(to_e.dims), to_run = run_of(to_e),
                from_run = run_of(from_e);
  for_rows(B, n, [&](int64_t b0, int64_t b1) {
    for (int64_t b = b0; b < b1; b++) {
      for (int64_t j = 0; j < n;) {
        const int64_t i = j % to_run, k = j % from_run, length = std::min(to_run - i, from_run - k);
        std::copy_n(from + (j / from_run * B + b) * from_run + k, length,
                    to + (j / to_run * B + b) * to_run + i);
        j += length;
      }
    }
  });
}

template <typename real>
class Reshape final : public ReshapeShape, public CpuLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  Reshape(const Config& options, const OpContext& context, const Table<real>& k)
      : ReshapeShape(options, context), CpuLayer<real>(k) {}

  void forward(Pass<real>& p) override {
    if (!same_) {
      reorder(p.y, p.y_extent, p.x[0], p.x_extent[0]);
    } else if (p.y != p.x[0]) {
      std::copy_n(p.x[0], p.y_extent.size(), p.y);
    }
  }

  void backward(Pass<real>& p) override {
    if (!p.dx[0]) return;
    if (!same_) {
      reorder(p.dx[0], p.x_extent[0], p.dy, p.y_extent);
    } else if (p.dx[0] != p.dy) {
      std::copy_n(p.dy, p.y_extent.size(), p.dx[0]);
    }
  }
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_reshape(const Config& options, const OpContext& context,
                                          const Table<real>& k) {
  return std::make_unique<Reshape<real>>(options, context, k);
}

HS_REGISTER_LAYER(reshape)

}  // namespace hs
