// The shape of `embedding`; its formulas stand in device/cpu/ops/embedding.cc.
#pragma once
#include <string>

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

  // Throws Error(kOption) where one of ids [B, T], n in all, is none.
  template <typename real>
  void check_ids(const real* ids, int64_t n, int64_t T) const {
    for (int64_t i = 0; i < n; i++) {
      const real id = ids[i];
      if (id > real(-1) && id < real(V_)) continue;  // NaN fails both
      std::string got = std::to_string(id);
      if (got.find('.') != std::string::npos) got.erase(got.find_last_not_of("0") + 1);
      if (!got.empty() && got.back() == '.') got.pop_back();
      fail(Code::kOption, where(),
           "index at position " + std::to_string(i % T) + " of row " + std::to_string(i / T) +
               " of the batch",
           "an integer from 0 to " + std::to_string(V_ - 1), got,
           "inputDim is the largest index plus one.");
    }
  }

  int64_t V_, D_;
  double p_;
  bool drops_ = false;
  GradRows* rows_ = nullptr;  // of dW
  Tensor W_, factor_;         // [V, D] [V]
};

}  // namespace hs
