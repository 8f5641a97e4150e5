// What is added to the loss for parameters and outputs.
#pragma once
#include <cstdint>

#include "base/config.h"
#include "base/shape.h"
#include "kernels/table.h"

namespace hs {

// Keras 1.2.2 regularizers.py: l1 * sum|w| + l2 * sum(w^2), or eigenvalue * sqrt(dominant eigenvalue of w^T w).
struct Penalty {
  double l1 = 0, l2 = 0, eigenvalue = 0;
  bool any() const { return l1 != 0 || l2 != 0 || eigenvalue != 0; }
  static Penalty from(const Config* config);  // { l1, l2 } or { eigenvalue }; nullptr: none
};

// Value of the penalty on w [dims...]. dw is nullptr, or dw += gradient.
template <typename real>
double penalize(const Penalty&, const real* w, real* dw, const Dims& dims, const Table<real>* k);

}  // namespace hs
