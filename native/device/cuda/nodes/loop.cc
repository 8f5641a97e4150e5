#include <algorithm>

#include "base/error.h"
#include "device/cuda/nodes/run.h"
#include "device/cuda/sums.h"

namespace hs {
namespace {

template <typename real>
real* lanes_of(CardQueue* q, int64_t n) {
  return static_cast<real*>(q->scratch(n * int64_t(sizeof(real))));
}

// The second half of a sum `a` of n results, whose lanes have left theirs in `parts`.
template <typename real>
void join_lanes(CardQueue* q, NodeSumArgs<real> a, int64_t n, const real* parts) {
  const int64_t lanes = a.places.lanes, inner = a.places.inner;
  a.n = n, a.x = parts, a.places = {};
  NodeLoop &kept = a.places.kept, &summed = a.places.summed;
  kept.rank = 2, kept.dims[0] = n / inner, kept.dims[1] = inner;
  kept.stride[0][0] = lanes * inner, kept.stride[0][1] = 1;
  summed.rank = 1, summed.dims[0] = lanes, summed.stride[0][0] = inner;
  a.places.summed_count = lanes, a.places.lanes = a.places.inner = 1;
  q->launch("node_sum", a);
}

}  // namespace

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

NodePlaces split_loop(const NodeLoop& loop, int which) {
  NodePlaces p = {};
  p.summed_count = p.inner = 1;
  int64_t results = 1;
  for (int d = 0; d < loop.rank; d++) {
    const bool kept = loop.stride[which][d] != 0;
    NodeLoop& to = kept ? p.kept : p.summed;
    to.dims[to.rank] = loop.dims[d];
    for (int o = 0; o <= kNodeArgs; o++) to.stride[o][to.rank] = loop.stride[o][d];
    to.rank++;
    (kept ? results : p.summed_count) *= loop.dims[d];
    p.inner = kept ? p.inner * loop.dims[d] : 1;
  }
  p.lanes = sum_lanes(results, p.summed_count);
  return p;
}

template <typename real>
void sum_places(CardQueue* q, NodeSumArgs<real> a, int64_t n, const NodeLoop& loop) {
  a.places = split_loop(loop, 1);
  if (a.places.lanes == 1) return a.n = n, q->launch("node_sum", a);
  NodeSumArgs<real> half = a;
  half.n = n * a.places.lanes, half.y = lanes_of<real>(q, half.n), half.adds = false;
  half.factor = 1;
  q->launch("node_sum", half);
  join_lanes(q, a, n, half.y);
}

template <typename real>
void sum_slopes(CardQueue* q, NodeBackArgs<real> a, int64_t n, const NodeLoop& loop) {
  a.places = split_loop(loop, 3);
  if (a.places.lanes == 1) return a.n = n, q->launch("node_back", a);
  NodeSumArgs<real> sum = {};
  sum.op = NodeSum::kSum, sum.adds = a.adds, sum.y = a.dx, sum.places = a.places, sum.factor = 1;
  a.n = n * a.places.lanes, a.dx = lanes_of<real>(q, a.n), a.adds = false;
  q->launch("node_back", a);
  join_lanes(q, sum, n, a.dx);
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
  s.op = a < 0 ? NodeOp::kSub : NodeOp::kAdd;  // of a sum or a difference
  s.which = a < 0 ? 1 : 0;
  s.adds = true, s.dx = x, s.dy = y;
  const Dims none;
  sum_slopes(q, s, count(x_dims), node_loop(y_dims, {&none, &none, &y_dims, &x_dims}));
}

#define HS_INSTANTIATE(real)                                                                    \
  template void sum_places<real>(CardQueue*, NodeSumArgs<real>, int64_t, const NodeLoop&);      \
  template void sum_slopes<real>(CardQueue*, NodeBackArgs<real>, int64_t, const NodeLoop&);     \
  template void copy_broadcast<real>(CardQueue*, real*, const Dims&, const real*, const Dims&); \
  template void add_broadcast<real>(CardQueue*, real*, const Dims&, real, const real*, const Dims&);
HS_INSTANTIATE(float)
HS_INSTANTIATE(double)
#undef HS_INSTANTIATE

}  // namespace hs
