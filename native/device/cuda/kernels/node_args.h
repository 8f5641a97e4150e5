// What the kernels of a program's nodes are given (nodes.cu), as args.h has it.
#pragma once
#include "device/cuda/kernels/args.h"

namespace hs {

// What a node makes of numbers in the same place. Those of the second line have two arguments.
enum class NodeOp : int {
  kCopy,
  kExp,
  kLog,
  kSqrt,
  kSquare,
  kAbs,
  kSign,
  kReciprocal,
  kPower,
  kClip,
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMax,
  kMin,
  kEqual,
  kLess,
  kLessEqual,
  kWhere,
};
// What a node makes of the numbers of some axes.
enum class NodeSum : int { kSum, kMax, kMin, kProd };

constexpr int kNodeArgs = 3;

// A loop over numbers that are read, or written, with strides; the last axis goes fastest.
struct NodeLoop {
  int rank;
  int64_t dims[kMostDims];
  int64_t stride[kNodeArgs + 1][kMostDims];  // of the arguments, then of one more array
};

template <typename real>
struct NodeArgs {  // y[i] = op(x...); n: numbers of y, which lie together
  int64_t n;
  NodeOp op;
  real* y;
  const real* x[kNodeArgs];
  NodeLoop loop;
  real value, low, high;
};

// A node's sum over places, in lanes as SumAxisArgs has them: [outer, lanes, inner], and results
// [outer, inner]. Axes of `kept` are those of the results, of `summed` those that are summed.
struct NodePlaces {
  NodeLoop kept, summed;
  int64_t summed_count, lanes, inner;
};

// dx[j] (+)= the sum over the places i of y that argument `which` is read at of dy[i] times the
// slope there. n: numbers of dx times lanes. Strides: of a, b, dy and y.
template <typename real>
struct NodeBackArgs {
  int64_t n;
  NodeOp op;
  int which;
  bool adds;
  real* dx;
  const real* dy;
  const real* y;
  const real* x[kNodeArgs];
  NodePlaces places;
  real value, low, high;
};

template <typename real>
struct NodeSumArgs {  // y[j] (+)= the sum, the largest ... of x, times factor; n: of y times lanes
  int64_t n;
  NodeSum op;
  bool adds;
  real* y;
  const real* x;
  NodePlaces places;  // strides: of x
  real factor;
};

// dx[i] (+)= dy[j] times factor (sums), where x[i] is y[j] (kMax, kMin), or times the product of
// the others (kProd). n: of x.
template <typename real>
struct NodeSpreadArgs {
  int64_t n;
  NodeSum op;
  bool adds;
  real* dx;
  const real* dy;
  const real* x;
  const real* y;
  NodeLoop loop;    // over x; strides: of x, of y
  NodeLoop summed;  // of kProd: strides of x
  int64_t summed_count;
  real factor;
};

enum class NodeLine : int { kArgmax, kCumsum, kCumsumBack, kLogSoftmax, kLogSoftmaxBack };
template <typename real>
struct NodeLineArgs {  // a thread for each line of `count` numbers, `inner` apart
  int64_t n;
  NodeLine op;
  int64_t count, inner;
  real* to;
  const real* x;
  const real* dy;
};

template <typename real>
struct NodeMoveArgs {  // to[...] = or += from[...]; n: numbers that are moved
  int64_t n;
  bool adds;
  real* to;
  const real* from;
  NodeLoop loop;  // strides: of from, of to
};

// Numbers by indices; an index that is none of 0 .. V - 1 gives NaN.
enum class NodeIndex : int { kGather, kPick, kPickBack, kOneHot };
template <typename real>
struct NodeIndexArgs {
  int64_t n;  // of `to`
  NodeIndex op;
  bool adds;
  int64_t V, width;  // rows of W and their width
  real* to;
  const real* from;
  const real* index;
};

template <typename real>
struct NodeDropoutArgs {  // y[i] = x[i] times 0 or keep; or += (adds)
  int64_t n;
  bool adds;
  real* y;
  const real* x;
  uint64_t threshold;
  real keep;
  uint64_t seed, first, of_node;
  const uint64_t* step;
  uint32_t stream;
};

}  // namespace hs
