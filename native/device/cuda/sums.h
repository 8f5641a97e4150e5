// Sums over an axis. A long one goes in two halves: every result has several lanes, threads that
// add up a part of its numbers each, and then a thread adds up those. About the square root of the
// numbers each; fewer lanes where results alone keep a card busy. How many there are depends on
// extents alone, and so do the bits.
#pragma once
#include <algorithm>
#include <cmath>

#include "device/cuda/kernels/args.h"
#include "device/cuda/queue.h"

namespace hs {

constexpr int64_t kShortSum = 64;          // of so many numbers one thread is as fast as a launch
constexpr int64_t kBusyThreads = 1 << 17;  // half of what an H100 runs at a time

inline int64_t sum_lanes(int64_t results, int64_t numbers) {
  if (numbers <= kShortSum || results == 0) return 1;
  const int64_t root = static_cast<int64_t>(std::sqrt(static_cast<double>(numbers)));
  return std::clamp<int64_t>(kBusyThreads / results, 1, root);
}

// y [outer, inner] = or += the sums over x [outer, m, inner], whose rows lie ld apart.
template <typename real>
void sum_axis(CardQueue& q, real* y, const real* x, int64_t outer, int64_t m, int64_t inner,
              int64_t ld, bool adds = false) {
  const int64_t results = outer * inner, lanes = sum_lanes(results, m);
  if (lanes > 1) {
    auto* const parts = static_cast<real*>(q.scratch(results * lanes * int64_t(sizeof(real))));
    q.launch("sum_axis", SumAxisArgs<real>{results * lanes, m, lanes, inner, ld, parts, x, false});
    x = parts, m = lanes, ld = inner;
  }
  q.launch("sum_axis", SumAxisArgs<real>{results, m, 1, inner, ld, y, x, adds});
}

// sums [K] = or += those of x [rows, K], whose rows lie ldx apart.
template <typename real>
void row_sums(CardQueue& q, real* sums, const real* x, int64_t ldx, int64_t rows, int64_t K,
              bool adds = false) {
  sum_axis(q, sums, x, 1, rows, K, ldx, adds);
}

}  // namespace hs
