// The shape of `activation`; its formulas stand in device/cpu/ops/activation.cc.
#pragma once
#include "ops/activation_name.h"
#include "ops/op.h"

namespace hs {

class ActivationShape : public OpShape {
 public:
  Extent output(const std::vector<Extent>& x) const override { return x[0]; }

  void declare(Declaration& d, const std::vector<Extent>&, const Extent&, bool) override {
    if (kind_ == Activation::kLinear) d.output_is_input();
  }

 protected:
  ActivationShape(const Config& options, const OpContext& context)
      : OpShape(context), kind_(activation_of(options.str("activation"))) {}

  Activation kind_;
};

}  // namespace hs
