// What kernels are given: one struct each, by value; n is the number of threads. Pointers lead into
// the memory of the card.
#pragma once
#include <cstdint>

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
  real* moments;   // [moments, stride]
  int64_t stride;
  const ParamChunk* chunks;
  const void* rule;  // of the optimizer, made from Hyper by the host
  const double* finite;
};

constexpr int kMostDims = 8;
template <typename real>
struct ConstrainArgs {  // a thread for each norm
  int64_t n;
  real* w;
  int kind, rank;  // Constraint::Kind
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

}  // namespace hs
