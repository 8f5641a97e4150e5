// What the kernels of single ops are given (layers.cu), as args.h has it.
#pragma once
#include "device/cuda/kernels/args.h"

namespace hs {

// to[sum of i_d to_stride_d] = from[sum of i_d from_stride_d] for all i_d in [0, dims_d), the last
// of which goes fastest; n: as many as there are.
template <typename real>
struct RearrangeArgs {
  int64_t n;
  real* to;
  const real* from;
  int rank;
  int64_t dims[kMostDims], to_stride[kMostDims], from_stride[kMostDims];
};

// The same numbers of B samples, in the order of a sample: its number j lies at
// (j / run * B + b) * run + j % run. n = all of them.
template <typename real>
struct ReorderArgs {
  int64_t n, B;
  real* to;
  const real* from;
  int64_t to_run, from_run;
};

template <typename real>
struct SumAxisArgs {  // y [outer, inner] = sums over x [outer, m, inner], in order; n = outer inner
  int64_t n, m, inner;
  real* y;
  const real* x;
};

template <typename real>
struct ScaleArgs {  // y = a x; y may be x
  int64_t n;
  real* y;
  const real* x;
  real a;
};

template <typename real>
struct EmbedArgs {  // y [T, B, D]: rows of W [V, D] by ids [B, T], times factor; n = T B D
  int64_t n, T, B, D;
  real* y;
  real* mask;  // [T, B]: id != 0; nullptr: nobody asks
  const real* W;
  const real* ids;
  const real* factor;  // [V]; nullptr: ones
};

template <typename real>
struct EmbedPartsArgs {  // parts [pieces, D]: rows order[first[i] .. first[i + 1]) of dy, in order
  int64_t n, D;
  real* parts;
  const real* dy;  // [T B, D]
  const int32_t* order;
  const int32_t* first;
};

template <typename real>
struct
    EmbedSumsArgs {  // dW[ids[i]] = factor (parts first[i] .. first[i + 1]), in order; n = words D
  int64_t n, D;
  real* dW;
  const real* parts;
  const int32_t* first;
  const int32_t* ids;
  const real* factor;  // [V]; nullptr: ones
};

template <typename real>
struct RealStepsArgs {  // real_steps[i] = whether one of x [n, D] is another than `value`
  int64_t n, D;
  real* real_steps;
  const real* x;
  real value;
};

constexpr int kMostMerged = 32;
enum class CardMerge : int { kSum, kMul, kAve, kMax };
template <typename real>
struct MergeArgs {  // y of x[0] .. x[count)
  int64_t n;
  CardMerge mode;
  int count;
  real* y;
  const real* x[kMostMerged];
};

template <typename real>
struct MergeSlopeArgs {  // dx of x[which]
  int64_t n;
  CardMerge mode;
  int count, which;
  real* dx;
  const real* dy;
  const real* x[kMostMerged];
};

}  // namespace hs
