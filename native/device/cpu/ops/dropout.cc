// y = x * m in training, m = 0 with probability p, else 1 / (1 - p); y = x otherwise. Keras 1.2.2
// core.py:105-112: active only for 0 < p < 1, so that p = 1 does nothing. `shared` (Keras'
// noise_shape): 1 for every axis, the batch first, along which one number serves all; `seed`: draws
// of the layer's own instead of the model's.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "device/cpu/ops/parts/cpu_layer.h"
#include "device/cpu/ops/parts/matmul.h"
#include "device/cpu/rng.h"
#include "ops/dropout.h"

namespace hs {
namespace {

template <typename real>
class Dropout final : public DropoutShape, public CpuLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  Dropout(const Config& options, const OpContext& context, const Table<real>& k)
      : DropoutShape(options, context), CpuLayer<real>(k) {}

  void prepare(Declaration& d) override {
    if (drops_ && !shared_.empty()) drawn_ = d.scratch("drawn", {drawn_size_});
  }

  void forward(Pass<real>& p) override {
    const int64_t n = p.y_extent.size();
    if (!active(p)) {
      if (p.y != p.x[0]) std::copy_n(p.x[0], n, p.y);
      return;
    }
    real* mask = p.at(mask_);  // of x's memory order
    DropoutKey key = p.dropout;
    if (seeded_) key.seed = static_cast<uint64_t>(seed_);
    const int64_t B = p.y_extent.rows, T = p.y_extent.steps();
    if (shared_.empty()) {
      dropout_mask(mask, T, B, n / (T * B), p_, key, stream() * 16);
    } else {
      const int64_t outer = p.y_extent.sequence() && !shared_[1] ? T : 1;
      if (shared_[0]) key.whole = 0;  // the same for all samples
      dropout_mask(p.at(drawn_), outer, shared_[0] ? 1 : B,
                   drawn_.size / outer / (shared_[0] ? 1 : B), p_, key, stream() * 16);
      spread(mask, p.at(drawn_), p.y_extent);
    }
    for_elements(n, [&](int64_t i, int64_t end) {
      this->k->multiply(p.y + i, p.x[0] + i, mask + i, end - i);
    });
  }

  void backward(Pass<real>& p) override {
    real* dx = p.dx[0];
    if (!dx) return;
    const int64_t n = p.y_extent.size();
    if (!active(p)) {
      if (dx != p.dy) std::copy_n(p.dy, n, dx);
      return;
    }
    const real* mask = p.at(mask_);
    for_elements(
        n, [&](int64_t i, int64_t end) { this->k->multiply(dx + i, p.dy + i, mask + i, end - i); });
  }

 private:
  bool active(const Pass<real>& p) const { return drops_ && p.training; }

  // mask[i] = the drawn number that serves element i
  void spread(real* mask, const real* drawn, const Extent& e) const {
    const std::vector<Axis> list = axes(e);
    for (int64_t i = 0; i < e.size(); i++) {
      int64_t at = 0, step = 1, rest = i;
      for (size_t a = list.size(); a-- > 0; rest /= list[a].extent) {
        if (list[a].shared) continue;
        at += rest % list[a].extent * step;
        step *= list[a].extent;
      }
      mask[i] = drawn[at];
    }
  }

  Tensor drawn_;  // [drawn_size_]
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_dropout(const Config& options, const OpContext& context,
                                          const Table<real>& k) {
  return std::make_unique<Dropout<real>>(options, context, k);
}

HS_REGISTER_LAYER(dropout)

}  // namespace hs
