// Rows of a matrix by words, and their gradient.
#include "device/cuda/kernels/card.h"

HS_KERNELS_BEGIN
#include "device/cuda/kernels/word_args.h"

namespace hs {
namespace HS_ISA {

// As a cast to int32, it cuts fractions off. NaN is no word, and V is none.
template <class real>
static HS_INLINE int64_t number_of(real word, int64_t V) {
  return word > real(-1) && word < real(V) ? static_cast<int64_t>(word) : V;
}

// All threads that write to `wrong` do so with the same number.
template <class real>
static inline void embed(const EmbedArgs<real>& a, int64_t i) {
  const int64_t s = i / a.D, d = i % a.D;
  const int64_t id = number_of(a.ids[s % a.B * a.T + s / a.B], a.V);
  if (a.mask && d == 0) a.mask[s] = id != 0 ? real(1) : real(0);
  if (id == a.V) {
    a.y[i] = *a.wrong = real(NAN);
    return;
  }
  const real w = a.W[id * a.D + d];
  a.y[i] = a.factor ? w * a.factor[id] : w;
}
HS_KERNEL(embed, EmbedArgs)

template <class real>
static inline void word_keys(const WordKeysArgs<real>& a, int64_t i) {
  a.keys[i] = static_cast<int32_t>(number_of(a.words[i % a.B * a.T + i / a.B], a.V));
  a.order[i] = static_cast<int32_t>(i);
}
HS_KERNEL(word_keys, WordKeysArgs)

// The first place from `first` to `end` whose key is `key` or larger; `after`: larger.
static HS_INLINE int64_t place_of(const int32_t* keys, int64_t first, int64_t end, int32_t key,
                                  bool after) {
  while (first < end) {
    const int64_t middle = first + (end - first) / 2;
    if (keys[middle] < key || (after && keys[middle] == key))
      first = middle + 1;
    else
      end = middle;
  }
  return first;
}

// A key's place is the number of those before it, in its own run and in the others.
template <class real>
static inline void merge_runs(const MergeRunsArgs<real>& a, int64_t i) {
  const int64_t first = i - i % (a.run * kMergedRuns);
  const int32_t key = a.from.keys[i];
  int64_t place = first + i % a.run;
  for (int64_t r = 0; r < kMergedRuns; r++) {
    const int64_t begin = first + r * a.run, end = begin + a.run < a.n ? begin + a.run : a.n;
    if (begin >= end) break;
    if (begin > i || end <= i)
      place += place_of(a.from.keys, begin, end, key, end <= i) - begin;
  }
  a.keys[place] = key, a.order[place] = a.from.order[i];
}
HS_KERNEL(merge_runs, MergeRunsArgs)

// Whether all of the piece that begins at word k are v.
template <class real>
static inline bool is_piece(const SortedWords<real>& words, int64_t k, int32_t v) {
  return k % kWordPiece == 0 && k + kWordPiece <= words.count && words.keys[k] == v &&
         words.keys[k + kWordPiece - 1] == v;
}

template <class real>
static inline void word_parts(const WordSumsArgs<real>& a, int64_t i) {
  const int64_t first = i / a.D * kWordPiece;
  if (!is_piece(a.words, first, a.words.keys[first])) return;
  real sum = 0;
  for (int64_t k = first; k < first + kWordPiece; k++)
    sum += a.dy[a.words.order[k] * a.D + i % a.D];
  a.parts[i] = sum;
}
HS_KERNEL(word_parts, WordSumsArgs)

template <class real>
static inline void word_sums(const WordSumsArgs<real>& a, int64_t i) {
  const int64_t d = i % a.D;
  const auto v = static_cast<int32_t>(i / a.D);
  real sum = 0;
  int64_t k = place_of(a.words.keys, 0, a.words.count, v, false);
  while (k < a.words.count && a.words.keys[k] == v) {
    if (is_piece(a.words, k, v)) {
      sum += a.parts[k / kWordPiece * a.D + d];
      k += kWordPiece;
    } else {
      sum += a.dy[a.words.order[k] * a.D + d];
      k++;
    }
  }
  if (a.factor) sum *= a.factor[v];
  a.dW[i] = a.adds ? a.dW[i] + sum : sum;
}
HS_KERNEL(word_sums, WordSumsArgs)

}  // namespace HS_ISA
}  // namespace hs
HS_KERNELS_END
