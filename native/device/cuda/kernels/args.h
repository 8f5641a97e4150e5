// What kernels are given: one struct each, by value; n is the number of threads. Pointers lead into
// the memory of the card.
#pragma once
#include <cstdint>

#include "device/cuda/kernels/sites.h"
#include "formulas/cells/args.h"

namespace hs {

template <typename real>
struct FillArgs {  // y = a
  int64_t n;
  real* y;
  real a;
};

template <typename real>
struct AddArgs {  // y += x
  int64_t n;
  real* y;
  const real* x;
};

template <typename real>
struct GatherArgs {  // to [T, B, step] = rows order[0 .. B) of from [N, T, step]; n = T B step
  int64_t n;
  real* to;
  const real* from;
  const int32_t* order;
  int64_t T, B, step;
};

template <typename real>
struct ToBfloat16Args {  // to = x, rounded (formulas/bfloat16.h)
  int64_t n;
  uint16_t* to;
  const real* x;
};

template <typename real>
struct CommitArgs {  // to = from, where *finite is not 0; nullptr: always
  int64_t n;
  real* to;
  const real* from;
  const double* finite;
};

template <typename real>
struct CheckArgs {  // *finite = 0 where one of x is not
  int64_t n;
  double* finite;
  const real* x;
};

template <typename real>
struct TotalArgs {  // one thread: as Device::total
  int64_t n;
  double* loss;
  const double* penalty;
  const double* activity;
  double* finite;
};

template <typename real>
struct AddUpArgs {  // sums[i] = (adds ? sums[i] : 0) + parts[i] + parts[i + n] + ...
  int64_t n;
  double* sums;
  const double* parts;
  int64_t count;
  bool adds;
};

template <typename real>
struct AddNumberArgs {  // one thread: *sum += *x
  int64_t n;
  double* sum;
  const real* x;
};

// A part of the parameters: threads of an update work on one each, side by side.
constexpr int64_t kChunkElements = 256;
struct ParamChunk {
  int64_t offset;  // among the parameters
  int64_t count;   // kChunkElements at most
};

template <typename real>
struct SquaresArgs {  // a thread for each chunk: parts[i] = sum of its gradients' squares
  int64_t n;
  const real* grads;
  const ParamChunk* chunks;
  double* parts;
};

template <typename real>
struct ClipArgs {  // kChunkElements threads for each chunk
  int64_t n;
  real* grads;
  const ParamChunk* chunks;
  const double* squares;  // of all gradients; read if norm > 0
  double norm, value;     // 0: none
  const double* finite;
};

template <typename real>
struct UpdateArgs {  // kChunkElements threads for each chunk
  int64_t n;
  real* values;
  const real* grads;
  real* moments;  // [moments, stride]
  int64_t stride;
  const ParamChunk* chunks;
  const void* rule;  // of the optimizer, made from Hyper by the host
  const double* finite;
};

constexpr int kMostDims = 32;  // as many as a value of a program may have
template <typename real>
struct ConstrainArgs {  // a thread for each norm
  int64_t n;
  real* w;
  int kind, rank;                              // Constraint::Kind
  int64_t dims[kMostDims], stride[kMostDims];  // as in Constraint
  double m, low, high, rate;
  const double* finite;
};

template <typename real>
struct NonNegArgs {
  int64_t n;
  real* w;
  const double* finite;
};

template <typename real>
struct PenaltyArgs {  // parts[i] = l1 |w| + l2 w^2 over w[i], w[i + n], ...
  int64_t n;
  double* parts;
  const real* w;
  int64_t count;
  double l1, l2;
};

template <typename real>
struct PenaltyGradientArgs {  // dw += l1 sign(w) + 2 l2 w
  int64_t n;
  real* dw;
  const real* w;
  real l1, twice_l2;
};

constexpr int kMostVectors = 4;  // of a cell
template <typename real>
struct CellStepArgs {  // a thread for each unit of each row
  int64_t n;
  CellArgs<real> step;
  const real* vectors[kMostVectors];  // instead of step.vectors
};

template <typename real>
struct StagedStepArgs {  // one round of it
  int64_t n;
  CellStepArgs<real> cell;
  Sites<real> sites;
};

template <typename real>
struct ActivateArgs {  // y = a(x), elementwise; y may be x
  int64_t n;
  int kind;  // Activation, but softmax
  real* y;
  const real* x;
};

template <typename real>
struct SlopeArgs {  // dx = dy a'(x), from what the slope is made from; dx may be dy
  int64_t n;
  int kind;
  real* dx;
  const real* kept;
  const real* dy;
};

template <typename real>
struct SoftmaxArgs {  // a thread for each row of K; y may be x
  int64_t n, K;
  real* y;
  const real* x;
};

template <typename real>
struct SoftmaxSlopeArgs {  // dx = y (dy - sum dy y), a thread for each row; dx may be dy
  int64_t n, K;
  real* dx;
  const real* y;
  const real* dy;
};

// The same of rows of many columns, by several threads each: parts of a row (kRowLanes of them),
// then its totals, then its numbers.
constexpr int64_t kRowLanes = 32;
template <typename real>
struct SoftmaxRowsArgs {  // n = rows kRowLanes, rows, rows K; y may be x; or its logarithm
  int64_t n, K;
  real* y;
  const real* x;
  real* parts;   // [rows, kRowLanes, 2]: the largest, and the sum of e^(x - that)
  real* totals;  // [rows, 2]
  bool log;
};

template <typename real>
struct SoftmaxSlopeRowsArgs {  // n likewise; dx may be dy
  int64_t n, K;
  real* dx;
  const real* y;
  const real* dy;
  real* parts;   // [rows, kRowLanes]: sums of dy y; of dy where y is a logarithm
  real* totals;  // [rows]
  bool log;
};

template <typename real>
struct RowsArgs {  // y [rows, K] = b [K]; n = rows K
  int64_t n, K;
  real* y;
  int64_t ldy;
  const real* b;
};

// y [outer, lanes, inner] = or += sums over x [outer, m, inner], whose rows lie ld apart: lane l
// has those of l, l + lanes, ... along m. n = outer lanes inner.
template <typename real>
struct SumAxisArgs {
  int64_t n, m, lanes, inner, ld;
  real* y;
  const real* x;
  bool adds;
};

template <typename real>
struct ProductArgs {  // y[i] = (adds ? y[i] : 0) + x[i] m[i % period]
  int64_t n, period;
  real* y;
  const real* x;
  const real* m;
  bool adds;
};

template <typename real>
struct DropoutMaskArgs {  // four numbers a thread: inverted dropout (device/cpu/rng.h)
  int64_t n, count;
  real* mask;
  uint64_t threshold;  // of 2^32: words below it drop
  real keep;
  uint64_t seed;
  const uint64_t* step;
  uint32_t stream;
};

template <typename real>
struct ReverseArgs {  // y[t] = x[T-1-t], each `step` numbers; n = T step
  int64_t n, T, step;
  real* y;
  const real* x;
};

template <typename real>
struct SeenArgs {  // seen [T, B]: whether a step of the row up to this one is real; n = B
  int64_t n, T;
  real* seen;
  const real* mask;  // [T, B]
};

template <typename real>
struct SelectArgs {  // y[i] = keep[i / width] ? x[i] : 0
  int64_t n, width;
  real* y;
  const real* x;
  const real* keep;
};

// --- objectives and metrics (objectives.cu). What a reading of rows finds (formulas/rows.h) is
// kFoundBytes at most, and lies one after the other for each of those who read.

constexpr int64_t kFoundBytes = 24;

struct Reader {
  int kind;  // MetricKind, or kObjectives + ObjectiveKind
  double argument;
};

template <typename real>
struct OutputRows {
  const real* y;  // [R, Ky]
  const real* p;  // [R, K]
  int64_t R, Ky, K;
};

// What is found of the rows, by as many threads a row as there are lanes.
struct Found {
  int64_t lanes;
  char* first;  // [readers, R, lanes] of kFoundBytes at most
  char* second;
};

template <typename real>
struct ReadArgs {  // n = readers R lanes
  int64_t n;
  OutputRows<real> rows;
  const Reader* readers;
  Found found;
  bool again;  // the second reading; of one lane, the first does both
};

template <typename real>
struct CountArgs {  // parts [2, n]: sums of mask [masks], numbers of weights that are not 0
  int64_t n;
  double* parts;
  const real* mask;     // or nullptr
  const real* weights;  // or nullptr
  int64_t masks, counted;
};

template <typename real>
struct FactorArgs {  // one thread: factor[0] what coefficients have in common, [1] a Nothing
  int64_t n;
  double* factor;
  const double* parts;  // [2, count]
  int64_t count, R;
  int64_t masks, weights;  // how many there are; 0: none
};

// Of the objective, which is the first reader: coefficients times scores. Of a metric its sums over
// all rows, those over the rows that count, and how many these are.
constexpr int kTerms = 7;
template <typename real>
struct TermsArgs {  // n = readers R
  int64_t n;
  OutputRows<real> rows;
  const Reader* readers;
  Found found;           // of the objective, the first lane becomes what all have found
  const real* mask;      // [T, B] or nullptr
  const real* weights;   // [B], or [T, B] if temporal; or nullptr
  const double* factor;  // or nullptr
  int64_t B, rest;       // R = T B rest
  bool temporal;
  real* coef;     // [R]
  real* score;    // [R]
  double* terms;  // [readers, kTerms, R]
  bool scored;    // scores of the objective are there already
};

template <typename real>
struct ListSumsArgs {  // n = lists count: parts [lists, count] of terms [lists, R]
  int64_t n, count, R;
  double* parts;
  const double* terms;
};

template <typename real>
struct LossArgs {  // one thread
  int64_t n;
  double *loss, *weighted, *nothing;
  const double* parts;  // [count]
  int64_t count;
  double weight;
  const double* factor;  // or nullptr
};

template <typename real>
struct ObjectiveGradientArgs {  // dp = weight coef d score / dp; n = R K
  int64_t n;
  OutputRows<real> rows;
  int kind;  // ObjectiveKind
  Found found;
  const real* coef;
  double weight;
  bool selects;  // rows whose coefficient is 0 have no gradient
  real* dp;
};

template <typename real>
struct MeanPartsArgs {  // parts[i] = (x[i] + x[i + n] + ...) / count
  int64_t n;
  double* parts;
  const real* x;  // [count]
  int64_t count;
};

template <typename real>
struct MetricValuesArgs {  // n = metrics
  int64_t n, R, K;
  const Reader* readers;
  const double* parts;  // [metrics, kTerms, count]
  int64_t count;
  const double* factor;  // nullptr: all rows count
  double* values;
};

// --- eigenvalue penalties (eigenvalue.cu), of w [R, C]

template <typename real>
struct EigenTimesArgs {  // out [R] = w v; n = R
  int64_t n, C;
  double* out;
  const real* w;
  const double* v;
};

template <typename real>
struct EigenBackArgs {  // out [C] = (w^T u - less v) scale; n = C
  int64_t n, R;
  double* out;
  const real* w;
  const double* u;
  const double* less;  // a number, with v [C]; or nullptr
  const double* v;
  const double* scale;  // a number, or nullptr
};

template <typename real>
struct EigenScaleArgs {  // one thread: *scale = 1 / |v|, 0 where that is 0
  int64_t n, C;
  double* scale;
  const double* v;
};

template <typename real>
struct EigenScaledArgs {  // y = x *scale; y may be x
  int64_t n;
  double* y;
  const double* x;
  const double* scale;
};

template <typename real>
struct EigenValueArgs {  // one thread: *sum += k sqrt(lambda), lambda = |last|^2
  int64_t n, R;
  double* sum;
  const double* last;
  double k;
  double *twice_g, *less;  // 2 d value / d lambda, and that times lambda
};

constexpr int kPowerSteps = 9;  // Keras 1.2.2 regularizers.py
template <typename real>
struct EigenGradientArgs {  // n = R C
  int64_t n, R, C;
  real* dw;
  const double *v, *dv;  // [kPowerSteps + 1, C]
  const double* u;       // [kPowerSteps + 1, R]
  const double* du;      // [kPowerSteps + 2, R]
};

}  // namespace hs
