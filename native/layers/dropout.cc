// y = x * m in training, m = 0 with probability p, else 1 / (1 - p); y = x otherwise. Keras 1.2.2 core.py:105-112: active only
// for 0 < p < 1, so that p = 1 does nothing.
#include <algorithm>

#include "layers/layer.h"
#include "layers/matmul.h"

namespace hs {
namespace {

template <typename real>
class Dropout final : public Layer<real> {
 public:
  explicit Dropout(const Config& options) : p_(options.num("p")) {}

  Extent output(const std::vector<Extent>& x) const override { return x[0]; }

  void declare(Declaration& d, const std::vector<Extent>&, const Extent& y, bool) override {
    drops_ = d.training() && p_ > 0 && p_ < 1;
    if (drops_) {
      mask_ = d.saved("dropout", {y.size()});
    } else {
      d.output_is_input();
    }
  }

  void forward(Pass<real>& p) override {
    const int64_t n = p.y_extent.size();
    if (!active(p)) {
      if (p.y != p.x[0]) std::copy_n(p.x[0], n, p.y);
      return;
    }
    real* mask = p.at(mask_);  // of x's memory order
    dropout_mask(mask, n, p_, p.dropout, this->stream * 16);
    for_elements(n, [&](int64_t i, int64_t end) { p.k->multiply(p.y + i, p.x[0] + i, mask + i, end - i); });
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
    for_elements(n, [&](int64_t i, int64_t end) { p.k->multiply(dx + i, p.dy + i, mask + i, end - i); });
  }

 private:
  bool active(const Pass<real>& p) const { return drops_ && p.training; }

  double p_;
  bool drops_ = false;
  Tensor mask_;
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_dropout(const Config& options) {
  return std::make_unique<Dropout<real>>(options);
}

HS_REGISTER_LAYER(dropout)

}  // namespace hs
