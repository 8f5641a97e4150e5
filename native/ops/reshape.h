// The shape of `reshape`; its formulas stand in device/cpu/ops/reshape.cc.
#pragma once
#include <algorithm>

#include "base/arena.h"
#include "base/error.h"
#include "ops/op.h"

namespace hs {

// Elements of a sample that lie together: all but the first axis, or all.
inline int64_t run_of(const Extent& e) {
  const int64_t n = count(e.dims);
  return e.sequence() ? n / std::max<int64_t>(1, e.dims[0]) : n;
}

class ReshapeShape : public OpShape {
 public:
  Extent output(const std::vector<Extent>& x) const override {
    Extent y{x[0].rows, dims_};
    const int64_t n = count(x[0].dims);
    int64_t known = 1, open = 0;
    for (int64_t d : dims_) {
      if (d < 0)
        open++;
      else
        known = checked_count({known, d}, where());
    }
    if (open == 1 && known > 0 && n % known == 0) {
      for (int64_t& d : y.dims) d = d < 0 ? n / known : d;
    }
    if (open > 1 || (open == 0 ? known : count(y.dims)) != n) {
      fail(Code::kShape, where(), "the size of the new shape " + to_string(dims_),
           std::to_string(n) + ", as that of the input",
           open ? "no whole number for the open axis" : std::to_string(known));
    }
    return y;
  }

  void declare(Declaration& d, const std::vector<Extent>& x, const Extent& y, bool) override {
    same_ = x[0].rows == 1 || run_of(x[0]) == run_of(y);
    if (same_) d.output_is_input();
  }

 protected:
  ReshapeShape(const Config& options, const OpContext& context)
      : OpShape(context), dims_(options.dims("dims")) {}

  Dims dims_;
  bool same_ = false;
};

}  // namespace hs
