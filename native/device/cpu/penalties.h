#pragma once
#include "device/cpu/kernels/table.h"
#include "device/param.h"

namespace hs {

// Value of the penalty on w [dims...]. dw is nullptr, or dw += gradient.
template <typename real>
double penalize(const Penalty&, const real* w, real* dw, const Dims& dims, const Table<real>* k);

}  // namespace hs
