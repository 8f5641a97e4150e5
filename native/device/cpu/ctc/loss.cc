#include "device/cpu/ctc/loss.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/arena.h"
#include "device/cpu/ctc/wide.h"

namespace hs {
namespace {

// The states of frame t that a path from the first frame to the last may be in: [from, to).
struct Window {
  int64_t from, to;
  Window(int64_t t, int64_t T, int64_t S)
      : from(std::max<int64_t>(0, S - 2 * (T - t))), to(std::min(S, 2 * t + 2)) {}
};

// a b / all, which is at most 1; one_all: 1 / all.
inline double share(Wide a, Wide b, Wide one_all) {
  const double v = a.v * b.v * one_all.v;
  const int32_t d = a.e + (b.e + one_all.e);
  return d == 0 ? v : d == -1 ? v * kWideDown : d == 1 ? v * kWideUp : 0.0;
}

}  // namespace

int64_t ctc_repeats(const int32_t* label, int64_t L) {
  int64_t repeats = 0;
  for (int64_t i = 1; i < L; i++) repeats += label[i] == label[i - 1];
  return repeats;
}

void CtcSpace::reserve(int64_t T, int64_t K, int64_t L) {
  const int64_t S = 2 * L + 1;
  const int64_t p = checked_count({T, K}, "ctc"), a = checked_count({T + 2, S + 4}, "ctc");
  check_budget(checked_sum(p, a, "ctc") * int64_t(sizeof(double) + sizeof(int32_t)), host_room(),
               "ctc");
  const auto grow = [](auto& v, int64_t n) {
    if (static_cast<int64_t>(v.size()) < n) v.resize(static_cast<size_t>(n));
  };
  grow(p_, p), grow(p_e_, p);
  grow(a_, T * (S + 4)), grow(a_e_, T * (S + 4));
  grow(b_, 2 * (S + 4)), grow(b_e_, 2 * (S + 4));
  grow(class_, S), grow(skips_, S + 2), grow(held_, K);
}

// Sums in double; an exponent of its own where a probability is below 2^-256.
template <typename real>
void CtcSpace::probabilities(const CtcSample<real>& sample) {
  const int64_t K = sample.K;
  // So that the exponents of T frames add up to one that is above kNone.
  const double most = 1e9 / double(sample.T);
  for (int64_t t = 0; t < sample.T; t++) {
    const real* const z = sample.z + sample.frames[t] * K;
    double* const p = p_.data() + t * K;
    int32_t* const e = p_e_.data() + t * K;
    const double top = double(*std::max_element(z, z + K));
    double sum = 0;
    for (int64_t k = 0; k < K; k++) sum += p[k] = std::exp(double(z[k]) - top);
    const double log_sum = std::log(sum), share = 1 / sum;
    for (int64_t k = 0; k < K; k++) {
      e[k] = 0;
      p[k] *= share;
      if (p[k] >= kWideLeast) continue;
      const Wide small = wide_exp(double(z[k]) - top - log_sum, most);
      p[k] = small.v, e[k] = small.e;
    }
  }
}

template <typename real>
double CtcSpace::cost(const CtcSample<real>& sample, real* dz) {
  const int64_t T = sample.T, K = sample.K, L = sample.L, S = 2 * L + 1;
  reserve(T, K, L);
  std::fill_n(class_.begin(), S, static_cast<int32_t>(sample.blank));
  std::fill_n(skips_.begin(), S + 2, char(0));
  for (int64_t i = 0; i < L; i++) {
    class_[size_t(2 * i + 1)] = sample.label[i];
    skips_[size_t(2 * i + 1)] = i > 0 && sample.label[i] != sample.label[i - 1];
  }
  if (L + ctc_repeats(sample.label, L) > T) return std::numeric_limits<double>::infinity();
  if (T == 0) return 0;
  probabilities(sample);
  const int32_t* const state_class = class_.data();
  const char* const skips = skips_.data();
  for (int64_t t = 0; t < T; t++) {
    const Window w(t, T, S);
    const Row to = row(a_, a_e_, t, S);
    const double* const p = p_.data() + t * K;
    const int32_t* const p_e = p_e_.data() + t * K;
    // What the next frame reads beside these states.
    for (int64_t s : {w.from - 2, w.from - 1, w.to, w.to + 1}) to.v[s] = 0, to.e[s] = kNone;
    if (t == 0) {
      for (int64_t s = w.from; s < w.to; s++)
        to.v[s] = p[state_class[s]], to.e[s] = p_e[state_class[s]];
      continue;
    }
    const Row from = row(a_, a_e_, t - 1, S);
    for (int64_t s = w.from; s < w.to; s++) {
      const Wide p_s = {p[state_class[s]], p_e[state_class[s]]};
      const Wide a = skips[s] ? sum(from.at(s), from.at(s - 1), from.at(s - 2)) * p_s
                              : sum(from.at(s), from.at(s - 1)) * p_s;
      to.v[s] = a.v, to.e[s] = a.e;
    }
  }
  const Row last = row(a_, a_e_, T - 1, S);
  const Wide all = S > 1 ? sum(last.at(S - 1), last.at(S - 2)) : last.at(0);
  if (dz && all.v > 0) occupancies(sample, all, dz);
  return 0 - log_of(all);
}

// From the last frame to the first; a row of b_ holds b_t(s) p_t(l'(s)) of frame t.
template <typename real>
void CtcSpace::occupancies(const CtcSample<real>& sample, Wide all, real* dz) {
  const int64_t T = sample.T, K = sample.K, S = 2 * sample.L + 1;
  const int32_t* const state_class = class_.data();
  const char* const skips = skips_.data();
  const Wide one_all = {1 / all.v, -all.e};
  double* const held = held_.data();
  for (int64_t t = T - 1; t >= 0; t--) {
    const Window w(t, T, S);
    const Row a = row(a_, a_e_, t, S);
    const Row next = row(b_, b_e_, (t + 1) % 2, S), to = row(b_, b_e_, t % 2, S);
    const double* const p = p_.data() + t * K;
    const int32_t* const p_e = p_e_.data() + t * K;
    std::fill_n(held, K, 0.0);
    double blanks = 0;
    for (int64_t s : {w.from - 2, w.from - 1, w.to, w.to + 1}) to.v[s] = 0, to.e[s] = kNone;
    for (int64_t s = w.from; s < w.to; s++) {
      Wide b = kWideOne;
      if (t < T - 1)
        b = skips[s + 2] ? sum(next.at(s), next.at(s + 1), next.at(s + 2))
                         : sum(next.at(s), next.at(s + 1));
      (s % 2 == 0 ? blanks : held[state_class[s]]) += share(a.at(s), b, one_all);
      const Wide q = b * Wide{p[state_class[s]], p_e[state_class[s]]};
      to.v[s] = q.v, to.e[s] = q.e;
    }
    held[sample.blank] = blanks;
    real* const d = dz + sample.frames[t] * K;
    for (int64_t k = 0; k < K; k++) d[k] = static_cast<real>(p[k] * wide_shift(p_e[k]) - held[k]);
  }
}

template double CtcSpace::cost(const CtcSample<float>&, float*);
template double CtcSpace::cost(const CtcSample<double>&, double*);

}  // namespace hs
