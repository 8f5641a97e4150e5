// Copies between two orders of the same numbers: axes turned, reversed, repeated, parts of them.
#pragma once
#include <vector>

#include "base/error.h"
#include "device/cuda/cuda.h"
#include "device/cuda/kernels/layer_args.h"

namespace hs {

// An axis of a copy: how far neighbours along it lie apart in both. Along a `from` of 0 one number
// serves all.
struct CopyAxis {
  int64_t extent, to, from;
};

// Without axes of 1; neighbours that lie alike in both are one.
inline std::vector<CopyAxis> simplified(const std::vector<CopyAxis>& axes) {
  std::vector<CopyAxis> list;
  for (const CopyAxis& axis : axes) {
    if (axis.extent == 1) continue;
    if (!list.empty() && list.back().to == axis.to * axis.extent &&
        list.back().from == axis.from * axis.extent) {
      list.back() = {list.back().extent * axis.extent, axis.to, axis.from};
    } else {
      list.push_back(axis);
    }
  }
  return list;
}

// axes: outermost first. Throws Error(kShape) where more than kMostAxes are left.
template <typename real>
void rearrange(CardQueue& q, real* to, const real* from, const std::vector<CopyAxis>& axes) {
  const std::vector<CopyAxis> list = simplified(axes);
  RearrangeArgs<real> a = {};
  a.n = 1;
  for (const CopyAxis& axis : list) a.n *= axis.extent;
  if (list.empty() || (list.size() == 1 && list[0].to == 1 && list[0].from == 1)) {
    if (to != from) q.copy(to, from, a.n * int64_t(sizeof(real)));
    return;
  }
  if (list.size() > size_t(kMostAxes)) {
    fail(Code::kShape, "device 'cuda'", "axes of what is moved",
         std::to_string(kMostAxes) + " at most", std::to_string(list.size()));
  }
  a.to = to, a.from = from, a.rank = static_cast<int>(list.size());
  for (size_t d = 0; d < list.size(); d++)
    a.dims[d] = list[d].extent, a.to_stride[d] = list[d].to, a.from_stride[d] = list[d].from;
  q.launch("rearrange", a);
}

// The numbers of an op that does nothing, where they are not in their place already.
template <typename real>
void pass_on(CardQueue& q, real* to, const real* from, int64_t n) {
  if (to != from) q.copy(to, from, n * int64_t(sizeof(real)));
}

}  // namespace hs
