// The shape of `embedding`; its formulas stand in device/cpu/ops/embedding.cc.
#pragma once
#include "base/error.h"
#include "ops/op.h"

namespace hs {

class EmbeddingShape : public OpShape {
 public:
  Extent output(const std::vector<Extent>& x) const override {
    if (x[0].dims.size() != 1) fail(Code::kShape, where(), "input", "[B, T]", x[0].text());
    return {x[0].rows, {x[0].dims[0], D_}};
  }

  void declare(Declaration& d, const std::vector<Extent>&, const Extent&, bool) override {
    W_ = d.param_by_rows("W", {V_, D_}, &rows_);
    drops_ = d.training() && p_ > 0 && p_ < 1;
    if (drops_) factor_ = d.saved("dropout", {V_});
  }

 protected:
  EmbeddingShape(const Config& options, const OpContext& context)
      : OpShape(context),
        V_(options.integer("inputDim")),
        D_(options.integer("outputDim")),
        p_(options.num("dropout", 0)) {}

  int64_t V_, D_;
  double p_;
  bool drops_ = false;
  GradRows* rows_ = nullptr;  // of dW
  Tensor W_, factor_;         // [V, D] [V]
};

}  // namespace hs
