// Nodes that go over axes: sums, largest numbers, products, running sums, softmax' logarithm.
#include <algorithm>

#include "device/cuda/nodes/run.h"
#include "device/cuda/ops/parts/rows.h"

namespace hs {
namespace {

// The result's extents with the axes that it went over as extents of 1, as its argument is aligned.
Dims kept_dims(const Node& node, const Dims& x) {
  Dims y = x;
  for (int64_t axis : node.dims) y[size_t(axis)] = 1;
  return y;
}

template <typename real>
real mean_of(const CardCall<real>& c) {
  return real(double(std::max<int64_t>(1, count(c.y_dims()))) /
              double(std::max<int64_t>(1, count(c.x_dims(0)))));
}

template <typename real>
void forward(const CardCall<real>& c) {
  const Dims kept = kept_dims(c.node(), c.x_dims(0));
  NodeSumArgs<real> a = {};
  a.op = NodeSum(c.op), a.y = c.y(), a.x = c.x(0);
  a.factor = c.node().is("mean") ? mean_of(c) : real(1);
  sum_places(c.k, a, count(c.y_dims()), node_loop(c.x_dims(0), {&c.x_dims(0), &kept}));
}

template <typename real>
void backward(const CardCall<real>& c, int, real* dx, bool add) {
  const Dims kept = kept_dims(c.node(), c.x_dims(0));
  NodeSpreadArgs<real> a = {};
  a.n = count(c.x_dims(0)), a.op = NodeSum(c.op), a.adds = add;
  a.dx = dx, a.dy = c.dy(), a.x = c.x(0), a.y = c.y();
  a.loop = node_loop(c.x_dims(0), {&c.x_dims(0), &kept});
  const NodePlaces places = split_loop(a.loop, 1);
  a.summed = places.summed, a.summed_count = places.summed_count;
  a.factor = c.node().is("mean") ? mean_of(c) : real(1);
  c.k->launch("node_spread", a);
}

// Lines of numbers along an axis.
template <typename real>
void lines(const CardCall<real>& c, int64_t axis, NodeLine op, real* to, const real* x) {
  const Dims& dims = c.x_dims(0);
  NodeLineArgs<real> a = {};
  a.op = op, a.to = to, a.x = x, a.dy = c.dy();
  a.count = dims[size_t(axis)], a.inner = 1;
  for (size_t i = size_t(axis) + 1; i < dims.size(); i++) a.inner *= dims[i];
  a.n = a.count ? count(dims) / a.count : 0;
  c.k->launch("node_line", a);
}
// Of log_softmax, which goes along the last axis.
template <typename real>
int64_t last_axis(const CardCall<real>& c) {
  return static_cast<int64_t>(c.x_dims(0).size()) - 1;
}

template <typename real>
void argmax(const CardCall<real>& c) {
  lines(c, c.node().axis, NodeLine::kArgmax, c.y(), c.x(0));
}
template <typename real>
void cumsum(const CardCall<real>& c) {
  lines(c, c.node().axis, NodeLine::kCumsum, c.y(), c.x(0));
}
template <typename real>
void cumsum_back(const CardCall<real>& c, int, real* dx, bool) {
  lines(c, c.node().axis, NodeLine::kCumsumBack, dx, c.x(0));
}
template <typename real>
void log_softmax(const CardCall<real>& c) {
  const int64_t K = c.x_dims(0).back(), rows = K ? count(c.x_dims(0)) / K : 0;
  if (K >= kManyColumns) return softmax_of_long_rows(*c.k, c.y(), c.x(0), rows, K, true);
  lines(c, last_axis(c), NodeLine::kLogSoftmax, c.y(), c.x(0));
}
template <typename real>
void log_softmax_back(const CardCall<real>& c, int, real* dx, bool) {
  const int64_t K = c.x_dims(0).back(), rows = K ? count(c.x_dims(0)) / K : 0;
  if (K >= kManyColumns) return slope_of_long_rows(*c.k, dx, c.y(), c.dy(), rows, K, true);
  lines(c, last_axis(c), NodeLine::kLogSoftmaxBack, dx, c.y());
}

unsigned keeps_all(const Node&) { return 1 | kKeepsY; }

#define HS_SUM(name, keeps, op) \
  {name, keeps, 0, true, forward<real>, backward<real>, nullptr, int(NodeSum::op)}

}  // namespace

template <typename real>
const CardRun<real>* card_sum_runs() {
  static constexpr CardRun<real> runs[] = {
      HS_SUM("sum", keeps_nothing, kSum),
      HS_SUM("mean", keeps_nothing, kSum),
      HS_SUM("max_of", keeps_all, kMax),
      HS_SUM("min_of", keeps_all, kMin),
      HS_SUM("prod", keeps_first, kProd),
      {"argmax", keeps_nothing, 1, false, argmax, nullptr, nullptr},
      {"cumsum", keeps_nothing, 0, false, cumsum, cumsum_back, nullptr},
      {"log_softmax", keeps_result, 0, false, log_softmax, log_softmax_back, nullptr},
      {nullptr, nullptr, 0, false, nullptr, nullptr, nullptr},
  };
  return runs;
}
#undef HS_SUM
template const CardRun<float>* card_sum_runs<float>();
template const CardRun<double>* card_sum_runs<double>();

}  // namespace hs
