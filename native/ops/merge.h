// The shape of `merge`; its formulas stand in device/cpu/ops/merge.cc.
#pragma once
#include <string>

#include "base/error.h"
#include "ops/op.h"

namespace hs {

enum class MergeMode { kSum, kMul, kAve, kMax, kConcat };

inline MergeMode merge_mode_of(const std::string& name) {
  if (name == "sum") return MergeMode::kSum;
  if (name == "mul") return MergeMode::kMul;
  if (name == "ave") return MergeMode::kAve;
  if (name == "max") return MergeMode::kMax;
  if (name == "concat") return MergeMode::kConcat;
  throw Error(Code::kUnknownName, "merge", "there is no merge mode named '" + name + "'.");
}

class MergeShape : public OpShape {
 public:
  Extent output(const std::vector<Extent>& x) const override {
    Extent y = x[0];
    const int64_t axes = static_cast<int64_t>(y.dims.size());
    if (mode_ == MergeMode::kConcat && (axis_ >= axes || axis_ < -axes)) {
      fail(Code::kOption, where(), "axis",
           "within the " + std::to_string(axes) + " axes of " + to_string(y.dims),
           std::to_string(axis_));
    }
    for (size_t i = 1; i < x.size(); i++) {
      Dims same = x[i].dims;
      if (mode_ == MergeMode::kConcat && same.size() == y.dims.size()) {
        const size_t a = axis(y.dims);
        same[a] = y.dims[a];
        if (same == y.dims) y.dims[a] += x[i].dims[a];
      }
      if (x[i].rows != y.rows || same.size() != y.dims.size() || !agree(same, y.dims)) {
        fail(Code::kShape, where(), "input " + std::to_string(i), x[0].text(), x[i].text(),
             mode_ == MergeMode::kConcat ? "Only the concatenated axis may differ." : "");
      }
    }
    return y;
  }

 protected:
  MergeShape(const Config& options, const OpContext& context)
      : OpShape(context),
        mode_(merge_mode_of(options.str("mode"))),
        axis_(options.integer("axis", -1)) {}

  size_t axis(const Dims& dims) const {
    return static_cast<size_t>(axis_ < 0 ? axis_ + static_cast<int64_t>(dims.size()) : axis_);
  }

  // Equal but, in concat, for the concatenated axis, which has grown already.
  bool agree(const Dims& a, const Dims& b) const {
    for (size_t i = 0; i < a.size(); i++) {
      if (a[i] != b[i] && !(mode_ == MergeMode::kConcat && i == axis(b))) return false;
    }
    return true;
  }

  MergeMode mode_;
  int64_t axis_;
};

}  // namespace hs
