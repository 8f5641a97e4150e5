// y[t] = x[T-1-t], all steps, masked or not: what Bidirectional does to its backward half (Keras
// 1.2.2 wrappers.py:201-214).
#include <algorithm>

#include "device/cpu/ops/parts/cpu_layer.h"
#include "device/cpu/ops/parts/matmul.h"
#include "ops/reverse.h"

namespace hs {
namespace {

template <typename real>
class Reverse final : public ReverseShape, public CpuLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  Reverse(const Config& options, const OpContext& context, const Table<real>& k)
      : ReverseShape(options, context), CpuLayer<real>(k) {}

  void forward(Pass<real>& p) override { flip(p.y, p.x[0], p.x_extent[0]); }

  void backward(Pass<real>& p) override {
    if (p.dx[0]) flip(p.dx[0], p.dy, p.x_extent[0]);
  }

 private:
  static void flip(real* to, const real* from, const Extent& e) {
    const int64_t T = e.steps(), step = e.size() / std::max<int64_t>(1, T);
    for_rows(T, step, [&](int64_t t0, int64_t t1) {
      for (int64_t t = t0; t < t1; t++) std::copy_n(from + (T - 1 - t) * step, step, to + t * step);
    });
  }
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_reverse(const Config& options, const OpContext& context,
                                          const Table<real>& k) {
  return std::make_unique<Reverse<real>>(options, context, k);
}

HS_REGISTER_LAYER(reverse)

}  // namespace hs
