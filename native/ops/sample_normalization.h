// The shape of `sample_normalization`; formulas: device/cpu/ops/sample_normalization.cc.
#pragma once
#include "ops/op.h"

namespace hs {

class SampleNormalizationShape : public OpShape {
 public:
  Extent output(const std::vector<Extent>& x) const override { return x[0]; }

  void declare(Declaration& d, const std::vector<Extent>&, const Extent& y, bool) override {
    K_ = y.last();
    rows_ = K_ ? y.size() / K_ : 0;
    gamma_ = d.param("gamma", {K_});
    beta_ = d.param("beta", {K_});
    d.param("running_mean", {K_});  // Keras keeps them in every mode
    d.param("running_std", {K_});
    if (!d.training()) return;
    h_ = d.saved("normalised", {rows_, K_});
    s_ = d.saved("std", {rows_});
  }

 protected:
  SampleNormalizationShape(const Config& options, const OpContext& context)
      : OpShape(context), epsilon_(options.num("epsilon")) {}

  double epsilon_;
  int64_t K_ = 0, rows_ = 0;
  Tensor gamma_, beta_;  // [K]
  Tensor h_, s_;         // [rows, K] [rows]
};

}  // namespace hs
