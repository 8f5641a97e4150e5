#pragma once
#include "device/param.h"

namespace hs {

// w [dims...], in place; norms [groups] is scratch. Allocates nothing: it runs when weights have
// changed already.
template <typename real>
void constrain(const Constraint&, real* w, const Dims& dims, double* norms) noexcept;

}  // namespace hs
