// The shape of `resize`; its formulas stand in device/cpu/ops/resize.cc.
#pragma once
#include <algorithm>

#include "base/arena.h"
#include "base/error.h"
#include "ops/op.h"

namespace hs {

struct ResizeAxis {
  int64_t in, before, after, repeat;

  int64_t out() const { return before + checked_count({in, repeat}, "resize") + after; }
  int64_t source(int64_t i) const {  // -1: none
    const int64_t j = i - before;
    return j >= 0 && j < in * repeat ? j / repeat : -1;
  }
  int64_t first(int64_t j) const { return std::max<int64_t>(0, j * repeat + before); }
  int64_t end(int64_t j) const { return std::min(out(), (j + 1) * repeat + before); }
};

class ResizeShape : public OpShape {
 public:
  Extent output(const std::vector<Extent>& x) const override {
    const size_t axes = x[0].dims.size();
    if (axes != 2 && axes != 3) {
      fail(Code::kShape, where(), "input", "[B, T, D] or [B, rows, columns, D]", x[0].text());
    }
    const int64_t rows = axis(x[0], 0).out(), columns = axis(x[0], 1).out();
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
    return {extent, before_[i], after_[i], repeat_[i]};
  }

  Dims before_, after_, repeat_;  // along rows and columns
};

}  // namespace hs
