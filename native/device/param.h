// A parameter of a model, as a device is told of it: its place, and what is asked of it.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "base/config.h"
#include "base/shape.h"
#include "ops/grad_rows.h"

namespace hs {

// What is added to the loss for a parameter or an output. Keras 1.2.2 regularizers.py:
// l1 * sum|w| + l2 * sum(w^2), or eigenvalue * sqrt(dominant eigenvalue of w^T w).
struct Penalty {
  double l1 = 0, l2 = 0, eigenvalue = 0;
  bool any() const { return l1 != 0 || l2 != 0 || eigenvalue != 0; }
  static Penalty from(const Config* config);  // { l1, l2 } or { eigenvalue }; nullptr: none
};

// What a parameter is held to after an update. Keras 1.2.2 constraints.py, by its names in lower
// case.
struct Constraint {
  enum class Kind { kNone, kMaxNorm, kNonNeg, kUnitNorm, kMinMaxNorm } kind = Kind::kNone;
  double m = 2, low = 0, high = 1, rate = 1;
  // { name, m, low, high, rate, axis: number or list; negative counts from the end }; nullptr: none
  static Constraint from(const Config* config, const Dims& dims, const std::string& where);

  // Norms are numbered over the axes that are not summed.
  // per axis: from one norm to the next; 0: the norm goes along this axis
  Dims stride;
  int64_t groups = 0;  // of norms
};
// nullptr-terminated, in the order of Kind from kMaxNorm
const char* const* constraint_names();

struct Param {
  std::string path;  // "lstm_1/W"
  Dims dims;
  int64_t offset = 0, size = 0;  // in params and grads, in elements
  bool trainable = true;
  Penalty penalty;
  Constraint constraint;
  std::unique_ptr<GradRows> rows;  // of its gradient, where its op keeps note of them
};

}  // namespace hs
