// The shape of `dropout`; its formulas stand in device/cpu/ops/dropout.cc.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "ops/op.h"

namespace hs {

class DropoutShape : public OpShape {
 public:
  Extent output(const std::vector<Extent>& x) const override {
    if (!shared_.empty() && shared_.size() != x[0].dims.size() + 1) {
      fail(Code::kShape, where(), "noiseShape",
           std::to_string(x[0].dims.size() + 1) + " extents, as the input " + x[0].text(),
           std::to_string(shared_.size()));
    }
    return x[0];
  }

  void declare(Declaration& d, const std::vector<Extent>&, const Extent& y, bool) override {
    drops_ = d.training() && p_ > 0 && p_ < 1;
    if (drops_) {
      mask_ = d.saved("dropout", {y.size()});
      drawn_size_ = shared_.empty() ? 0 : drawn_size(y);
    } else {
      d.output_is_input();
    }
  }

 protected:
  DropoutShape(const Config& options, const OpContext& context)
      : OpShape(context),
        p_(options.num("p")),
        seeded_(options.has("seed")),
        seed_(options.integer("seed", 0)) {
    if (options.has("shared")) shared_ = options.dims("shared");
  }

  // Axes in the order of memory: {steps, batch, the rest}, or {batch, the one axis}.
  struct Axis {
    int64_t extent;
    bool shared;
  };
  std::vector<Axis> axes(const Extent& e) const {
    std::vector<Axis> list = {{e.rows, shared_[0] != 0}};
    for (size_t i = 0; i < e.dims.size(); i++) list.push_back({e.dims[i], shared_[i + 1] != 0});
    if (e.sequence()) std::swap(list[0], list[1]);
    return list;
  }

  int64_t drawn_size(const Extent& e) const {
    int64_t n = 1;
    for (const Axis& a : axes(e)) n *= a.shared ? 1 : a.extent;
    return n;
  }

  double p_;
  bool seeded_;
  int64_t seed_;
  Dims shared_;  // empty: nothing is
  bool drops_ = false;
  int64_t drawn_size_ = 0;
  Tensor mask_;  // as the input
};

}  // namespace hs
