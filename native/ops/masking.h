// The shape of `masking`; its formulas stand in device/cpu/ops/masking.cc.
#pragma once
#include "base/error.h"
#include "ops/op.h"

namespace hs {

class MaskingShape : public OpShape {
 public:
  Extent output(const std::vector<Extent>& x) const override {
    if (x[0].dims.size() != 2) fail(Code::kShape, where(), "input", "[B, T, D]", x[0].text());
    return x[0];
  }

 protected:
  MaskingShape(const Config& options, const OpContext& context)
      : OpShape(context), value_(options.num("maskValue", 0)) {}

  double value_;
};

}  // namespace hs
