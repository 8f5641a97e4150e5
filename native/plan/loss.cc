// What the loss of one output is given: targets and weights of a batch, and room to work in. What
// it computes is the device's (Criterion in device/device.h).
#include "plan/loss.h"

#include <cmath>
#include <string>

#include "base/error.h"
#include "plan/values.h"

namespace hs {

template <typename real>
Loss<real>::Loss(const Config& spec, Device<real>& device) : device_(&device) {
  if (spec.has("loss")) criterion_ = device.criterion(spec);
  scored_.temporal = spec.on("temporal");
}

template <typename real>
void Loss<real>::bind(const Graph<real>& graph, const DataSet& data) {
  const Extent& p = graph.scored().extent;
  // Asked before each batch, and most are as the one before.
  if (bound_ && p.rows == bound_to_.rows && p.dims == bound_to_.dims && data.y.dims == y_dims_ &&
      data.weights.dims == weight_dims_ && data.samples == samples_)
    return;
  bound_ = false;
  Dims wanted = p.dims;
  if (wanted.empty()) fail(Code::kShape, "targets", "the output", "at least [B, K]", p.text());
  if (criterion_->sparse()) wanted.back() = 1;
  if (!criterion_->has_targets()) wanted = {0};
  if (criterion_->has_targets()) check_targets(wanted, data);
  weighted_ = !data.weights.dims.empty();
  target_extent_ = {p.rows, wanted};
  weight_extent_ = {p.rows, {1}};
  if (scored_.temporal && !p.sequence()) {
    fail(Code::kShape, "sample weights", "the output of a model with temporal weights",
         "[B, T, ...]", p.text());
  }
  if (weighted_) {
    Dims full = {data.samples};
    if (scored_.temporal) full.push_back(p.steps()), weight_extent_.dims = {p.steps(), 1};
    if (data.weights.dims != full)
      fail(Code::kShape, "sample weights", "shape", to_string(full), to_string(data.weights.dims));
  }
  const int64_t K = p.last(), R = K > 0 ? p.size() / K : 0;
  if (const MaskValue<real>* mask = graph.scored_mask()) {
    if (mask->rows != p.rows || mask->steps != p.steps()) {
      fail(Code::kInternal, "loss", "the mask of the output", to_string({p.rows, p.steps()}),
           to_string({mask->rows, mask->steps}));
    }
  }
  layout_.clear();
  y_ = layout_.add("y", {target_extent_.size()});
  weights_ = layout_.add("weights", {weight_extent_.size()});
  coef_ = layout_.add("coef", {R});
  score_ = layout_.add("score", {R});
  block_.reserve(layout_.total());
  scored_.y = at(y_), scored_.weights = weighted_ ? at(weights_) : nullptr;
  scored_.coef = at(coef_), scored_.score = at(score_);
  scored_.B = p.rows, scored_.T = p.steps(), scored_.R = R;
  scored_.K = K, scored_.Ky = wanted.back();
  bound_to_ = p, y_dims_ = data.y.dims, weight_dims_ = data.weights.dims;
  samples_ = data.samples;
  bound_ = true;
}

template <typename real>
void Loss<real>::check_targets(const Dims& wanted, const DataSet& data) {
  if (data.y.dims.empty()) fail(Code::kShape, "targets", "y", "given", "nothing");
  if (Dims(data.y.dims.begin() + 1, data.y.dims.end()) == wanted) return;
  Dims full = wanted;
  full.insert(full.begin(), data.samples);
  fail(Code::kShape, "targets", "shape", to_string(full), to_string(data.y.dims));
}

template <typename real>
void Loss<real>::check_labels(const DataSet& data, int64_t K) const {
  if (!criterion_->sparse()) return;
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
  if (criterion_->has_targets())
    device_->gather(at(y_), values_of<real>(data.y).data(), target_extent_, order, first);
  if (weighted_)
    device_->gather(at(weights_), values_of<real>(data.weights).data(), weight_extent_, order,
                    first);
}

template <typename real>
void Loss<real>::value(const Graph<real>& graph, double* logs, double* nothing) {
  const MaskValue<real>* mask = graph.scored_mask();
  scored_.p = graph.scored().data;
  scored_.mask = mask ? mask->data : nullptr;
  criterion_->value(scored_, logs, nothing);
  if (criterion_->metrics() > 0) criterion_->measure(scored_, logs + 1);
}

template <typename real>
void Loss<real>::gradient(real* dp) {
  criterion_->gradient(scored_, dp);
}

template <typename real>
std::function<bool(int64_t, int64_t)> Loss<real>::counts() const {
  std::vector<real> coef(static_cast<size_t>(scored_.R));
  device_->download(coef.data(), scored_.coef, scored_.R * int64_t(sizeof(real)));
  const int64_t B = scored_.B, rest = scored_.R / (scored_.T * B), Ky = scored_.Ky;
  return [coef = std::move(coef), B, rest, Ky](int64_t b, int64_t i) {
    if (Ky == 0) return false;   // no targets
    const int64_t row = i / Ky;  // [T, rest]
    return coef[size_t((row / rest * B + b) * rest + row % rest)] != 0;
  };
}

template class Loss<float>;
template class Loss<double>;

}  // namespace hs
