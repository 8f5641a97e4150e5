// What a parameter is held to after an update. Keras 1.2.2 constraints.py, by its names in lower case.
#pragma once
#include <cstdint>
#include <string>

#include "base/config.h"
#include "base/shape.h"

namespace hs {

struct Constraint {
  enum class Kind { kNone, kMaxNorm, kNonNeg, kUnitNorm, kMinMaxNorm } kind = Kind::kNone;
  double m = 2, low = 0, high = 1, rate = 1;
  // { name, m, low, high, rate, axis: number or list; negative counts from the end }; nullptr: none
  static Constraint from(const Config* config, const Dims& dims, const std::string& where);

  // Norms are numbered over the axes that are not summed.
  Dims stride;         // per axis: from one norm to the next; 0: the norm goes along this axis
  int64_t groups = 0;  // norms: constrain() needs room for so many; 0 if it needs none
};
const char* const* constraint_names();  // nullptr-terminated, in the order of Kind from kMaxNorm

// w [dims...], in place; norms [groups] is scratch. Allocates nothing: it runs when weights have changed already.
template <typename real>
void constrain(const Constraint&, real* w, const Dims& dims, double* norms) noexcept;

}  // namespace hs
