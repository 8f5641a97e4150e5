// The shape of `repeat_vector`; its formulas stand in device/cpu/ops/repeat_vector.cc.
#pragma once
#include "base/error.h"
#include "ops/op.h"

namespace hs {

class RepeatVectorShape : public OpShape {
 public:
  Extent output(const std::vector<Extent>& x) const override {
    if (n_ < 1) fail(Code::kOption, where(), "n", "at least 1", std::to_string(n_));
    if (x[0].dims.size() != 1) fail(Code::kShape, where(), "input", "[B, D]", x[0].text());
    return {x[0].rows, {n_, x[0].dims[0]}};
  }

 protected:
  RepeatVectorShape(const Config& options, const OpContext& context)
      : OpShape(context), n_(options.integer("n")) {}

  int64_t n_;
};

}  // namespace hs
