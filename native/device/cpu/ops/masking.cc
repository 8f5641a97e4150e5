// A step is masked if ALL its features equal maskValue; masked steps become 0. Keras 1.2.2
// core.py:58-64.
//   mask[t, b] = any(x[t, b, :] != maskValue)   y = x * mask   dx = dy * mask
#include <algorithm>

#include "device/cpu/ops/parts/cpu_layer.h"
#include "device/cpu/ops/parts/matmul.h"
#include "ops/masking.h"

namespace hs {
namespace {

template <typename real>
class Masking final : public MaskingShape, public CpuLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  Masking(const Config& options, const OpContext& context, const Table<real>& k)
      : MaskingShape(options, context), CpuLayer<real>(k) {}

  void forward(Pass<real>& p) override { each_step(p, p.x[0], p.y, p.mask_out); }

  void backward(Pass<real>& p) override {
    if (p.dx[0]) each_step(p, p.dy, p.dx[0], nullptr);
  }

 private:
  // to = from where the step is real, else 0; the mask is made again from x, which stays until
  // backward.
  void each_step(const Pass<real>& p, const real* from, real* to, real* mask) const {
    const real value = static_cast<real>(value_);
    const int64_t D = p.x_extent[0].last(), steps = p.x_extent[0].steps() * p.x_extent[0].rows;
    for_rows(steps, D, [&](int64_t s0, int64_t s1) {
      for (int64_t s = s0; s < s1; s++) {
        const real* x = p.x[0] + s * D;  // [D]
        const bool is_real = std::any_of(x, x + D, [&](real v) { return v != value; });
        if (mask) mask[s] = is_real ? real(1) : real(0);
        if (is_real) {
          std::copy_n(from + s * D, D, to + s * D);
        } else {
          std::fill_n(to + s * D, D, real(0));
        }
      }
    });
  }
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_masking(const Config& options, const OpContext& context,
                                          const Table<real>& k) {
  return std::make_unique<Masking<real>>(options, context, k);
}

HS_REGISTER_LAYER(masking)

}  // namespace hs
