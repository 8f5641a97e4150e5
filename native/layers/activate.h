// The activation that a layer ends in, softmax among them.
#pragma once
#include <string>

#include "layers/activation_name.h"
#include "layers/cpu_layer.h"
#include "layers/matmul.h"

namespace hs {

// y = a(z) over rows of K. z lies in y and is replaced in place, but for an activation whose slope is made from z: then it has a
// tensor of its own, which lives until backward.
class RowActivation {
 public:
  explicit RowActivation(Activation kind) : kind_(kind) {}
  explicit RowActivation(const std::string& name) : kind_(activation_of(name)) {}

  bool is_linear() const { return kind_ == Activation::kLinear; }

  void declare(Declaration& d, int64_t rows, int64_t K) {
    K_ = K;
    apart_ = slope_from_input(kind_) && d.training();
    if (apart_) z_ = d.saved("z", {rows, K});
  }

  // Where the layer whose output is y [rows, K] writes z.
  template <typename real>
  real* input(const Pass<real>& p, real* y) const {
    return apart_ ? p.at(z_) : y;
  }

  // y = a(z), rows r0..r1. On the calling thread.
  template <typename real>
  void forward(const Table<real>* k, const Pass<real>& p, real* y, int64_t r0, int64_t r1) const {
    if (is_linear()) return;
    const real* z = input(p, y) + r0 * K_;
    activate(k, kind_, y + r0 * K_, z, r1 - r0, K_);
  }

  // dz = dy * a'(z), rows r0..r1; dz may be dy. On the calling thread.
  template <typename real>
  void backward(const Table<real>* k, const Pass<real>& p, real* dz, const real* y, const real* dy,
                int64_t r0, int64_t r1) const {
    const int64_t at = r0 * K_;
    slope(k, kind_, dz + at, (apart_ ? p.at(z_) : y) + at, dy + at, r1 - r0, K_);
  }

  // y[rows, K] = a(x); y may be x.
  template <typename real>
  static void activate(const Table<real>* k, Activation a, real* y, const real* x, int64_t rows,
                       int64_t K) {
    if (a == Activation::kSoftmax) {
      k->softmax(y, x, rows, K);
    } else {
      k->activate(a, y, x, rows * K);
    }
  }

  // dx[rows, K] = dy * a'; kept: the input where slope_from_input(a), else the output.
  template <typename real>
  static void slope(const Table<real>* k, Activation a, real* dx, const real* kept, const real* dy,
                    int64_t rows, int64_t K) {
    if (a == Activation::kSoftmax) {
      k->softmax_backward(dx, kept, dy, rows, K);
    } else {
      k->activate_backward(a, dx, kept, dy, rows * K);
    }
  }

 private:
  Activation kind_;
  bool apart_ = false;
  int64_t K_ = 0;
  Tensor z_;  // [rows, K]
};

}  // namespace hs
