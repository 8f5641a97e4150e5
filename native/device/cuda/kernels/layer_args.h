// What the kernels of single ops are given (layers.cu), as args.h has it.
#pragma once
#include "device/cuda/kernels/args.h"
#include "formulas/window.h"

namespace hs {

constexpr int kMostAxes = 32;

// to[sum of i_d to_stride_d] = from[sum of i_d from_stride_d] for all i_d in [0, dims_d), the last
// of which goes fastest; n: as many as there are.
template <typename real>
struct RearrangeArgs {
  int64_t n;
  real* to;
  const real* from;
  int rank;
  int64_t dims[kMostAxes], to_stride[kMostAxes], from_stride[kMostAxes];
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
struct ScaleArgs {  // y = a x; y may be x
  int64_t n;
  real* y;
  const real* x;
  real a;
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

// ---- products

template <typename real>
struct HighwayArgs {  // y = t h + (1 - t) x
  int64_t n;
  real* y;
  const real* x;
  const real* h;
  const real* t;
};

template <typename real>
struct HighwaySlopeArgs {  // dx = dy (1 - t), dh = dy t, dt = dy (h - x)
  int64_t n;
  real* dx;  // nullptr: nobody asks
  real* dh;
  real* dt;
  const real* dy;
  const real* x;
  const real* h;
  const real* t;
};

template <typename real>
struct MaxoutArgs {  // y = the largest of z [F, n]
  int64_t n, F;
  real* y;
  const real* z;
};

template <typename real>
struct MaxoutSlopeArgs {  // dz = dy where z = y, else 0
  int64_t n;
  real* dz;
  const real* z;
  const real* y;
  const real* dy;
};

// Matrices of samples, one a sample: element [i, j] of sample b is data[b sample + row[i] +
// column[j]].
template <typename real>
struct SampleMatrix {
  real* data;
  int64_t sample;
  const int64_t* row;
  const int64_t* column;
};

template <typename real>
struct SampleProductArgs {  // c [I, J] (+)= a [I, L] b^T, b [J, L], of each sample; n = B I J
  int64_t n, I, J, L;
  SampleMatrix<real> c;
  SampleMatrix<const real> a, b;
  bool adds;
  bool rounds;  // operands to bfloat16
};

template <typename real>
struct CosineArgs {  // y = C / max(sqrt(max(G1 G2, 0)), epsilon); n = B I J
  int64_t n, I, J;
  SampleMatrix<real> y;
  const real* C;  // [B, I, J]
  const real* G1;
  const real* G2;
  real epsilon;
};

template <typename real>
struct CosineSlopeArgs {  // dC, and dG1 and dG2 in the place of G1 and G2; n = B I J
  int64_t n, I, J;
  SampleMatrix<const real> dy;
  real* dC;  // [B, I, J]
  const real* C;
  real* G1;
  real* G2;
  real epsilon;
};

// ---- normalizations

// x lies as [outer, C, inner]; a sum over all but C goes in two halves: parts [blocks, C] of `each`
// elements, then those, in order.
template <typename real>
struct ChannelSumsArgs {             // n = blocks C
  int64_t n, C, inner, count, each;  // count = outer inner
  real* parts;       // sums of x; of (x - mean)^2 where there is a mean; of dy where there is one,
  real* more_parts;  // and of dy (x - mean) / std
  const real* x;
  const real* mean;     // [C]
  const real* inverse;  // [C] 1 / std
  const real* dy;
};

template <typename real>
struct ChannelMeanArgs {  // y [C] = factor times the sum of parts [blocks, C]; n = C
  int64_t n, blocks;
  real* y;
  const real* parts;
  double factor;
};

template <typename real>
struct ChannelSpreadArgs {  // from the sums of squares; n = C
  int64_t n, blocks;
  real* inverse;  // [C]
  const real* parts;
  double count, epsilon;
  real* next_mean;  // [C]; nullptr: none
  real* next_std;
  const real* mean;
  const real* running_mean;
  const real* running_std;
  real momentum;
};

template <typename real>
struct NormalizeArgs {  // y = (x - mean) gamma / std + beta
  int64_t n, C, inner;
  real* y;
  const real* x;
  const real* mean;      // [C]
  const real* inverse;   // [C]; nullptr: of variance
  const real* variance;  // [C]
  double epsilon;
  const real* gamma;
  const real* beta;
};

template <typename real>
struct NormalizeSlopeArgs {
  int64_t n, C, inner;
  real* dx;
  const real* x;
  const real* dy;
  const real* mean;  // [C], as all of these
  const real* inverse;
  const real* gamma;
  const real* dgamma;
  const real* dbeta;
  double count;
};

template <typename real>
struct RowNormArgs {  // a thread for each row of K
  int64_t n, K;
  real* y;
  real* h;  // may be y
  real* s;  // [n]; nullptr: nobody asks
  const real* x;
  const real* gamma;
  const real* beta;
  double epsilon;
};

template <typename real>
struct RowNormSlopeArgs {  // a thread for each row of K
  int64_t n, K;
  real* dx;
  const real* dy;
  const real* h;
  const real* s;
  const real* gamma;
  double epsilon;
};

// ---- drawn and bent elements

template <typename real>
struct NoiseArgs {  // four numbers a thread: y = x + sigma normal, or x (1 + sigma normal)
  int64_t n, count;
  real* y;
  const real* x;
  real* noise;  // [count] 1 + sigma normal, if it multiplies; else nullptr
  real sigma;
  uint64_t seed;
  const uint64_t* step;
  uint32_t stream;
};

constexpr int kMostBendParams = 4;
template <typename real>
struct BendArgs {  // parametric activations over [T, B, R]; parameters [T, R]
  int64_t n, B, R;
  int kind;  // Parametric
  real a, threshold, max;
  real* y;
  const real* x;
  const real* p[kMostBendParams];
};

template <typename real>
struct BendSlopeArgs {
  int64_t n, B, R;
  int kind;
  real a, threshold, max;
  real* dx;                   // nullptr: nobody asks
  real* dp[kMostBendParams];  // [T, B, R] each, of every element
  const real* x;
  const real* y;
  const real* dy;
  const real* p[kMostBendParams];
};

// ---- windows over [outer, rows, inner, columns, channels]

template <typename real>
struct PatchesArgs {  // to [rows, taps, width] of positions first ...; n = rows taps width
  int64_t n, first, width;
  Window window;
  real* to;
  const real* from;
  int64_t ld;  // from one place to the next
};

template <typename real>
struct UnpatchArgs {  // dx [T, B, D]: sums over the places that a step had in patches; n = T B D
  int64_t n, B, D, length, stride, out;
  real* dx;
  const real* patches;  // [out, B, length D]
};

template <typename real>
struct PoolArgs {  // y [rows.out, B, columns.out, D], or dx [rows.in, B, columns.in, D]; n of those
  int64_t n, B, D;
  PoolAxis rows, columns;
  bool max;
  real* to;
  const real* x;
  const real* y;     // backward
  const real* dy;    // backward
  const real* mask;  // [rows.in, B]; nullptr: none
};

template <typename real>
struct ResizeArgs {  // y [rows.out, B, columns.out, D], or dx [rows.in, B, columns.in, D]
  int64_t n, B, D;
  ResizeAxis rows, columns;
  real* to;
  const real* from;
};

}  // namespace hs
