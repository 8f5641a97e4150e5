// The shape of `noise`; its formulas stand in device/cpu/ops/noise.cc.
#pragma once
#include "ops/op.h"

namespace hs {

class NoiseShape : public OpShape {
 public:
  Extent output(const std::vector<Extent>& x) const override { return x[0]; }

  void declare(Declaration& d, const std::vector<Extent>&, const Extent& y, bool) override {
    draws_ = d.training() && sigma_ != 0;
    if (!draws_) {
      d.output_is_input();
    } else if (multiplies_) {
      noise_ = d.saved("noise", {y.size()});
    }
    size_ = y.size();
  }

 protected:
  NoiseShape(const Config& options, const OpContext& context)
      : OpShape(context),
        sigma_(options.num("sigma")),
        multiplies_(options.on("multiply", false)) {}

  double sigma_;
  bool multiplies_, draws_ = false;
  int64_t size_ = 0;
  Tensor noise_;  // [size]; saved if it multiplies, else the device's
};

}  // namespace hs
