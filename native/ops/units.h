// What ops share that make K units of the last axis, whatever axes are before it.
#pragma once
#include <algorithm>

#include "base/error.h"
#include "ops/op.h"

namespace hs {

// [B, ..., D] -> [B, ..., K], seen as rows.
class UnitsShape : public OpShape {
 public:
  Extent output(const std::vector<Extent>& x) const override {
    if (x[0].dims.empty()) fail(Code::kShape, where(), "input", "[B, ..., D]", x[0].text());
    Extent y = x[0];
    y.dims.back() = K_;
    return y;
  }

 protected:
  UnitsShape(const Config& options, const OpContext& context)
      : OpShape(context), K_(options.integer("units")), bias_(options.on("bias", true)) {}

  // To be called first in declare().
  void take_extent(const Extent& x, const Extent& y) {
    D_ = x.last();
    rows_ = y.size() / std::max<int64_t>(1, K_);
  }

  int64_t K_;
  bool bias_;
  int64_t D_ = 0, rows_ = 0;  // of the extent declared last
};

}  // namespace hs
