// Keras 1.2.2 training.py:372-422 (weighted_objective), for one output.
//   score = fn(y_true, y_pred)                        one number for each row of the last axis
//   with a mask m [T, B]:  score = score * m / mean(m)
//   score = mean over the axes beyond those of the weights w ([B], or [B, T] when temporal)
//   score = score * w / mean(w != 0)
//   loss = mean(score)
// All of that is linear in the scores, so with n the number of scores
//   loss = sum_r coef_r * score_r      coef_r = m_r / mean(m) * w_r / mean(w != 0) / n
// and the gradient is the objective's own with those coefficients. A row whose coefficient is 0 is left out rather than
// multiplied by it: whatever target and prediction are there, it adds nothing, and its gradient is 0. (Keras multiplies, and
// NaN * 0 is NaN.) A mask of zeros, or weights that are all 0, leave nothing to take a mean of: NaN, as in Keras.
// Metrics see neither weights nor masks (training.py:862-887); where that gives no finite number, they are taken over the rows
// that count (decision 0027).
#include "plan/loss.h"

#include <algorithm>
#include <cmath>

#include "base/chunks.h"
#include "base/error.h"
#include "plan/batch.h"
#include "plan/values.h"

namespace hs {

template <typename real>
Loss<real>::Loss(const Config& spec) : temporal_(spec.on("temporal")) {
  if (!spec.has("loss")) return;
  const std::string& name = spec.str("loss");
  objective_ = objective<real>(name.c_str());
  if (!objective_)
    throw Error(Code::kUnknownName, "loss", "there is no objective named '" + name + "'.");
  if (!spec.has("metrics")) return;
  for (const Config& config : spec.at("metrics").list) {
    const std::string& metric_name = config.str("name");
    const Metric<real>* found = metric<real>(metric_name.c_str());
    if (!found)
      throw Error(Code::kUnknownName, "metrics", "there is no metric named '" + metric_name + "'.");
    metrics_.push_back({found, found->argument ? config.num(found->argument, found->by_default)
                                               : found->by_default});
  }
}

template <typename real>
void Loss<real>::bind(const Graph<real>& graph, const DataSet& data) {
  const Extent& p = graph.output().extent;
  Dims wanted = p.dims;
  if (wanted.empty()) fail(Code::kShape, "targets", "the output", "at least [B, K]", p.text());
  if (objective_->sparse) wanted.back() = 1;
  if (data.y.dims.empty()) fail(Code::kShape, "targets", "y", "given", "nothing");
  const Dims got(data.y.dims.begin() + 1, data.y.dims.end());
  if (got != wanted) {
    Dims full = wanted;
    full.insert(full.begin(), data.samples);
    fail(Code::kShape, "targets", "shape", to_string(full), to_string(data.y.dims));
  }
  weighted_ = !data.weights.dims.empty();
  target_extent_ = {p.rows, wanted};
  weight_extent_ = {p.rows, {1}};
  if (temporal_ && !p.sequence()) {
    fail(Code::kShape, "sample weights", "the output of a model with temporal weights",
         "[B, T, ...]", p.text());
  }
  if (weighted_) {
    Dims full = {data.samples};
    if (temporal_) full.push_back(p.steps()), weight_extent_.dims = {p.steps(), 1};
    if (data.weights.dims != full)
      fail(Code::kShape, "sample weights", "shape", to_string(full), to_string(data.weights.dims));
  }
  K_ = p.last();
  Ky_ = wanted.back();
  R_ = K_ > 0 ? p.size() / K_ : 0;
  if (const MaskValue<real>* mask = graph.output_mask()) {
    if (mask->rows != p.rows || mask->steps != p.steps()) {
      fail(Code::kInternal, "loss", "the mask of the output", to_string({p.rows, p.steps()}),
           to_string({mask->rows, mask->steps}));
    }
  }
  layout_.clear();
  y_ = layout_.add("y", {target_extent_.size()});
  weights_ = layout_.add("weights", {weight_extent_.size()});
  coef_ = layout_.add("coef", {R_});
  score_ = layout_.add("score", {R_});
  block_.reserve(layout_.total());
}

template <typename real>
void Loss<real>::check_labels(const DataSet& data, int64_t K) const {
  if (!objective_->sparse) return;
  const std::vector<real>& y = values_of<real>(data.y);
  for (size_t i = 0; i < y.size(); i++) {
    if (y[i] >= 0 && y[i] < real(K) && y[i] == std::floor(y[i])) continue;
    std::string got = std::to_string(y[i]);
    while (got.find('.') != std::string::npos && (got.back() == '0' || got.back() == '.')) {
      const bool point = got.back() == '.';
      got.pop_back();
      if (point) break;
    }
    fail(Code::kOption, "targets", "the label at position " + std::to_string(i),
         "an integer from 0 to " + std::to_string(K - 1), got);
  }
}

template <typename real>
void Loss<real>::load(const DataSet& data, const int32_t* order, int64_t first) {
  gather(at(y_), values_of<real>(data.y).data(), target_extent_, order, first);
  if (weighted_)
    gather(at(weights_), values_of<real>(data.weights).data(), weight_extent_, order, first);
}

template <typename real>
double Loss<real>::value(const Graph<real>& graph) {
  const Extent& e = graph.output().extent;
  const real* p = graph.output().data;                 // [R, K]
  const real* y = at(y_);                              // [R, Ky]
  const real* w = weighted_ ? at(weights_) : nullptr;  // [B], or [T, B]
  real* coef = at(coef_);                              // [R] = [T, B, ...] or [B]
  real* score = at(score_);                            // [R]

  const MaskValue<real>* mask_value = graph.output_mask();
  const real* mask = mask_value ? mask_value->data : nullptr;  // [T, B]
  const int64_t B = e.rows, T = e.steps(), rest = T * B > 0 ? R_ / (T * B) : 0;
  double factor = 1 / double(R_);
  selects_ = mask || w;
  nothing_ = "";
  if (mask) {
    double sum = 0;
    for (int64_t i = 0; i < T * B; i++) sum += double(mask[i]);
    factor /= sum / double(T * B);
    if (sum == 0) nothing_ = "mask";
  }
  if (w) {
    const int64_t n = weight_extent_.size();
    int64_t counted = 0;
    for (int64_t i = 0; i < n; i++) counted += w[i] != 0;
    factor /= double(counted) / double(n);
    if (counted == 0) nothing_ = "weights";
  }
  for (int64_t i = 0; i < T * B; i++) {
    double c = factor;
    if (mask) c *= double(mask[i]);
    if (w) c *= double(w[temporal_ ? i : i % B]);
    for (int64_t j = 0; j < rest; j++) coef[i * rest + j] = static_cast<real>(c);
  }

  each_run(true, [&](int64_t r, int64_t end) {
    objective_->value(score + r, y + r * Ky_, p + r * K_, end - r, Ky_, K_);
  });
  double loss = 0;
  for (int64_t r = 0; r < R_; r++) {
    if (counts_row(r)) loss += double(coef[r]) * double(score[r]);
  }
  return loss;
}

template <typename real>
bool Loss<real>::counts(int64_t b, int64_t i) const {
  const int64_t B = target_extent_.rows, T = target_extent_.steps(), rest = R_ / (T * B);
  const int64_t row = i / Ky_;  // [T, rest]
  return counts_row((row / rest * B + b) * rest + row % rest);
}

template <typename real>
void Loss<real>::gradient(const Graph<real>& graph, real* dp) {
  const real* p = graph.output().data;  // [R, K]
  each_run(true, [&](int64_t r, int64_t end) {
    objective_->gradient(dp + r * K_, at(coef_) + r, at(y_) + r * Ky_, p + r * K_, end - r, Ky_,
                         K_);
  });
  if (!selects_) return;
  each_run(false, [&](int64_t r, int64_t end) { std::fill(dp + r * K_, dp + end * K_, real(0)); });
}

// fn(r, end) for each run of rows that count in the loss, or of those that do not; over the threads.
template <typename real>
template <typename Fn>
void Loss<real>::each_run(bool wanted, const Fn& fn) const {
  for_rows(R_, K_, [&](int64_t begin, int64_t end) {
    if (!selects_) return fn(begin, end);
    hs::each_run(begin, end, [&](int64_t r) { return counts_row(r) == wanted; }, fn);
  });
}

template <typename real>
void Loss<real>::metrics(const Graph<real>& graph, double* values) {
  const real *y = at(y_), *p = graph.output().data;  // [R, Ky], [R, K]
  std::vector<real> y_counts, p_counts;              // of the rows that count; filled when needed
  for (size_t i = 0; i < metrics_.size(); i++) {
    const auto& [metric, argument] = metrics_[i];
    values[i] = metric->value(y, p, R_, Ky_, K_, argument);
    if (std::isfinite(values[i]) || !selects_ || *nothing_) continue;
    if (p_counts.empty()) {
      hs::each_run(
          0, R_, [&](int64_t r) { return counts_row(r); },
          [&](int64_t r, int64_t end) {
            y_counts.insert(y_counts.end(), y + r * Ky_, y + end * Ky_);
            p_counts.insert(p_counts.end(), p + r * K_, p + end * K_);
          });
    }
    if (p_counts.empty()) continue;
    const int64_t rows = static_cast<int64_t>(p_counts.size()) / K_;
    values[i] = metric->value(y_counts.data(), p_counts.data(), rows, Ky_, K_, argument);
  }
}

template class Loss<float>;
template class Loss<double>;

}  // namespace hs
