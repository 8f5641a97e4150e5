// The shape of `dense`; its formulas stand in device/cpu/ops/dense.cc.
#pragma once
#include <algorithm>

#include "base/error.h"
#include "ops/op.h"
#include "ops/row_activation.h"

namespace hs {

class DenseShape : public OpShape {
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
    W_ = d.param("W", {D_, K_});
    if (bias_) b_ = d.param("b", {K_});
    activation_.declare(d, rows_, K_);
  }

 protected:
  DenseShape(const Config& options, const OpContext& context)
      : OpShape(context),
        K_(options.integer("units")),
        activation_(options.str("activation", "linear")),
        bias_(options.on("bias", true)) {}

  int64_t K_;
  RowActivation activation_;
  bool bias_;
  int64_t D_ = 0, rows_ = 0;
  Tensor W_, b_;  // [D, K] [K]
};

}  // namespace hs
