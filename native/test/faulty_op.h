// An op that is wrong in one way, y = w x, for the tests that such are caught.
#pragma once
#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "test/layer_rig.h"

namespace hs {
namespace test {

struct FaultyOp : OpShape, Layer<double> {
  enum Fault {
    kNone,
    // numbers
    kFactor,
    kOneElement,
    kForgotten,  // the first gradient of the input is not written
    kAdded,      // gradients of parameters are added to what lies there
    kOldScratch,
    // places
    kReadsBeyond,
    kWritesBeyond,
    kWritesInput,
    kWritesParam,
    kWritesGradientOfOutput,
    kWritesUndeclared
  } fault;
  Tensor w, scratch;

  explicit FaultyOp(Fault f) : OpShape(kRigged), fault(f) {}
  OpShape& shape() override { return *this; }
  Extent output(const std::vector<Extent>& x) const override { return x[0]; }
  void declare(Declaration& d, const std::vector<Extent>& x, const Extent&, bool) override {
    w = d.param("w", {x[0].last()});
    scratch = d.scratch("x", {x[0].size()});
  }
  void forward(Pass<double>& p) override {
    const int64_t n = p.y_extent.size(), K = p.y_extent.last();
    for (int64_t i = 0; i < n; i++) {
      p.y[i] = p.x[0][i] * p.at(w)[i % K];
      p.at(scratch)[i] = p.x[0][i];
    }
    if (fault == kReadsBeyond) p.y[0] += 0 * p.at(w)[K];
    if (fault == kWritesBeyond) p.at(scratch)[n] = 1;
    if (fault == kWritesInput) const_cast<double*>(p.x[0])[1] = 1;
    if (fault == kWritesParam) p.at(w)[0] = 1;
    if (fault == kWritesUndeclared) p.at(Tensor{Arena::kSaved, 0, 1})[0] = 1;
  }
  void backward(Pass<double>& p) override {
    const int64_t n = p.y_extent.size(), K = p.y_extent.last();
    const double* x = fault == kOldScratch ? p.at(scratch) : p.x[0];
    if (fault != kAdded) std::fill_n(p.grad(w), K, 0);
    for (int64_t i = 0; i < n; i++) {
      p.grad(w)[i % K] += p.dy[i] * x[i];
      if (fault == kForgotten && i == 0) continue;
      p.dx[0][i] = p.dy[i] * p.at(w)[i % K] * (fault == kFactor ? 1.00001 : 1);
    }
    if (fault == kOneElement) p.dx[0][n - 1] += 1e-3;
    if (fault == kWritesGradientOfOutput) const_cast<double*>(p.dy)[0] = 2;
  }
};

// With numbers in it: x [3, 4].
inline Rig<double> faulty_rig(std::unique_ptr<Layer<double>> op) {
  Rig<double> rig(std::move(op), {{3, {4}}}, true);
  for (int i = 0; i < 12; i++) rig.inputs[0][i] = 0.3 * i - 1, rig.dy[i] = 1 - 0.1 * i;
  for (int k = 0; k < 4; k++) rig.value("w")[k] = k - 1.5;
  return rig;
}

}  // namespace test
}  // namespace hs
