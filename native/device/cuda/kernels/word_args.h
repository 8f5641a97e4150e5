// What the kernels of words are given (words.cu), as args.h has it.
#pragma once
#include "device/cuda/kernels/args.h"

namespace hs {

template <typename real>
struct EmbedArgs {  // y [T, B, D]: rows of W [V, D] by ids [B, T], times factor; n = T B D
  int64_t n, T, B, D, V;
  real* y;
  real* mask;  // [T, B]: id != 0; nullptr: nobody asks
  const real* W;
  const real* ids;
  const real* factor;  // [V]; nullptr: ones
  real* wrong;         // [1] NaN where an id is none of 0 .. V - 1; so is its row of y
};

// Words in an order of their own: sorted by number, those of the same number as they stand.
template <typename real>
struct SortedWords {
  int64_t count;
  const int32_t* keys;   // V: it is none
  const int32_t* order;  // where they stood
};

template <typename real>
struct WordKeysArgs {  // keys, order: of words [B, T] as they stand time-major; n = T B
  int64_t n, B, T, V;
  int32_t* keys;
  int32_t* order;
  const real* words;
};

// Sorted runs of `run` keys each become runs of kMergedRuns times as many. n = count
constexpr int64_t kMergedRuns = 16;
template <typename real>
struct MergeRunsArgs {
  int64_t n, run;
  int32_t* keys;
  int32_t* order;
  SortedWords<real> from;
};

// Sums over the rows of a word, in two halves: every kWordPiece words that are the same, then all.
constexpr int64_t kWordPiece = 32;
template <typename real>
struct WordSumsArgs {  // parts [count / kWordPiece, D], n as many; dW [V, D], n as many
  int64_t n, D, V;
  real* dW;  // = or += factor times the sums of dy's rows
  real* parts;
  const real* dy;  // [count, D]
  SortedWords<real> words;
  const real* factor;  // [V]; nullptr: ones
  bool adds;
};

}  // namespace hs
