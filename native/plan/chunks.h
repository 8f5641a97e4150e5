// Elementwise work and sums of the plan, in chunks of fixed size: the same bits for any number of threads.
#pragma once
#include <algorithm>
#include <vector>

#include "base/parallel.h"

namespace hs {

constexpr int64_t kChunk =
    1 << 14;  // elements: 64 KiB of float, half an L1+L2 working set of p, g and moments

inline int64_t chunks_of(int64_t n) { return (n + kChunk - 1) / kChunk; }

// fn(index) for index in [0, n), over the threads when there are several.
template <typename Fn>
void each_tile(int64_t n, const Fn& fn) {
  if (n <= 1 || threads() == 1) {
    for (int64_t i = 0; i < n; i++) fn(i);
    return;
  }
  parallel_for(n, [&](int64_t tile, int) { fn(tile); });
}

// fn(begin, end) for every chunk of [0, n)
template <typename Fn>
void each_chunk(int64_t n, const Fn& fn) {
  each_tile(chunks_of(n), [&](int64_t i) { fn(i * kChunk, std::min(n, (i + 1) * kChunk)); });
}

// Sum of fn(begin, end) over the chunks of [0, n), added in their order.
template <typename Fn>
double sum_chunks(int64_t n, const Fn& fn) {
  if (n <= kChunk) return n > 0 ? fn(int64_t{0}, n) : 0.0;
  std::vector<double> parts(static_cast<size_t>(chunks_of(n)));
  each_chunk(n, [&](int64_t begin, int64_t end) {
    parts[static_cast<size_t>(begin / kChunk)] = fn(begin, end);
  });
  double sum = 0;
  for (double part : parts) sum += part;
  return sum;
}

}  // namespace hs
