// Between data as users have them (batch-major) and values as ops have them (time-major, Extent in
// base/shape.h). Suffixes say which is which: _bt. [N, T, ...], _tb. [T, B, ...].
#pragma once
#include <cstdint>

#include "base/shape.h"

namespace hs {

// x_tb (by `to`) <- rows order[0 .. to.rows) of x_bt [N, to.dims...];
// order nullptr: rows first, first + 1, ...
template <typename real>
void gather(real* x_tb, const real* x_bt, const Extent& to, const int32_t* order, int64_t first);

// y_bt [from.rows, from.dims...] <- y_tb (by `from`)
template <typename real>
void scatter(real* y_bt, const real* y_tb, const Extent& from);

}  // namespace hs
