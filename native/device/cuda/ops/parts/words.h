// The gradient of rows that words choose. Words may be numbers of the card that the host never
// sees, so they are sorted there: each pass merges kMergedRuns runs, where a thread finds the place
// of a key by looking it up in all of them. What is added up, and in which order, depends on the
// words alone.
#pragma once
#include <utility>

#include "device/cuda/kernels/word_args.h"
#include "device/cuda/queue.h"

namespace hs {

// dW [V, D] = or += for each word factor times the sum of its rows of dy [T, B, D], in their order;
// words [B, T], of which those that are none of 0 .. V - 1 have no row. factor [V]; nullptr: ones.
template <typename real>
void add_by_word(CardQueue& q, real* dW, int64_t V, int64_t D, const real* dy, const real* words,
                 int64_t B, int64_t T, const real* factor, bool adds) {
  const int64_t n = T * B, pieces = n / kWordPiece;
  const int64_t parts = pieces * D * int64_t(sizeof(real));
  auto* const memory = static_cast<char*>(q.scratch(parts + 4 * n * int64_t(sizeof(int32_t))));
  int32_t* keys = reinterpret_cast<int32_t*>(memory + parts);  // [n]
  int32_t *order = keys + n, *next_keys = order + n, *next_order = next_keys + n;
  q.launch("word_keys", WordKeysArgs<real>{n, B, T, V, keys, order, words});
  for (int64_t run = 1; run < n; run *= kMergedRuns) {
    q.launch("merge_runs", MergeRunsArgs<real>{n, run, next_keys, next_order, {n, keys, order}});
    std::swap(keys, next_keys), std::swap(order, next_order);
  }
  WordSumsArgs<real> a = {};
  a.D = D, a.V = V, a.dW = dW, a.parts = reinterpret_cast<real*>(memory), a.dy = dy;
  a.words = {n, keys, order}, a.factor = factor, a.adds = adds;
  a.n = pieces * D;
  q.launch("word_parts", a);
  a.n = V * D;
  q.launch("word_sums", a);
}

}  // namespace hs
