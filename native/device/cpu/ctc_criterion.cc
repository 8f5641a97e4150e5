#include "device/cpu/ctc_criterion.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "base/error.h"
#include "device/cpu/ctc/edit_distance.h"
#include "device/cpu/threads/chunks.h"

namespace hs {
namespace {

// A label without its padding. Throws Error(kOption) for what is no label. name: of the sample.
template <typename real>
void read_label(const real* y, int64_t L, int64_t K, int64_t blank, int64_t name,
                std::vector<int32_t>& label) {
  label.clear();
  const real* const end = std::find(y, y + L, real(-1));
  for (int64_t i = 0; i < L; i++) {
    const bool is_class = y[i] >= 0 && y[i] < real(K) && y[i] == std::floor(y[i]);
    const bool fits = y + i < end ? is_class && y[i] != real(blank) : y[i] == real(-1);
    if (fits) {
      if (y + i < end) label.push_back(static_cast<int32_t>(y[i]));
      continue;
    }
    fail(Code::kOption, "ctc", "label of sample " + std::to_string(name),
         "integers from 0 to " + std::to_string(K - 1) + " other than the blank, " +
             std::to_string(blank) + ", then -1 to the end",
         std::to_string(y[i]) + " at " + std::to_string(i));
  }
}

}  // namespace

template <typename real>
CtcCriterion<real>::CtcCriterion(const Config& spec)
    : blank_(spec.at("loss").integer("blank")), zero_infinity_(spec.at("loss").on("zeroInfinity")) {
  const std::string& name = spec.at("loss").str("name");
  if (name != "ctc")
    throw Error(Code::kUnknownName, "loss", "there is no objective named '" + name + "'.");
  if (blank_ < 0) fail(Code::kOption, "ctc", "blank", "a class", std::to_string(blank_));
  if (spec.on("temporal"))
    throw Error(Code::kOption, "ctc", "sample weights are of samples, not of steps.");
  if (!spec.has("metrics")) return;
  for (const Config& metric : spec.at("metrics").list) {
    if (metric.str("name") != "label_error_rate") {
      throw Error(Code::kUnknownName, "metrics",
                  "beside the loss 'ctc' there is none named '" + metric.str("name") + "'.");
    }
    metrics_++;
  }
}

template <typename real>
void CtcCriterion<real>::refuse(int64_t sample, int64_t T, const int32_t* label, int64_t L) const {
  const int64_t repeats = ctc_repeats(label, L);
  fail(Code::kShape, "ctc", "frames of sample " + std::to_string(sample),
       "at least " + std::to_string(L + repeats) + ", for " + std::to_string(L) + " labels and " +
           std::to_string(repeats) + " repeats",
       std::to_string(T),
       "Give longer sequences or shorter labels, or leave such samples out with ctc({ "
       "zeroInfinity: true }).");
}

template <typename real>
void CtcCriterion<real>::check_labels(const real* y, const real* weights, int64_t samples,
                                      int64_t L, const Extent& p) const {
  if (!p.sequence() || p.dims.size() != 2 || blank_ >= p.last())
    fail(Code::kShape, "ctc", "the output",
         "[B, T, K] with more classes than the blank, " + std::to_string(blank_), p.text());
  std::vector<int32_t> label;
  for (int64_t n = 0; n < samples; n++) {
    read_label(y + n * L, L, p.last(), blank_, n, label);
    const int64_t size = static_cast<int64_t>(label.size());
    const bool counts = !weights || weights[n] != 0;
    if (counts && !zero_infinity_ && size + ctc_repeats(label.data(), size) > p.steps())
      refuse(n, p.steps(), label.data(), size);
  }
}

template <typename real>
CtcSample<real> CtcCriterion<real>::Sample::of(const Scored<real>& s, int64_t b, int64_t blank) {
  frames.clear();
  for (int64_t t = 0; t < s.T; t++) {
    if (!s.mask || s.mask[t * s.B + b] != 0) frames.push_back(t * s.B + b);
  }
  read_label(s.y + b * s.Ky, s.Ky, s.K, blank, s.sample(b), label);
  return {s.p,   frames.data(), static_cast<int64_t>(frames.size()), s.K,
          blank, label.data(),  static_cast<int64_t>(label.size())};
}

// fn(b, sample, its memory) for each sample that counts; over the threads.
template <typename real>
template <typename Fn>
void CtcCriterion<real>::each(const Scored<real>& s, const Fn& fn) {
  const auto one = [&](int64_t b, int worker) {
    if (s.coef[b] == 0) return;
    Sample& sample = samples_[size_t(worker)];
    fn(b, sample.of(s, b, blank_), sample.space);
  };
  const bool alone = threads() == 1 || s.R * std::max(s.K, 2 * s.Ky + 1) < kParallelElements;
  samples_.resize(std::max(samples_.size(), alone ? size_t(1) : size_t(threads())));
  if (alone) {
    for (int64_t b = 0; b < s.B; b++) one(b, 0);
  } else {
    parallel_for(s.B, one);
  }
}

template <typename real>
void CtcCriterion<real>::value(const Scored<real>& s, double* loss, double* weighted,
                               double* nothing) {
  int64_t counted = 0;
  for (int64_t b = 0; b < s.B; b++) counted += !s.weights || s.weights[b] != 0;
  if (s.sums) *s.sums = {};
  if (s.sums && s.weights) s.sums->counted = double(counted), s.sums->weights = double(s.B);
  const double divided_by = s.sums ? double(s.whole) : double(counted);
  for (int64_t b = 0; b < s.B; b++) {
    const double w = s.weights ? double(s.weights[b]) : 1.0;
    s.coef[b] = static_cast<real>(w / divided_by);
    s.score[b] = 0;
  }
  // Frames and samples that do not count.
  if (s.dp) std::fill(s.dp, s.dp + s.R * s.K, real(0));
  std::vector<double> costs(static_cast<size_t>(s.B));
  each(s, [&](int64_t b, const CtcSample<real>& sample, CtcSpace& space) {
    const double cost = space.cost(sample, s.dp);
    costs[size_t(b)] = cost;
    if (std::isfinite(cost) || !s.dp || (zero_infinity_ && std::isinf(cost))) return;
    for (int64_t t = 0; t < sample.T; t++)
      std::fill_n(s.dp + sample.frames[t] * s.K, s.K, real(NAN));
  });
  double sum = 0;
  for (int64_t b = 0; b < s.B; b++) {
    if (s.coef[b] == 0) continue;
    if (std::isinf(costs[size_t(b)])) {
      const CtcSample<real> sample = samples_[0].of(s, b, blank_);
      const int64_t needed = sample.L + ctc_repeats(sample.label, sample.L);
      if (zero_infinity_)
        costs[size_t(b)] = 0;
      else if (needed > sample.T)
        refuse(s.sample(b), sample.T, sample.label, sample.L);
    }
    s.score[b] = static_cast<real>(costs[size_t(b)]);
    sum += double(s.coef[b]) * costs[size_t(b)];
  }
  const bool nothing_left = counted == 0 && !s.sums;
  if (nothing_left) sum = std::numeric_limits<double>::quiet_NaN();
  *loss = sum;
  *weighted = s.weight * sum;
  *nothing = static_cast<int>(nothing_left ? Nothing::kWeights : Nothing::kNone);
}

// value() has left the gradient of each sample's cost there.
template <typename real>
void CtcCriterion<real>::gradient(const Scored<real>& s, real* dp) {
  for_rows(s.R, s.K, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r++) {
      const real c = static_cast<real>(s.weight * double(s.coef[r % s.B]));
      for (int64_t k = 0; k < s.K; k++) dp[r * s.K + k] *= c;
    }
  });
}

// Graves et al. 2006 eq. 2: the mean over samples of the edit distance between the best path's
// labels and the target, over the length of the target, 1 for an empty one.
template <typename real>
void CtcCriterion<real>::measure(const Scored<real>& s, double* values) {
  double sum = 0;
  std::vector<int32_t> best;
  EditDistance distance;
  Sample sample;
  for (int64_t b = 0; b < s.B; b++) {
    const CtcSample<real> of = sample.of(s, b, blank_);
    best.clear();
    int64_t before = blank_;
    for (int64_t t = 0; t < of.T; t++) {
      const real* const z = of.z + of.frames[t] * of.K;
      const int64_t k = std::max_element(z, z + of.K) - z;
      if (k != before && k != blank_) best.push_back(static_cast<int32_t>(k));
      before = k;
    }
    sum += double(distance(best, sample.label)) / double(std::max<int64_t>(1, of.L));
  }
  std::fill_n(values, metrics_, sum / double(s.B));
}

template class CtcCriterion<float>;
template class CtcCriterion<double>;

}  // namespace hs
