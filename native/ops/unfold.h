// The shape of `unfold`; its formulas stand in device/cpu/ops/unfold.cc.
#pragma once
#include "base/error.h"
#include "ops/fold.h"

namespace hs {

class UnfoldShape : public OpShape {
 public:
  Extent output(const std::vector<Extent>& x) const override {
    if (x.size() != 2)
      fail(Code::kInternal, where(), "number of inputs", "2", std::to_string(x.size()));
    if (!x[1].sequence() || x[0].dims.empty() || x[0].rows != x[1].rows * x[1].dims[0]) {
      fail(Code::kShape, where(), "input", "[B*T, ...] of " + x[1].text(), x[0].text());
    }
    Extent y{x[1].rows, {x[1].dims[0]}};
    y.dims.insert(y.dims.end(), x[0].dims.begin(), x[0].dims.end());
    return y;
  }

  void declare(Declaration& d, const std::vector<Extent>&, const Extent& y, bool) override {
    if (!fold_moves(y)) d.output_is_input();
  }

 protected:
  UnfoldShape(const Config&, const OpContext& context) : OpShape(context) {}
};

}  // namespace hs
