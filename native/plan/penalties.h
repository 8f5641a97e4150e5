// What is added to the loss for parameters and outputs, and what parameters are held to after an update.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

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

// Keras 1.2.2 constraints.py, by its names in lower case.
struct Constraint {
  enum class Kind { kNone, kMaxNorm, kNonNeg, kUnitNorm, kMinMaxNorm } kind = Kind::kNone;
  double m = 2, low = 0, high = 1, rate = 1;
  std::vector<int> axes;  // norms are taken along these; from 0
  // { name, m, low, high, rate, axis: number or list; negative counts from the end }; nullptr: none
  static Constraint from(const Config* config, const Dims& dims, const std::string& where);
};
const char* const* constraint_names();  // nullptr-terminated, in the order of Kind from kMaxNorm

template <typename real>
void constrain(const Constraint&, real* w, const Dims& dims);  // in place

}  // namespace hs
