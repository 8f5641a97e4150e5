// Options, extents and tensors of the op whose formulas are in device/cpu/ops/mask_value.cc.
#pragma once
#include "base/error.h"
#include "ops/op.h"

namespace hs {

class MaskValueShape : public OpShape {
 public:
  Extent output(const std::vector<Extent>& x) const override {
    if (!x[0].sequence()) fail(Code::kShape, where(), "input", "[B, T, ...]", x[0].text());
    return {x[0].rows, {x[0].steps(), 1}};
  }

 protected:
  MaskValueShape(const Config&, const OpContext& context) : OpShape(context) {}
};

}  // namespace hs
