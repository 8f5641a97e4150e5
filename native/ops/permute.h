// The shape of `permute`; its formulas stand in device/cpu/ops/permute.cc.
#pragma once
#include <algorithm>

#include "base/error.h"
#include "ops/op.h"

namespace hs {

class PermuteShape : public OpShape {
 public:
  Extent output(const std::vector<Extent>& x) const override {
    Dims sorted = axes_;
    std::sort(sorted.begin(), sorted.end());
    for (size_t i = 0; i < sorted.size(); i++) {
      if (sorted[i] != static_cast<int64_t>(i + 1)) {
        fail(Code::kOption, where(), "dims", "each axis from 1 on once", to_string(axes_));
      }
    }
    if (axes_.size() != x[0].dims.size()) {
      fail(Code::kShape, where(), "input",
           std::to_string(axes_.size() + 1) + " axes with the batch", x[0].text());
    }
    Extent y{x[0].rows, {}};
    for (int64_t a : axes_) y.dims.push_back(x[0].dims[a - 1]);
    return y;
  }

 protected:
  PermuteShape(const Config& options, const OpContext& context)
      : OpShape(context), axes_(options.dims("dims")) {}

  Dims axes_;
};

}  // namespace hs
