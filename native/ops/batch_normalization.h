// The shape of `batch_normalization`; its formulas stand in device/cpu/ops/batch_normalization.cc.
#pragma once
#include "base/error.h"
#include "ops/op.h"

namespace hs {

struct Groups {  // x in memory: [outer, C, inner]
  int64_t outer = 1, C = 1, inner = 1;
  int64_t n() const { return outer * inner; }
};

// axis: as users count, 0 is the batch
inline Groups groups_of(const Extent& x, int64_t axis) {
  Dims memory = x.dims;
  memory.insert(memory.begin() + (x.sequence() ? 1 : 0), x.rows);
  if (x.sequence() && axis < 2) axis = 1 - axis;  // steps before rows
  Groups g;
  g.C = memory[size_t(axis)];
  for (size_t i = 0; i < memory.size(); i++) {
    if (int64_t(i) != axis) (int64_t(i) < axis ? g.outer : g.inner) *= memory[i];
  }
  return g;
}

class BatchNormalizationShape : public OpShape {
 public:
  Extent output(const std::vector<Extent>& x) const override {
    const int64_t axes = int64_t(x[0].dims.size()) + 1;
    if (axis_ < 0 || axis_ >= axes || groups_of(x[0], axis_).C != features_) {
      fail(Code::kShape, where(), "axis " + std::to_string(axis_) + " of the input",
           "of extent " + std::to_string(features_), x[0].text());
    }
    return x[0];
  }

  void declare(Declaration& d, const std::vector<Extent>&, const Extent& y, bool) override {
    g_ = groups_of(y, axis_);
    gamma_ = d.param("gamma", {g_.C});
    beta_ = d.param("beta", {g_.C});
    running_mean_ = d.param("running_mean", {g_.C});
    running_std_ = d.param("running_std", {g_.C});
    if (!d.training() && !always_batch_) return;
    mean_ = d.saved("mean", {g_.C});
    inverse_ = d.saved("1/std", {g_.C});
    if (!d.training() || always_batch_) return;
    next_mean_ = d.next("running_mean", {g_.C});
    next_std_ = d.next("running_std", {g_.C});
  }

 protected:
  BatchNormalizationShape(const Config& options, const OpContext& context)
      : OpShape(context),
        epsilon_(options.num("epsilon")),
        momentum_(options.num("momentum")),
        axis_(options.integer("axis")),
        features_(options.integer("features")),
        always_batch_(options.integer("mode") == 2) {}

  double epsilon_, momentum_;
  int64_t axis_, features_;
  bool always_batch_;  // mode 2
  Groups g_;
  Tensor gamma_, beta_, running_mean_, running_std_, next_mean_, next_std_;  // [C]
  Tensor mean_, inverse_;                                                    // [C]
};

}  // namespace hs
