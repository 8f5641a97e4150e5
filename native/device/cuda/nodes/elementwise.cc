// Nodes that make each number of one, two or three numbers in the same place, and products.
#include <algorithm>

#include "device/cuda/nodes/run.h"
#include "device/cuda/ops/parts/rows.h"
#include "ops/activation_name.h"

namespace hs {
namespace {

template <typename real>
void forward(const CardCall<real>& c) {
  NodeArgs<real> a = {};
  const int args = static_cast<int>(c.node().args.size());
  std::vector<const Dims*> dims;
  for (int i = 0; i < args; i++) a.x[i] = c.x(i), dims.push_back(&c.x_dims(i));
  a.n = count(c.y_dims()), a.op = NodeOp(c.op), a.y = c.y();
  a.loop = node_loop(c.y_dims(), dims);
  a.value = real(c.node().value), a.low = real(c.node().low), a.high = real(c.node().high);
  c.k->launch("node", a);
}

// dx (+)= dy times the slope, summed over the places that read x.
template <typename real>
void backward(const CardCall<real>& c, int i, real* dx, bool add) {
  NodeBackArgs<real> a = {};
  const int args = static_cast<int>(c.node().args.size());
  const Dims none;
  const Dims* const second = args > 1 ? &c.x_dims(1) : &none;
  a.op = NodeOp(c.op), a.which = i, a.adds = add;
  a.dx = dx, a.dy = c.dy(), a.y = c.y();
  a.x[0] = c.x(0), a.x[1] = args > 1 ? c.x(1) : nullptr;
  a.value = real(c.node().value), a.low = real(c.node().low), a.high = real(c.node().high);
  sum_slopes(c.k, a, count(c.x_dims(i)),
             node_loop(c.y_dims(), {&c.x_dims(0), second, &c.y_dims(), &c.x_dims(i)}));
}

unsigned keeps_of_activation(const Node& node) {
  return slope_from_input(Activation(node.index)) ? 1 : kKeepsY;
}
int64_t rows_of(const Dims& dims) {
  return dims.empty() ? 1 : dims.back() ? count(dims) / dims.back() : 0;
}
int64_t width_of(const Dims& dims) { return dims.empty() ? 1 : dims.back(); }
template <typename real>
void activation(const CardCall<real>& c) {
  const Dims& dims = c.y_dims();
  activate(*c.k, Activation(c.node().index), c.y(), c.x(0), rows_of(dims), width_of(dims));
}
template <typename real>
void activation_back(const CardCall<real>& c, int, real* dx, bool) {
  const Activation kind = Activation(c.node().index);
  const real* const kept = slope_from_input(kind) ? c.x(0) : c.y();
  slope(*c.k, kind, dx, kept, c.dy(), rows_of(c.y_dims()), width_of(c.y_dims()));
}

// Inverted dropout; the counters are those of the CPU (device/cpu/nodes/elementwise.cc).
template <typename real>
void drop(const CardCall<real>& c, real* to, const real* from, bool add) {
  NodeDropoutArgs<real> a = {};
  a.n = count(c.y_dims()), a.adds = add, a.y = to, a.x = from;
  const double p = c.stage.training ? c.node().value : 0;
  const bool own = c.node().index >= 0;
  a.threshold = uint64_t(p * 4294967296.0), a.keep = real(1 / (1 - p));
  a.seed = c.stage.key.seed, a.step = c.k->step_number(c.stage.key.step);
  a.stream = c.stage.stream + (own ? uint32_t(c.node().index) : 15);
  a.of_node = own ? 0 : uint64_t(c.index) << 40;
  a.first = uint64_t(c.stage.begin * (a.n / c.stage.rows));
  c.k->launch("node_dropout", a);
}
template <typename real>
void dropout(const CardCall<real>& c) {
  drop(c, c.y(), c.x(0), false);
}
template <typename real>
void dropout_back(const CardCall<real>& c, int, real* dx, bool add) {
  drop(c, dx, c.dy(), add);
}

// y [M, N] = x [M, K] b, b [K, N], or [N, K] if transposed; stacks of such matrices.
struct Sizes {
  int64_t n, M, N, K;
  bool transposed;
};
Sizes sizes_of(const Node& node, const Dims& x, const Dims& b) {
  const int64_t K = x.back();
  if (node.is("dot"))
    return {1, K ? count(x) / K : 0, b[node.transposed ? 0 : 1], K, node.transposed};
  const size_t axes = x.size();
  int64_t n = 1;
  for (size_t i = 0; i + 2 < axes; i++) n *= x[i];
  return {n, x[axes - 2], b[axes - (node.transposed ? 2 : 1)], K, node.transposed};
}
template <typename real>
void dot(const CardCall<real>& c) {
  const Sizes s = sizes_of(c.node(), c.x_dims(0), c.x_dims(1));
  const int64_t ldb = s.transposed ? s.K : s.N;
  const bool adds = c.node().is("dot") && c.frame.accumulates[size_t(c.index)] != 0;
  c.k->multiply_all(s.n, c.y(), s.N, {c.x(0), s.K}, {c.x(1), ldb, s.transposed}, s.M, s.N, s.K,
                    adds);
}
//   dx = dy b^T     db = x^T dy, or dy^T x where b is transposed
template <typename real>
void dot_back(const CardCall<real>& c, int which, real* dx, bool add) {
  const Sizes s = sizes_of(c.node(), c.x_dims(0), c.x_dims(1));
  const int64_t ldb = s.transposed ? s.K : s.N;
  const real *const x = c.x(0), *const b = c.x(1), *const dy = c.dy();
  if (which == 0) {
    c.k->multiply_all(s.n, dx, s.K, {dy, s.N}, {b, ldb, !s.transposed}, s.M, s.K, s.N, add);
  } else if (s.transposed) {
    c.k->multiply_all(s.n, dx, s.K, {dy, s.N, true}, {x, s.K}, s.N, s.K, s.M, add);
  } else {
    c.k->multiply_all(s.n, dx, s.N, {x, s.K, true}, {dy, s.N}, s.K, s.N, s.M, add);
  }
}

unsigned keeps_of_div(const Node&) { return 2 | kKeepsY; }

#define HS_NODE(name, keeps, op) \
  {name, keeps, 0, true, forward<real>, backward<real>, nullptr, int(NodeOp::op)}
#define HS_TEST(name, op) \
  {name, keeps_nothing, 3, false, forward<real>, nullptr, nullptr, int(NodeOp::op)}

}  // namespace

template <typename real>
const CardRun<real>* card_elementwise_runs() {
  static constexpr CardRun<real> runs[] = {
      {"activation", keeps_of_activation, 0, false, activation, activation_back, nullptr},
      HS_NODE("exp", keeps_result, kExp),
      HS_NODE("log", keeps_first, kLog),
      HS_NODE("sqrt", keeps_result, kSqrt),
      HS_NODE("square", keeps_first, kSquare),
      HS_NODE("abs", keeps_first, kAbs),
      {"sign", keeps_nothing, 1, false, forward<real>, nullptr, nullptr, int(NodeOp::kSign)},
      HS_NODE("reciprocal", keeps_result, kReciprocal),
      HS_NODE("power", keeps_first, kPower),
      HS_NODE("clip", keeps_first, kClip),
      {"dropout", keeps_nothing, 0, true, dropout, dropout_back, nullptr},
      HS_NODE("add", keeps_nothing, kAdd),
      HS_NODE("sub", keeps_nothing, kSub),
      HS_NODE("mul", keeps_both, kMul),
      HS_NODE("div", keeps_of_div, kDiv),
      HS_NODE("max", keeps_both, kMax),
      HS_NODE("min", keeps_both, kMin),
      HS_TEST("equal", kEqual),
      HS_TEST("less", kLess),
      HS_TEST("less_equal", kLessEqual),
      {"where", keeps_first, 1, true, forward<real>, backward<real>, nullptr, int(NodeOp::kWhere)},
      {"dot", keeps_both, 0, true, dot, dot_back, nullptr},
      {"batch_dot", keeps_both, 0, true, dot, dot_back, nullptr},
      {nullptr, nullptr, 0, false, nullptr, nullptr, nullptr},
  };
  return runs;
}
#undef HS_NODE
#undef HS_TEST
template const CardRun<float>* card_elementwise_runs<float>();
template const CardRun<double>* card_elementwise_runs<double>();

}  // namespace hs
