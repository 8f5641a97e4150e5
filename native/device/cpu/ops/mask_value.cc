// The mask of a sequence as a value, so that other ops may join masks: y[t, b] = m[t, b], or 1
// where there is none. Nothing depends on x but the number of steps: dx = 0. `masking` makes a mask
// of it again.
#include <algorithm>

#include "device/cpu/ops/parts/cpu_layer.h"
#include "ops/mask_value.h"

namespace hs {
namespace {

template <typename real>
class MaskValue final : public MaskValueShape, public CpuLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  MaskValue(const Config& options, const OpContext& context, const Table<real>& k)
      : MaskValueShape(options, context), CpuLayer<real>(k) {}

  void forward(Pass<real>& p) override {
    const int64_t n = p.y_extent.size();  // T * B
    if (p.mask) {
      std::copy_n(p.mask, n, p.y);
    } else {
      std::fill_n(p.y, n, real(1));
    }
  }

  void backward(Pass<real>& p) override {
    if (p.dx[0]) std::fill_n(p.dx[0], p.x_extent[0].size(), real(0));
  }
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_mask_value(const Config& options, const OpContext& context,
                                             const Table<real>& k) {
  return std::make_unique<MaskValue<real>>(options, context, k);
}

HS_REGISTER_LAYER(mask_value)

}  // namespace hs
