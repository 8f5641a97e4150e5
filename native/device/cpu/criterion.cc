// Keras 1.2.2 training.py:372-422 (weighted_objective), for one output.
//   score = fn(y_true, y_pred)                        one number for each row of the last axis
//   with a mask m [T, B]:  score = score * m / mean(m)
//   score = mean over the axes beyond those of the weights w ([B], or [B, T] when temporal)
//   score = score * w / mean(w != 0)
//   loss = mean(score)
// All of that is linear in the scores, so with n the number of scores
//   loss = sum_r coef_r * score_r      coef_r = m_r / mean(m) * w_r / mean(w != 0) / n
// and the gradient is the objective's own with those coefficients, times the weight of this loss
// among those of several outputs (training.py:842-858). A row whose coefficient is 0 is
// left out rather than multiplied by it: whatever target and prediction are there, it adds nothing,
// and its gradient is 0. (Keras multiplies, and NaN * 0 is NaN.) A mask of zeros, or weights that
// are all 0, leave nothing to take a mean of: NaN, as in Keras. Metrics see neither weights nor
// masks (training.py:862-887); where that gives no finite number, they are taken over the rows that
// count (decision 0027).
#include "device/cpu/criterion.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.h"
#include "device/cpu/host_memory.h"
#include "device/cpu/nodes/broadcast.h"
#include "device/cpu/threads/chunks.h"

namespace hs {

template <typename real>
CpuCriterion<real>::CpuCriterion(const Config& spec)
    : is_value_(spec.at("loss").has("value")), objective_(&output_itself<real>()) {
  if (spec.at("loss").has("nodes")) {
    program_ = std::make_unique<Written>(spec.at("loss"), "loss", &kernels<real>(), host_memory());
  } else if (!is_value_) {
    const std::string& name = spec.str("loss");
    objective_ = objective<real>(name.c_str());
    if (!objective_)
      throw Error(Code::kUnknownName, "loss", "there is no objective named '" + name + "'.");
  }
  if (!spec.has("metrics")) return;
  if (is_value_ && !spec.at("metrics").list.empty()) {
    throw Error(Code::kOption, "metrics",
                "there are none where the loss is a value: they would have no targets.");
  }
  for (const Config& config : spec.at("metrics").list) {
    const std::string& metric_name = config.str("name");
    if (config.has("nodes")) {
      metrics_.push_back(
          {nullptr, 0,
           std::make_unique<Written>(config, "metric", &kernels<real>(), host_memory())});
      continue;
    }
    const Metric<real>* found = metric<real>(metric_name.c_str());
    if (!found)
      throw Error(Code::kUnknownName, "metrics", "there is no metric named '" + metric_name + "'.");
    metrics_.push_back(
        {found,
         found->argument ? config.num(found->argument, found->by_default) : found->by_default,
         nullptr});
  }
}

template <typename real>
void CpuCriterion<real>::value(const Scored<real>& s, double* loss, double* weighted,
                               double* nothing) {
  const real *w = s.weights, *mask = s.mask;
  const int64_t B = s.B, T = s.T, rest = T * B > 0 ? s.R / (T * B) : 0;
  double factor = 1 / double(s.whole > 0 ? s.R / B * s.whole : s.R);
  nothing_ = Nothing::kNone;
  if (s.sums) *s.sums = {};
  if (mask) {
    double sum = 0;
    for (int64_t i = 0; i < T * B; i++) sum += double(mask[i]);
    if (s.sums) {
      s.sums->mask = sum, s.sums->steps = double(T * B);
    } else {
      factor /= sum / double(T * B);
      if (sum == 0) nothing_ = Nothing::kMask;
    }
  }
  if (w) {
    const int64_t n = s.temporal ? T * B : B;
    int64_t counted = 0;
    for (int64_t i = 0; i < n; i++) counted += w[i] != 0;
    if (s.sums) {
      s.sums->counted = double(counted), s.sums->weights = double(n);
    } else {
      factor /= double(counted) / double(n);
      if (counted == 0) nothing_ = Nothing::kWeights;
    }
  }
  for (int64_t i = 0; i < T * B; i++) {
    double c = factor;
    if (mask) c *= double(mask[i]);
    if (w) c *= double(w[s.temporal ? i : i % B]);
    for (int64_t j = 0; j < rest; j++) s.coef[i * rest + j] = static_cast<real>(c);
  }

  if (program_) {
    program_->scores(s, s.score);
  } else {
    each_run(s, true, [&](int64_t r, int64_t end) {
      objective_->value(s.score + r, s.y + r * s.Ky, s.p + r * s.K, end - r, s.Ky, s.K);
    });
  }
  double sum = 0;
  for (int64_t r = 0; r < s.R; r++) {
    if (s.coef[r] != 0) sum += double(s.coef[r]) * double(s.score[r]);
  }
  *loss = sum;
  *weighted = s.weight * sum;
  *nothing = static_cast<int>(nothing_);
}

template <typename real>
void CpuCriterion<real>::gradient(const Scored<real>& s, real* dp) {
  for (int64_t r = 0; s.weight != 1 && r < s.R; r++)
    s.coef[r] = static_cast<real>(s.weight * double(s.coef[r]));
  if (program_) {
    program_->gradient(s, s.coef, dp);
  } else {
    each_run(s, true, [&](int64_t r, int64_t end) {
      objective_->gradient(dp + r * s.K, s.coef + r, s.y + r * s.Ky, s.p + r * s.K, end - r, s.Ky,
                           s.K);
    });
  }
  if (!s.mask && !s.weights) return;
  each_run(s, false,
           [&](int64_t r, int64_t end) { std::fill(dp + r * s.K, dp + end * s.K, real(0)); });
}

// fn(r, end) for each run of rows that count in the loss, or of those that do not; over the
// threads.
template <typename real>
template <typename Fn>
void CpuCriterion<real>::each_run(const Scored<real>& s, bool wanted, const Fn& fn) {
  for_rows(s.R, s.K, [&](int64_t begin, int64_t end) {
    if (!s.mask && !s.weights) return fn(begin, end);
    hs::each_run(begin, end, [&](int64_t r) { return (s.coef[r] != 0) == wanted; }, fn);
  });
}

template <typename real>
void CpuCriterion<real>::measure(const Scored<real>& s, double* values) {
  std::vector<real> y_counts, p_counts;  // of the rows that count; filled when needed
  for (size_t i = 0; i < metrics_.size(); i++) {
    const auto& [metric, argument, program] = metrics_[i];
    if (program) {
      const real* const value = program->value(s);
      const int64_t n = count(program->dims());
      double sum = 0;
      for (int64_t j = 0; j < n; j++) sum += double(value[j]);
      values[i] = sum / double(n);
      continue;
    }
    values[i] = metric->value(s.y, s.p, s.R, s.Ky, s.K, argument);
    const bool selects = s.mask || s.weights;
    if (std::isfinite(values[i]) || !selects || nothing_ != Nothing::kNone) continue;
    if (p_counts.empty()) {
      hs::each_run(
          0, s.R, [&](int64_t r) { return s.coef[r] != 0; },
          [&](int64_t r, int64_t end) {
            y_counts.insert(y_counts.end(), s.y + r * s.Ky, s.y + end * s.Ky);
            p_counts.insert(p_counts.end(), s.p + r * s.K, s.p + end * s.K);
          });
    }
    if (p_counts.empty()) continue;
    const int64_t rows = static_cast<int64_t>(p_counts.size()) / s.K;
    values[i] = metric->value(y_counts.data(), p_counts.data(), rows, s.Ky, s.K, argument);
  }
}

template <typename real>
int CpuCriterion<real>::metric_parts() const {
  int n = 0;
  for (const Chosen& each : metrics_) n += each.parts();
  return n;
}

template <typename real>
bool CpuCriterion<real>::is_mean(int part) const {
  size_t i = 0;
  while (part >= metrics_[i].parts()) part -= metrics_[i++].parts();
  return metrics_[i].parts() == 1;
}

template <typename real>
void CpuCriterion<real>::measure_shard(const Scored<real>& s, double* parts) {
  std::vector<double> means(metrics_.size());
  measure(s, means.data());
  for (size_t i = 0; i < metrics_.size(); i++) {
    const Chosen& each = metrics_[i];
    if (each.parts() == 1) {
      *parts = means[i];
    } else {
      std::fill_n(parts, kMetricSums, 0.0);
      each.metric->sums(parts, s.y, s.p, s.R, s.Ky, s.K, each.argument);
    }
    parts += each.parts();
  }
}

template <typename real>
void CpuCriterion<real>::whole_metrics(const double* parts, double rows, double K,
                                       double* values) const {
  for (const Chosen& each : metrics_) {
    *values++ = each.parts() == 1 ? *parts : each.metric->of_sums(parts, rows, K, each.argument);
    parts += each.parts();
  }
}

template class CpuCriterion<float>;
template class CpuCriterion<double>;

}  // namespace hs
