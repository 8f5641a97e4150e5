// The shape of `fold`; its formulas stand in device/cpu/ops/fold.cc.
#pragma once
#include "base/error.h"
#include "ops/op.h"

namespace hs {

// The folded extent of a sequence.
inline Extent folded(const Extent& x) {
  return {x.rows * x.dims[0], Dims(x.dims.begin() + 1, x.dims.end())};
}

// With one axis left, or a first one of extent 1, both lie the same in memory.
inline bool fold_moves(const Extent& x) { return x.dims.size() > 2 && x.dims[1] != 1; }

class FoldShape : public OpShape {
 public:
  Extent output(const std::vector<Extent>& x) const override {
    if (!x[0].sequence()) fail(Code::kShape, where(), "input", "[B, T, ...]", x[0].text());
    return folded(x[0]);
  }

  void declare(Declaration& d, const std::vector<Extent>& x, const Extent&, bool) override {
    if (!fold_moves(x[0])) d.output_is_input();
  }

 protected:
  FoldShape(const Config&, const OpContext& context) : OpShape(context) {}
};

}  // namespace hs
