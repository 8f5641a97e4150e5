// The shape of `parametric_activation`; formulas: device/cpu/ops/parametric_activation.cc.
#pragma once
#include <cmath>
#include <string>

#include "base/error.h"
#include "formulas/parametric.h"
#include "ops/op.h"

namespace hs {

constexpr int kMostParams = 4;

struct ParametricKind {
  Parametric kind;
  const char* name;
  const char* params[kMostParams + 1];  // nullptr-terminated
};
constexpr ParametricKind kParametricKinds[] = {
    {Parametric::kLeakyRelu, "leaky_relu", {}},
    {Parametric::kElu, "elu", {}},
    {Parametric::kRelu, "relu", {}},
    {Parametric::kThresholdedRelu, "thresholded_relu", {}},
    {Parametric::kPrelu, "prelu", {"alphas"}},
    {Parametric::kParametricSoftplus, "parametric_softplus", {"alphas", "betas"}},
    {Parametric::kSrelu, "srelu", {"t_left", "a_left", "t_right", "a_right"}},
};

inline const ParametricKind& parametric_kind_of(const std::string& name) {
  for (const ParametricKind& kind : kParametricKinds) {
    if (name == kind.name) return kind;
  }
  throw Error(Code::kUnknownName, "parametric_activation",
              "there is no kind named '" + name + "'.");
}

class ParametricActivationShape : public OpShape {
 public:
  Extent output(const std::vector<Extent>& x) const override {
    if (shared_.size() != x[0].dims.size() * size_t(count_)) {
      fail(Code::kShape, where(), "axes beside the batch of the input, times parameters",
           std::to_string(shared_.size()), x[0].text());
    }
    return x[0];
  }

  void declare(Declaration& d, const std::vector<Extent>&, const Extent& y, bool) override {
    dims_ = y.dims;
    R_ = count(dims_) / y.steps();
    for (int i = 0; i < count_; i++) {
      Param& param = params_[i];
      param.dims = dims_;
      for (size_t a = 0; a < dims_.size(); a++) {
        if (shared_[size_t(i) * dims_.size() + a]) param.dims[a] = 1;
      }
      param.shared = param.dims != dims_;
      param.value = d.param(kind_.params[i], param.dims);
    }
  }

 protected:
  ParametricActivationShape(const Config& options, const OpContext& context)
      : OpShape(context),
        kind_(parametric_kind_of(options.str("kind"))),
        a_(options.num("a", 0)),
        threshold_(options.num("threshold", 0)),
        max_(options.num("max", INFINITY)) {
    if (options.has("shared")) shared_ = options.dims("shared");
    while (kind_.params[count_]) count_++;
  }

  struct Param {
    Dims dims;
    bool shared = false;
    Tensor value;  // [dims]
  };

  const ParametricKind& kind_;
  double a_, threshold_, max_;
  Dims shared_, dims_;  // dims_: of one sample
  int count_ = 0;       // of parameters
  int64_t R_ = 1;
  Param params_[kMostParams];
};

}  // namespace hs
