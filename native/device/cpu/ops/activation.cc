// y = a(x), elementwise, or softmax over the last axis. Keras 1.2.2 core.py:277-278.
#include <algorithm>

#include "device/cpu/ops/parts/activate.h"
#include "device/cpu/ops/parts/cpu_layer.h"
#include "device/cpu/ops/parts/matmul.h"
#include "ops/activation.h"

namespace hs {
namespace {

template <typename real>
class ActivationLayer final : public ActivationShape, public CpuLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  ActivationLayer(const Config& options, const OpContext& context, const Table<real>& k)
      : ActivationShape(options, context), CpuLayer<real>(k) {}

  void forward(Pass<real>& p) override {
    const int64_t K = p.y_extent.last(), rows = K ? p.y_extent.size() / K : 0;
    for_rows(rows, K, [&](int64_t r0, int64_t r1) {
      const int64_t at = r0 * K, n = (r1 - r0) * K;
      if (kind_ == Activation::kLinear) {
        if (p.y != p.x[0]) std::copy_n(p.x[0] + at, n, p.y + at);
      } else {
        activate(this->k, kind_, p.y + at, p.x[0] + at, r1 - r0, K);
      }
    });
  }

  void backward(Pass<real>& p) override {
    real* dx = p.dx[0];
    if (!dx) return;
    const int64_t n = p.y_extent.size(), K = p.y_extent.last();
    if (kind_ != Activation::kLinear) {
      const real* kept = slope_from_input(kind_) ? p.x[0] : p.y;
      for_rows(K ? n / K : 0, K, [&](int64_t r0, int64_t r1) {
        const int64_t at = r0 * K;
        slope(this->k, kind_, dx + at, kept + at, p.dy + at, r1 - r0, K);
      });
    } else if (dx != p.dy) {
      for_elements(n, [&](int64_t i, int64_t end) { std::copy_n(p.dy + i, end - i, dx + i); });
    }
  }
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_activation(const Config& options, const OpContext& context,
                                             const Table<real>& k) {
  return std::make_unique<ActivationLayer<real>>(options, context, k);
}

HS_REGISTER_LAYER(activation)

}  // namespace hs
