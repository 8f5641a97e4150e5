// The activation that an op ends in, softmax among them.
#pragma once
#include <string>

#include "ops/activation_name.h"
#include "ops/op.h"

namespace hs {

// y = a(z) over rows of K. z lies in y and is replaced in place, but for an activation whose slope
// is made from z: then it has a tensor of its own, which lives until backward.
class RowActivation {
 public:
  explicit RowActivation(Activation kind) : kind_(kind) {}
  explicit RowActivation(const std::string& name) : kind_(activation_of(name)) {}

  Activation kind() const { return kind_; }
  bool is_linear() const { return kind_ == Activation::kLinear; }
  int64_t K() const { return K_; }

  void declare(Declaration& d, int64_t rows, int64_t K) {
    K_ = K;
    apart_ = slope_from_input(kind_) && d.training();
    if (apart_) z_ = d.saved("z", {rows, K});
  }

  // Where the op whose output is y [rows, K] writes z, and keeps what the slope is made from.
  template <typename real>
  real* input(const Pass<real>& p, real* y) const {
    return apart_ ? p.at(z_) : y;
  }
  template <typename real>
  const real* input(const Pass<real>& p, const real* y) const {
    return apart_ ? p.at(z_) : y;
  }

 private:
  Activation kind_;
  bool apart_ = false;
  int64_t K_ = 0;
  Tensor z_;  // [rows, K]
};

}  // namespace hs
