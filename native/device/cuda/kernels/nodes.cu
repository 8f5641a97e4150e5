// The nodes of programs (decision 0037), a launch each.
#include "device/cuda/kernels/card.h"

HS_KERNELS_BEGIN
#include "device/cuda/kernels/node_args.h"
#include "formulas/activation.h"
#include "formulas/philox.h"

namespace hs {
namespace HS_ISA {

// at[k] += what place i of the loop adds for each array.
static HS_INLINE void advance(const NodeLoop& loop, int64_t i, int64_t (&at)[kNodeArgs + 1]) {
  for (int d = loop.rank - 1; d > 0; d--) {
    const int64_t index = i % loop.dims[d];
    i /= loop.dims[d];
    for (int k = 0; k <= kNodeArgs; k++) at[k] += index * loop.stride[k][d];
  }
  for (int k = 0; loop.rank > 0 && k <= kNodeArgs; k++) at[k] += i * loop.stride[k][0];
}

// Where the result of thread i begins; its lane.
static HS_INLINE int64_t begin(const NodePlaces& p, int64_t i, int64_t (&at)[kNodeArgs + 1]) {
  const int64_t row = i / p.inner;
  advance(p.kept, row / p.lanes * p.inner + i % p.inner, at);
  return row % p.lanes;
}

// x^a. Whole exponents by repeated products, as a negative x needs it.
template <class real>
static inline real power(real x, real a) {
  const real whole = a < 0 ? -a : a;
  if (whole <= 64 && whole == real(static_cast<int>(whole))) {
    real y = 1;
    for (int i = 0; i < static_cast<int>(whole); i++) y *= x;
    return a < 0 ? real(1) / y : y;
  }
  return real(exp_(Vec<double>{double(a) * log_(Vec<double>{double(x)}).v}).v);
}

template <class real>
static inline real sign_of(real v) {
  return v > 0 ? real(1) : v < 0 ? real(-1) : v * 0;
}

template <class real>
static inline real value_of(NodeOp op, real a, real b, real c, real value, real low, real high) {
  switch (op) {
    case NodeOp::kCopy: return a;
    case NodeOp::kExp: return exp_(Vec<real>{a}).v;
    case NodeOp::kLog: return log_(Vec<real>{a}).v;
    case NodeOp::kSqrt: return sqrt(Vec<real>{a}).v;
    case NodeOp::kSquare: return a * a;
    case NodeOp::kAbs: return abs(Vec<real>{a}).v;
    case NodeOp::kSign: return sign_of(a);
    case NodeOp::kReciprocal: return real(1) / a;
    case NodeOp::kPower: return power(a, value);
    case NodeOp::kClip: return a < low ? low : a > high ? high : a;
    case NodeOp::kAdd: return a + b;
    case NodeOp::kSub: return a - b;
    case NodeOp::kMul: return a * b;
    case NodeOp::kDiv: return a / b;
    case NodeOp::kMax: return a > b ? a : b;
    case NodeOp::kMin: return a < b ? a : b;
    case NodeOp::kEqual: return a == b ? real(1) : real(0);
    case NodeOp::kLess: return a < b ? real(1) : real(0);
    case NodeOp::kLessEqual: return a <= b ? real(1) : real(0);
    case NodeOp::kWhere: return a != 0 ? b : c;
  }
  return a;
}

// dy times the slope of argument `which`.
template <class real>
static inline real slope_of(const NodeBackArgs<real>& s, real d, real a, real b, real y) {
  switch (s.op) {
    case NodeOp::kExp: return d * y;
    case NodeOp::kLog: return d / a;
    case NodeOp::kSqrt: return d * real(0.5) / y;
    case NodeOp::kSquare: return d * 2 * a;
    case NodeOp::kAbs: return d * sign_of(a);
    case NodeOp::kReciprocal: return -d * y * y;
    case NodeOp::kPower:
      return s.value == 0 ? real(0) : d * s.value * power(a, s.value - 1);
    case NodeOp::kClip: return a >= s.low && a <= s.high ? d : real(0);
    case NodeOp::kSub: return s.which == 0 ? d : -d;
    case NodeOp::kMul: return d * (s.which == 0 ? b : a);
    case NodeOp::kDiv: return s.which == 0 ? d / b : -d * y / b;
    case NodeOp::kMax: return (a >= b) == (s.which == 0) ? d : real(0);
    case NodeOp::kMin: return (a <= b) == (s.which == 0) ? d : real(0);
    case NodeOp::kWhere: return (a != 0) == (s.which == 1) ? d : real(0);
    default: return d;
  }
}

template <class real>
static inline void node(const NodeArgs<real>& s, int64_t i) {
  int64_t at[kNodeArgs + 1] = {};
  advance(s.loop, i, at);
  const real a = s.x[0][at[0]];
  const real b = s.x[1] ? s.x[1][at[1]] : real(0), c = s.x[2] ? s.x[2][at[2]] : real(0);
  s.y[i] = value_of(s.op, a, b, c, s.value, s.low, s.high);
}
HS_KERNEL(node, NodeArgs)

template <class real>
static inline void node_back(const NodeBackArgs<real>& s, int64_t j) {
  int64_t first[kNodeArgs + 1] = {};
  const NodePlaces& p = s.places;
  real sum = 0;
  for (int64_t i = begin(p, j, first); i < p.summed_count; i += p.lanes) {
    int64_t at[kNodeArgs + 1] = {first[0], first[1], first[2]};
    advance(p.summed, i, at);
    const real a = s.x[0] ? s.x[0][at[0]] : real(0), b = s.x[1] ? s.x[1][at[1]] : real(0);
    sum += slope_of(s, s.dy[at[2]], a, b, s.y ? s.y[at[2]] : real(0));
  }
  s.dx[j] = s.adds ? s.dx[j] + sum : sum;
}
HS_KERNEL(node_back, NodeBackArgs)

template <class real>
static inline void node_sum(const NodeSumArgs<real>& s, int64_t j) {
  int64_t first[kNodeArgs + 1] = {};
  const NodePlaces& p = s.places;
  const int64_t lane = begin(p, j, first);
  real y = s.op == NodeSum::kProd ? real(1) : real(0);
  for (int64_t i = lane; i < p.summed_count; i += p.lanes) {
    int64_t at[kNodeArgs + 1] = {first[0]};
    advance(p.summed, i, at);
    const real x = s.x[at[0]];
    const bool begins = i == lane;
    switch (s.op) {
      case NodeSum::kSum: y += x; break;
      case NodeSum::kProd: y *= x; break;
      // A NaN stays: nothing is better.
      case NodeSum::kMax: y = begins || x > y || x != x ? x : y; break;
      case NodeSum::kMin: y = begins || x < y || x != x ? x : y; break;
    }
  }
  y *= s.factor;
  s.y[j] = s.adds ? s.y[j] + y : y;
}
HS_KERNEL(node_sum, NodeSumArgs)

template <class real>
static inline void node_spread(const NodeSpreadArgs<real>& s, int64_t i) {
  int64_t at[kNodeArgs + 1] = {};
  advance(s.loop, i, at);
  real d = s.dy[at[1]] * s.factor;
  if (s.op == NodeSum::kMax || s.op == NodeSum::kMin) {
    d = s.x[i] == s.y[at[1]] ? d : real(0);
  } else if (s.op == NodeSum::kProd) {
    // From the first number of the same product.
    int64_t start[kNodeArgs + 1] = {};
    int64_t rest = i;
    for (int axis = s.loop.rank - 1; axis >= 0; axis--) {
      const int64_t index = rest % s.loop.dims[axis];
      rest /= s.loop.dims[axis];
      if (s.loop.stride[1][axis] != 0) start[0] += index * s.loop.stride[0][axis];
    }
    for (int64_t k = 0; k < s.summed_count; k++) {
      int64_t other[kNodeArgs + 1] = {start[0], 0, 0, 0};
      advance(s.summed, k, other);
      if (other[0] != i) d *= s.x[other[0]];
    }
  }
  s.dx[i] = s.adds ? s.dx[i] + d : d;
}
HS_KERNEL(node_spread, NodeSpreadArgs)

template <class real>
static inline void node_line(const NodeLineArgs<real>& s, int64_t line) {
  const int64_t at = line / s.inner * s.count * s.inner + line % s.inner;
  const real* const x = s.x + at;
  real* const to = s.to + at;
  const int64_t step = s.inner;
  if (s.op == NodeLine::kArgmax) {
    int64_t best = 0;
    for (int64_t i = 1; i < s.count; i++) {
      if (x[i * step] > x[best * step]) best = i;
    }
    s.to[line] = real(best);
  } else if (s.op == NodeLine::kCumsum) {
    real sum = 0;
    for (int64_t i = 0; i < s.count; i++) to[i * step] = sum += x[i * step];
  } else if (s.op == NodeLine::kCumsumBack) {
    real sum = 0;
    for (int64_t i = s.count; i-- > 0;) to[i * step] = sum += s.dy[at + i * step];
  } else if (s.op == NodeLine::kLogSoftmax) {
    real most = x[0];
    for (int64_t i = 1; i < s.count; i++) most = x[i * step] > most ? x[i * step] : most;
    double sum = 0;
    for (int64_t i = 0; i < s.count; i++) sum += exp_(Vec<double>{double(x[i * step] - most)}).v;
    const real log = real(log_(Vec<double>{sum}).v);
    for (int64_t i = 0; i < s.count; i++) to[i * step] = x[i * step] - most - log;
  } else {  // x is what the node gave
    real sum = 0;
    for (int64_t i = 0; i < s.count; i++) sum += s.dy[at + i * step];
    for (int64_t i = 0; i < s.count; i++)
      to[i * step] = s.dy[at + i * step] - exp_(Vec<real>{x[i * step]}).v * sum;
  }
}
HS_KERNEL(node_line, NodeLineArgs)

template <class real>
static inline void node_move(const NodeMoveArgs<real>& s, int64_t i) {
  int64_t at[kNodeArgs + 1] = {};
  advance(s.loop, i, at);
  real& to = s.to[at[1]];
  to = s.adds ? to + s.from[at[0]] : s.from[at[0]];
}
HS_KERNEL(node_move, NodeMoveArgs)

template <class real>
static inline int64_t index_of(const NodeIndexArgs<real>& s, int64_t i) {
  const real id = s.index[i];
  return id > real(-1) && id < real(s.V) ? static_cast<int64_t>(id) : -1;  // NaN: -1
}
template <class real>
static inline void node_index(const NodeIndexArgs<real>& s, int64_t i) {
  const real none = (s.index[0] - s.index[0]) / real(0);  // NaN
  if (s.op == NodeIndex::kGather) {  // to [count, width]
    const int64_t id = index_of(s, i / s.width);
    s.to[i] = id < 0 ? none : s.from[id * s.width + i % s.width];
  } else if (s.op == NodeIndex::kPick) {  // to [count], from [count, V]
    const int64_t id = index_of(s, i);
    s.to[i] = id < 0 ? none : s.from[i * s.V + id];
  } else if (s.op == NodeIndex::kPickBack) {  // to [count, V]
    const real d = index_of(s, i / s.V) == i % s.V ? s.from[i / s.V] : real(0);
    s.to[i] = s.adds ? s.to[i] + d : d;
  } else {  // to [count, V]
    const int64_t id = index_of(s, i / s.V);
    s.to[i] = id < 0 ? none : id == i % s.V ? real(1) : real(0);
  }
}
HS_KERNEL(node_index, NodeIndexArgs)

template <class real>
static inline void node_dropout(const NodeDropoutArgs<real>& s, int64_t i) {
  const uint64_t at = s.first + uint64_t(i);
  uint32_t word[4];
  philox(word, s.seed, *s.step, s.stream, s.of_node | at / 4);
  const real v = s.x[i] * (word[at % 4] < s.threshold ? real(0) : s.keep);
  s.y[i] = s.adds ? s.y[i] + v : v;
}
HS_KERNEL(node_dropout, NodeDropoutArgs)

}  // namespace HS_ISA
}  // namespace hs
HS_KERNELS_END
