// The CTC cost of one sample, from logits. Graves, Fernández, Gomez, Schmidhuber 2006, ICML,
// "Connectionist temporal classification" eq. 3-16.
//
//   p_t = softmax z_t                         one of K classes a frame, one of them the blank
//   l' = b l1 b l2 b ... lL b                 S = 2L + 1 states
//   a_t(s) = (a_t-1(s) + a_t-1(s-1) + a_t-1(s-2) [l'(s) is a label other than l'(s-2)]) p_t(l'(s))
//   b_t(s) = b_t+1(s) p_t+1(l'(s)) + ...      the same backward; without p_t
//   P = a_T(S) + a_T(S-1)                     cost = -log P
//   d cost / d z_t(k) = p_t(k) - sum of a_t(s) b_t(s) / P over s with l'(s) = k
//
// All in numbers with an exponent of their own (wide.h), whatever the precision of z.
#pragma once
#include <cstdint>
#include <vector>

#include "device/cpu/ctc/wide.h"

namespace hs {

// The frames that count, and a label without padding.
template <typename real>
struct CtcSample {
  const real* z;          // logits: those of frame t at z + frames[t] * K
  const int64_t* frames;  // [T]
  int64_t T, K, blank;
  const int32_t* label;  // [L]
  int64_t L;
};

// Labels that are the one before again: there must be a blank between the two.
int64_t ctc_repeats(const int32_t* label, int64_t L);

// What one thread works in. It grows, and never shrinks.
class CtcSpace {
 public:
  // -log P; infinity where P is 0, as where L and the repeats are more than T. dz nullptr, or the
  // gradient of frame t at dz + frames[t] * K; nothing is written where the cost is not finite.
  template <typename real>
  double cost(const CtcSample<real>& sample, real* dz);
  // Throws Error(kOutOfMemory) where the machine has no memory for that many frames and labels.
  void reserve(int64_t T, int64_t K, int64_t L);

 private:
  struct Row {
    double* v;  // [S] behind two zeros and before two
    int32_t* e;
    Wide at(int64_t s) const { return {v[s], e[s]}; }
  };
  Row row(std::vector<double>& v, std::vector<int32_t>& e, int64_t t, int64_t S) {
    return {v.data() + t * (S + 4) + 2, e.data() + t * (S + 4) + 2};
  }
  template <typename real>
  void probabilities(const CtcSample<real>&);
  template <typename real>
  void occupancies(const CtcSample<real>&, Wide all, real* dz);

  std::vector<double> p_;           // [T, K] softmax, as wide numbers
  std::vector<int32_t> p_e_;        // [T, K]
  std::vector<double> a_, b_;       // [T, S + 4], [2, S + 4]
  std::vector<int32_t> a_e_, b_e_;  // the same
  std::vector<int32_t> class_;      // [S] of each state
  std::vector<char> skips_;         // [S + 2] whether state s is reached from s - 2
  std::vector<double> held_;        // [K] how often each class is in a frame
};

}  // namespace hs
