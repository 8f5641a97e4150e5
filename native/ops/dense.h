// The shape of `dense`; its formulas stand in device/cpu/ops/dense.cc.
#pragma once
#include "ops/row_activation.h"
#include "ops/units.h"

namespace hs {

class DenseShape : public UnitsShape {
 public:
  void declare(Declaration& d, const std::vector<Extent>& x, const Extent& y, bool) override {
    take_extent(x[0], y);
    W_ = d.param("W", {D_, K_});
    if (bias_) b_ = d.param("b", {K_});
    activation_.declare(d, rows_, K_);
  }

 protected:
  DenseShape(const Config& options, const OpContext& context)
      : UnitsShape(options, context), activation_(options.str("activation", "linear")) {}

  RowActivation activation_;
  Tensor W_, b_;  // [D, K] [K]
};

}  // namespace hs
