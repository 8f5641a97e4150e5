// The shape of `highway`; its formulas stand in device/cpu/ops/highway.cc.
#pragma once
#include <algorithm>
#include <string>

#include "base/error.h"
#include "ops/op.h"
#include "ops/row_activation.h"

namespace hs {

class HighwayShape : public OpShape {
 public:
  Extent output(const std::vector<Extent>& x) const override {
    if (x[0].dims.empty()) fail(Code::kShape, where(), "input", "[B, ..., D]", x[0].text());
    return x[0];
  }

  void declare(Declaration& d, const std::vector<Extent>&, const Extent& y, bool) override {
    D_ = y.last();
    rows_ = y.size() / std::max<int64_t>(1, D_);
    declare(d, h_, "W", "b", "h");
    declare(d, t_, "W_carry", "b_carry", "t");
  }

 protected:
  HighwayShape(const Config& options, const OpContext& context)
      : OpShape(context),
        bias_(options.on("bias", true)),
        h_{RowActivation(options.str("activation", "linear"))},
        t_{RowActivation(Activation::kSigmoid)} {}

  struct Half {  // one of the two products
    RowActivation activation;
    Tensor W{}, b{};    // [D, D] [D]
    Tensor out{};       // [rows, D]; saved in training, else the device's
    Tensor packed_W{};  // the device's
  };

  void declare(Declaration& d, Half& half, const char* W, const char* b, const char* out) const {
    half.W = d.param(W, {D_, D_});
    if (bias_) half.b = d.param(b, {D_});
    if (d.training()) half.out = d.saved(out, {rows_, D_});
    half.activation.declare(d, rows_, D_);
  }

  bool bias_;
  int64_t D_ = 0, rows_ = 0;
  Half h_, t_;
};

}  // namespace hs
