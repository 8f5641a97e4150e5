// The shape of `resize`; its formulas stand in device/cpu/ops/resize.cc.
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "formulas/window.h"
#include "ops/op.h"

namespace hs {

class ResizeShape : public OpShape {
 public:
  Extent output(const std::vector<Extent>& x) const override {
    const size_t axes = x[0].dims.size();
    if (axes != 2 && axes != 3) {
      fail(Code::kShape, where(), "input", "[B, T, D] or [B, rows, columns, D]", x[0].text());
    }
    const int64_t rows = axis(x[0], 0).out, columns = axis(x[0], 1).out;
    if (rows < 1 || columns < 1) {
      fail(Code::kShape, where(), "input", "longer than what is cut off", x[0].text());
    }
    if (axes == 2) return {x[0].rows, {rows, x[0].dims[1]}};
    return {x[0].rows, {rows, columns, x[0].dims[2]}};
  }

 protected:
  ResizeShape(const Config& options, const OpContext& context)
      : OpShape(context),
        before_(options.dims("before")),
        after_(options.dims("after")),
        repeat_(options.dims("repeat")) {}

  ResizeAxis axis(const Extent& x, size_t i) const {
    const int64_t extent = i == 0 ? x.dims[0] : x.dims.size() == 3 ? x.dims[1] : 1;
    const int64_t out = before_[i] + checked_count({extent, repeat_[i]}, "resize") + after_[i];
    return {extent, before_[i], repeat_[i], out};
  }

  Dims before_, after_, repeat_;  // along rows and columns
};

}  // namespace hs
