#pragma once
#include "device/param.h"
#include "kernels/table.h"

namespace hs {

// Value of the penalty on w [dims...]. dw is nullptr, or dw += gradient.
template <typename real>
double penalize(const Penalty&, const real* w, real* dw, const Dims& dims, const Table<real>* k);

}  // namespace hs
