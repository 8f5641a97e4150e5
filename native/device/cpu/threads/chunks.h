// Work over the threads, in chunks that depend on the problem alone: sums have the same bits for
// any number of threads.
#pragma once
#include <algorithm>
#include <vector>

#include "base/tiles.h"
#include "device/cpu/threads/parallel.h"

namespace hs {

// Elements of a chunk: 64 KiB of float, half an L1+L2 working set of a parameter, its gradient and
// its moments.
constexpr int64_t kChunk = 1 << 14;
// Below this many elements waking other threads costs more than it brings to work that streams
// through memory.
constexpr int64_t kParallelElements = 1 << 15;

// fn(begin, end) over [0, n): on one thread as a whole; over several, where there is enough work,
// in chunks of `chunk`.
template <typename Fn>
void for_chunks(int64_t n, int64_t chunk, int64_t elements_each, const Fn& fn) {
  const int64_t tiles = tiles_of(n, chunk);
  if (tiles <= 1 || n * elements_each < kParallelElements || threads() == 1) {
    if (n > 0) fn(int64_t{0}, n);
    return;
  }
  parallel_for(tiles,
               [&](int64_t tile, int) { fn(tile * chunk, std::min(n, (tile + 1) * chunk)); });
}

// fn(begin, end) over n elements of elementwise work. Chunks are multiples of a cache line.
template <typename Fn>
void for_elements(int64_t n, const Fn& fn) {
  for_chunks(n, kChunk, 1, fn);
}

// fn(r0, r1) over rows of K elements each, about kChunk elements at a time.
template <typename Fn>
void for_rows(int64_t rows, int64_t K, const Fn& fn) {
  for_chunks(rows, std::max<int64_t>(1, kChunk / std::max<int64_t>(1, K)), K, fn);
}

// fn(first, last) for each run of the i in [begin, end) with wanted(i), in order.
template <typename Wanted, typename Fn>
void each_run(int64_t begin, int64_t end, const Wanted& wanted, const Fn& fn) {
  for (int64_t i = begin; i < end; i++) {
    if (!wanted(i)) continue;
    const int64_t first = i;
    while (i + 1 < end && wanted(i + 1)) i++;
    fn(first, i + 1);
  }
}

// Sum of fn(begin, end) over the chunks of [0, n), always chunk by chunk and added in their order.
template <typename Fn>
double sum_elements(int64_t n, const Fn& fn) {
  if (n <= kChunk) return n > 0 ? fn(int64_t{0}, n) : 0.0;
  std::vector<double> parts(static_cast<size_t>(tiles_of(n, kChunk)));
  for_chunks(static_cast<int64_t>(parts.size()), 1, kChunk, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++)
      parts[static_cast<size_t>(i)] = fn(i * kChunk, std::min(n, (i + 1) * kChunk));
  });
  double sum = 0;
  for (double part : parts) sum += part;
  return sum;
}

}  // namespace hs
