// The shape of `maxout_dense`; its formulas stand in device/cpu/ops/maxout_dense.cc.
#pragma once
#include <algorithm>

#include "base/error.h"
#include "ops/op.h"

namespace hs {

class MaxoutDenseShape : public OpShape {
 public:
  Extent output(const std::vector<Extent>& x) const override {
    if (x[0].dims.empty()) fail(Code::kShape, where(), "input", "[B, ..., D]", x[0].text());
    Extent y = x[0];
    y.dims.back() = K_;
    return y;
  }

  void declare(Declaration& d, const std::vector<Extent>& x, const Extent& y, bool) override {
    D_ = x[0].last();
    rows_ = y.size() / std::max<int64_t>(1, K_);
    W_ = d.param("W", {F_, D_, K_});
    if (bias_) b_ = d.param("b", {F_, K_});
    if (d.training()) z_ = d.saved("z", {F_, rows_, K_});
  }

 protected:
  MaxoutDenseShape(const Config& options, const OpContext& context)
      : OpShape(context),
        K_(options.integer("units")),
        F_(options.integer("features")),
        bias_(options.on("bias", true)) {}

  int64_t K_, F_;
  bool bias_;
  int64_t D_ = 0, rows_ = 0;
  Tensor W_, b_;  // [F, D, K] [F, K]
  Tensor z_;      // [F, rows, K]; saved in training, else the device's
};

}  // namespace hs
