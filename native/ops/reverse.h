// The shape of `reverse`; its formulas stand in device/cpu/ops/reverse.cc.
#pragma once
#include "base/error.h"
#include "ops/op.h"

namespace hs {

class ReverseShape : public OpShape {
 public:
  Extent output(const std::vector<Extent>& x) const override {
    if (!x[0].sequence()) fail(Code::kShape, where(), "input", "[B, T, ...]", x[0].text());
    return x[0];
  }

 protected:
  ReverseShape(const Config&, const OpContext& context) : OpShape(context) {}
};

}  // namespace hs
