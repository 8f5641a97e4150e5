// The shape of `maxout_dense`; its formulas stand in device/cpu/ops/maxout_dense.cc.
#pragma once
#include "ops/units.h"

namespace hs {

class MaxoutDenseShape : public UnitsShape {
 public:
  void declare(Declaration& d, const std::vector<Extent>& x, const Extent& y, bool) override {
    take_extent(x[0], y);
    W_ = d.param("W", {F_, D_, K_});
    if (bias_) b_ = d.param("b", {F_, K_});
    if (d.training()) z_ = d.saved("z", {F_, rows_, K_});
  }

 protected:
  MaxoutDenseShape(const Config& options, const OpContext& context)
      : UnitsShape(options, context), F_(options.integer("features")) {}

  int64_t F_;
  Tensor W_, b_;  // [F, D, K] [F, K]
  Tensor z_;      // [F, rows, K]; saved in training, else the device's
};

}  // namespace hs
