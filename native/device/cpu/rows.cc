#include "device/cpu/rows.h"

#include <algorithm>

#include "device/cpu/threads/chunks.h"

namespace hs {
namespace {

// fn(b) for every row b, over the threads when there is enough to move.
template <typename Fn>
void each_sample(const Extent& extent, const Fn& fn) {
  for_rows(extent.rows, count(extent.dims), [&](int64_t b0, int64_t b1) {
    for (int64_t b = b0; b < b1; b++) fn(b);
  });
}

}  // namespace

template <typename real>
void gather(real* x_tb, const real* x_bt, const Extent& to, const int32_t* order, int64_t first) {
  const int64_t sample = count(to.dims), T = to.steps(), B = to.rows;
  const int64_t step = T > 0 ? sample / T : 0;
  each_sample(to, [&](int64_t b) {
    // [T, ...]
    const real* from = x_bt + (order ? static_cast<int64_t>(order[b]) : first + b) * sample;
    for (int64_t t = 0; t < T; t++) std::copy_n(from + t * step, step, x_tb + (t * B + b) * step);
  });
}

template <typename real>
void scatter(real* y_bt, const real* y_tb, const Extent& from) {
  const int64_t sample = count(from.dims), T = from.steps(), B = from.rows;
  const int64_t step = T > 0 ? sample / T : 0;
  each_sample(from, [&](int64_t b) {
    for (int64_t t = 0; t < T; t++)
      std::copy_n(y_tb + (t * B + b) * step, step, y_bt + b * sample + t * step);
  });
}

#define HS_INSTANTIATE(real)                                                              \
  template void gather<real>(real*, const real*, const Extent&, const int32_t*, int64_t); \
  template void scatter<real>(real*, const real*, const Extent&);
HS_INSTANTIATE(float)
HS_INSTANTIATE(double)
#undef HS_INSTANTIATE

}  // namespace hs
