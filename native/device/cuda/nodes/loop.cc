#include <algorithm>

#include "base/error.h"
#include "device/cuda/nodes/run.h"

namespace hs {

NodeLoop node_loop(const Dims& y, const std::vector<const Dims*>& operands) {
  NodeLoop loop = {};
  // From the last axis to the first; turned round at the end.
  int64_t after[kNodeArgs + 1];
  std::fill_n(after, kNodeArgs + 1, int64_t{1});
  for (size_t i = 1; i <= y.size(); i++) {
    const int64_t n = y[y.size() - i];
    if (n == 1) continue;
    int64_t stride[kNodeArgs + 1] = {};
    for (size_t o = 0; o < operands.size(); o++) {
      const Dims& x = *operands[o];
      const bool there = i <= x.size() && x[x.size() - i] != 1;
      stride[o] = there ? after[o] : 0;
      if (there) after[o] *= n;
    }
    const int last = loop.rank - 1;
    bool joins = loop.rank > 0;
    for (size_t o = 0; joins && o < operands.size(); o++)
      joins = stride[o] == loop.stride[o][last] * loop.dims[last];
    if (joins) {
      loop.dims[last] *= n;
      continue;
    }
    if (loop.rank == kMostDims)
      fail(Code::kInternal, "device 'cuda'", "axes of a value that are not broadcast alike",
           std::to_string(kMostDims) + " at most", "more");
    loop.dims[loop.rank] = n;
    for (size_t o = 0; o < operands.size(); o++) loop.stride[o][loop.rank] = stride[o];
    loop.rank++;
  }
  std::reverse(loop.dims, loop.dims + loop.rank);
  for (auto& stride : loop.stride) std::reverse(stride, stride + loop.rank);
  return loop;
}

void split_loop(const NodeLoop& loop, int which, NodeLoop* kept, NodeLoop* summed) {
  *kept = {}, *summed = {};
  for (int d = 0; d < loop.rank; d++) {
    NodeLoop& to = loop.stride[which][d] != 0 ? *kept : *summed;
    to.dims[to.rank] = loop.dims[d];
    for (int o = 0; o <= kNodeArgs; o++) to.stride[o][to.rank] = loop.stride[o][d];
    to.rank++;
  }
}

int64_t count_of(const NodeLoop& loop) {
  int64_t n = 1;
  for (int d = 0; d < loop.rank; d++) n *= loop.dims[d];
  return n;
}

template <typename real>
void copy_broadcast(CardQueue* q, real* y, const Dims& y_dims, const real* x, const Dims& x_dims) {
  NodeMoveArgs<real> a = {};
  a.n = count(y_dims), a.to = y, a.from = x;
  const NodeLoop loop = node_loop(y_dims, {&x_dims, &y_dims});
  a.loop = loop;
  q->launch("node_move", a);
}

template <typename real>
void add_broadcast(CardQueue* q, real* x, const Dims& x_dims, real a, const real* y,
                   const Dims& y_dims) {
  NodeBackArgs<real> s = {};
  s.n = count(x_dims);
  s.op = a < 0 ? NodeOp::kSub : NodeOp::kAdd;  // of a sum or a difference
  s.which = a < 0 ? 1 : 0;
  s.adds = true, s.dx = x, s.dy = y;
  const Dims none;
  split_loop(node_loop(y_dims, {&none, &none, &y_dims, &x_dims}), 3, &s.kept, &s.summed);
  s.summed_count = count_of(s.summed);
  q->launch("node_back", s);
}

#define HS_INSTANTIATE(real)                                                                    \
  template void copy_broadcast<real>(CardQueue*, real*, const Dims&, const real*, const Dims&); \
  template void add_broadcast<real>(CardQueue*, real*, const Dims&, real, const real*, const Dims&);
HS_INSTANTIATE(float)
HS_INSTANTIATE(double)
#undef HS_INSTANTIATE

}  // namespace hs
