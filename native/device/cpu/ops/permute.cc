// y.dims[i] = x.dims[dims[i] - 1]: axes counted from 1, the batch axis stays. Keras 1.2.2
// core.py:442-443.
#include <algorithm>

#include "device/cpu/ops/parts/cpu_layer.h"
#include "device/cpu/ops/parts/matmul.h"
#include "ops/permute.h"

namespace hs {
namespace {

// Distance in memory between neighbours along each axis of dims, the last entry along the batch.
Dims strides_of(const Extent& e) {
  const int64_t axes = static_cast<int64_t>(e.dims.size());
  Dims s(static_cast<size_t>(axes + 1));
  int64_t step = 1;
  for (int64_t a = axes - 1; a >= 1; a--) s[a] = step, step *= e.dims[a];
  s[axes] = axes > 1 ? step : (axes ? e.dims[0] : 1);
  if (axes) s[0] = axes > 1 ? step * e.rows : 1;
  return s;
}

template <typename real>
class Permute final : public PermuteShape, public CpuLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  Permute(const Config& options, const OpContext& context, const Table<real>& k)
      : PermuteShape(options, context), CpuLayer<real>(k) {}

  void forward(Pass<real>& p) override {
    move(p, [&](int64_t i, int64_t j, int64_t n, int64_t step) {
      for (int64_t k = 0; k < n; k++) p.y[i + k] = p.x[0][j + k * step];
    });
  }

  void backward(Pass<real>& p) override {
    if (!p.dx[0]) return;
    move(p, [&](int64_t i, int64_t j, int64_t n, int64_t step) {
      for (int64_t k = 0; k < n; k++) p.dx[0][j + k * step] = p.dy[i + k];
    });
  }

 private:
  // run(i, j, n, step): n elements along y's last axis, from i on in y, from j on in x, `step`
  // apart there.
  template <typename Run>
  void move(const Pass<real>& p, const Run& run) const {
    const Extent& y = p.y_extent;
    const int64_t axes = static_cast<int64_t>(y.dims.size()), B = y.rows;
    if (axes == 0) {
      for (int64_t b = 0; b < B; b++) run(b, b, 1, 1);
      return;
    }
    const Dims sx = strides_of(p.x_extent[0]), sy = strides_of(y);
    const int64_t n = y.last(), runs = count(y.dims) / std::max<int64_t>(1, n);
    for_rows(B, count(y.dims), [&](int64_t b0, int64_t b1) {
      for (int64_t b = b0; b < b1; b++) {
        for (int64_t r = 0; r < runs; r++) {
          int64_t i = b * sy[axes], j = b * sx[axes];
          for (int64_t a = axes - 2, rest = r; a >= 0; a--) {
            const int64_t at = rest % y.dims[a];
            rest /= y.dims[a];
            i += at * sy[a], j += at * sx[axes_[a] - 1];
          }
          run(i, j, n, sx[axes_[axes - 1] - 1]);
        }
      }
    });
  }
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_permute(const Config& options, const OpContext& context,
                                          const Table<real>& k) {
  return std::make_unique<Permute<real>>(options, context, k);
}

HS_REGISTER_LAYER(permute)

}  // namespace hs
