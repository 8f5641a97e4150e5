// What the loss of an output is given: targets and weights of a batch, and room to work in. What
// it computes is the device's (Criterion in device/device.h).
#include "plan/loss.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.h"
#include "plan/array.h"

namespace hs {
namespace {

constexpr int kShardParts = 5;  // a loss, and the numbers of ShardSums

}  // namespace

template <typename real>
Loss<real>::Loss(const Config& output, size_t i, Device<real>& device) : i_(i), device_(&device) {
  if (output.has("loss")) criterion_ = device.criterion(output);
  scored_.temporal = output.on("temporal");
  scored_.weight = output.num("weight", 1);
}

// Of this output; where there are none of any, nothing.
template <typename real>
const Array& Loss<real>::one(const std::vector<Array>& arrays, size_t i) {
  static const Array* const none = new Array;
  return i < arrays.size() ? arrays[i] : *none;
}

template <typename real>
void Loss<real>::bind(const Graph<real>& graph, const DataSet& data) {
  const Extent& p = graph.scored(i_).extent;
  const Array &y = one(data.y, i_), &weights = one(data.weights, i_);
  // Asked before each batch, and most are as the one before.
  if (bound_ && p.rows == bound_to_.rows && p.dims == bound_to_.dims && y.dims == y_dims_ &&
      weights.dims == weight_dims_ && data.samples == samples_)
    return;
  bound_ = false;
  Dims wanted = p.dims;
  if (criterion_->labelling())
    wanted = y.dims.size() == 2 ? Dims{y.dims[1]} : Dims{-1};  // any number of labels
  if (wanted.empty()) fail(Code::kShape, "targets", "the output", "at least [B, K]", p.text());
  if (criterion_->target_dim() > 0) wanted.back() = criterion_->target_dim();
  if (!criterion_->has_targets()) wanted = {0};
  if (criterion_->has_targets()) check_targets(wanted, data);
  weighted_ = !weights.dims.empty();
  target_extent_ = {p.rows, wanted};
  weight_extent_ = {p.rows, {1}};
  if (scored_.temporal && !p.sequence()) {
    fail(Code::kShape, "sample weights", "the output of a model with temporal weights",
         "[B, T, ...]", p.text());
  }
  if (weighted_) {
    Dims full = {data.samples};
    if (scored_.temporal) full.push_back(p.steps()), weight_extent_.dims = {p.steps(), 1};
    if (weights.dims != full)
      fail(Code::kShape, "sample weights", "shape", to_string(full), to_string(weights.dims));
  }
  const int64_t K = p.last(), R = K > 0 ? p.size() / K : 0;
  if (const MaskValue<real>* mask = graph.scored_mask(i_)) {
    if (mask->rows != p.rows || mask->steps != p.steps()) {
      fail(Code::kInternal, "loss", "the mask of the output", to_string({p.rows, p.steps()}),
           to_string({mask->rows, mask->steps}));
    }
  }
  // With metrics, the output has the rows of what is scored.
  const Extent& output = graph.output(i_).extent;
  if (criterion_->metrics() > 0 && output.size() != R * output.last())
    fail(Code::kInternal, "loss", "what it is taken of", to_string({R}) + " rows",
         to_string({output.size(), output.last()}));
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
  scored_.p_dims = memory_dims(p), scored_.y_dims = memory_dims(target_extent_);
  bound_to_ = p, y_dims_ = y.dims, weight_dims_ = weights.dims;
  samples_ = data.samples;
  bound_ = true;
}

template <typename real>
void Loss<real>::check_targets(const Dims& wanted, const DataSet& data) const {
  const Dims& dims = one(data.y, i_).dims;
  if (dims.empty()) fail(Code::kShape, "targets", "y", "given", "nothing");
  if (Dims(dims.begin() + 1, dims.end()) == wanted) return;
  Dims full = wanted;
  full.insert(full.begin(), data.samples);
  fail(Code::kShape, "targets", "shape", to_string(full), to_string(dims));
}

template <typename real>
void Loss<real>::check_labels(const Graph<real>& graph, const DataSet& data) const {
  const std::vector<real>& y = values_of<real>(one(data.y, i_));
  if (criterion_->labelling()) {
    const real* const weights = weighted_ ? values_of<real>(one(data.weights, i_)).data() : nullptr;
    criterion_->check_labels(y.data(), weights, data.samples, scored_.Ky, graph.scored(i_).extent);
  }
  if (!criterion_->sparse()) return;
  const int64_t K = graph.scored(i_).extent.last();
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
  scored_.order = order, scored_.first = first;
  gather(data, order, first);
}

template <typename real>
void Loss<real>::gather(const DataSet& data, const int32_t* order, int64_t first) {
  if (criterion_->has_targets())
    device_->gather(at(y_), values_of<real>(data.y[i_]).data(), target_extent_, order, first);
  if (weighted_)
    device_->gather(at(weights_), values_of<real>(data.weights[i_]).data(), weight_extent_, order,
                    first);
}

template <typename real>
void Loss<real>::value(const Graph<real>& graph, double* loss, double* weighted, double* nothing) {
  const MaskValue<real>* mask = graph.scored_mask(i_);
  scored_.p = graph.scored(i_).data;
  scored_.mask = mask ? mask->data : nullptr;
  scored_.dp = graph.loss_gradient(i_);
  if (graph.reads_more(i_)) scored_.reads = graph.reads(i_);
  criterion_->value(scored_, loss, weighted, nothing);
}

// read(what metrics are of): where the loss is of another value, that is what the model gives.
template <typename real>
template <typename Read>
void Loss<real>::measured(const Graph<real>& graph, const Read& read) const {
  if (criterion_->metrics() == 0) return;
  const Value<real>& output = graph.output(i_);
  if (criterion_->labelling() || output.data == scored_.p) return read(scored_);
  Scored<real> measured = scored_;
  measured.p = output.data;
  measured.K = output.extent.last();
  measured.p_dims = memory_dims(output.extent);
  read(measured);
}

template <typename real>
void Loss<real>::measure(const Graph<real>& graph, double* metrics) {
  measured(graph, [&](const Scored<real>& s) { criterion_->measure(s, metrics); });
}

template <typename real>
void Loss<real>::measure_shard(const Graph<real>& graph, double* parts) {
  measured(graph, [&](const Scored<real>& s) { criterion_->measure_shard(s, parts); });
}

template <typename real>
void Loss<real>::whole_metrics(const Graph<real>& graph, int64_t whole, const double* parts,
                               double* metrics) const {
  measured(graph, [&](const Scored<real>& s) {
    criterion_->whole_metrics(parts, double(s.R / s.B * whole), double(s.K), metrics);
  });
}

template <typename real>
void Loss<real>::gradient(real* dp, double factor) {
  const double weight = scored_.weight;
  scored_.weight *= factor;
  criterion_->gradient(scored_, dp);
  scored_.weight = weight;
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

template <typename real>
Losses<real>::Losses(const Config& spec, Device<real>& device)
    : device_(&device), weighted_(device) {
  const std::vector<Config>& outputs = spec.at("predictions").list;
  for (const Config& output : outputs)
    losses_.push_back(std::make_unique<Loss<real>>(output, losses_.size(), device));
  for (const auto& loss : losses_) {
    if (loss->present() != present())
      fail(Code::kInternal, "spec", "losses", "all or none", "some");
    logs_ += loss->metrics();
  }
  if (losses_.size() > 1) logs_ += static_cast<int>(losses_.size());
  weighted_.reserve(static_cast<int64_t>(std::max<size_t>(2, losses_.size())));
}

template <typename real>
void Losses<real>::bind(const Graph<real>& graph, const DataSet& data) {
  for (const auto& loss : losses_) loss->bind(graph, data);
}

template <typename real>
void Losses<real>::check_labels(const Graph<real>& graph, const DataSet& data) const {
  for (const auto& loss : losses_) loss->check_labels(graph, data);
}

template <typename real>
void Losses<real>::load(const DataSet& data, const int32_t* order, int64_t first) {
  for (const auto& loss : losses_) loss->load(data, order, first);
}

template <typename real>
void Losses<real>::gather(const DataSet& data, const int32_t* order, int64_t first) {
  for (const auto& loss : losses_) loss->gather(data, order, first);
}

template <typename real>
void Losses<real>::value(const Graph<real>& graph, double* logs, double* nothing) {
  const size_t n = losses_.size();
  double* metrics = logs + (n > 1 ? 1 + n : 1);
  for (size_t i = 0; i < n; i++) {
    Loss<real>& loss = *losses_[i];
    loss.value(graph, n > 1 ? logs + 1 + i : weighted_.data() + 1, weighted_.data() + i,
               nothing + i);
    loss.measure(graph, metrics);
    metrics += loss.metrics();
  }
  device_->add_up(logs, weighted_.data(), static_cast<int64_t>(n));
}

template <typename real>
void Losses<real>::gradient(const Graph<real>& graph, const double* factors) {
  for (size_t i = 0; i < losses_.size(); i++) {
    if (real* const dp = graph.loss_gradient(i)) losses_[i]->gradient(dp, factors ? factors[i] : 1);
  }
}

// Of each output its loss, the numbers of ShardSums, and the parts of metrics.
template <typename real>
int Losses<real>::parts() const {
  int n = 0;
  for (const auto& loss : losses_) n += kShardParts + loss->metric_parts();
  return n;
}

template <typename real>
void Losses<real>::shard_value(const Graph<real>& graph, int64_t rows, int64_t whole,
                               double* parts) {
  const double share = double(rows) / double(whole);
  for (const auto& each : losses_) {
    Loss<real>& loss = *each;
    const int metrics = loss.metric_parts();
    weighted_.reserve(3 + metrics);
    double* const number = weighted_.data();
    ShardSums sums;
    loss.shard(whole, &sums);
    loss.value(graph, number, number + 1, number + 2);
    loss.measure_shard(graph, number + 3);
    loss.shard(0, nullptr);
    read_.resize(size_t(3 + metrics));
    device_->download(read_.data(), number, int64_t(read_.size() * sizeof(double)));
    const double all[kShardParts] = {read_[0], sums.mask, sums.steps, sums.counted, sums.weights};
    parts = std::copy(std::begin(all), std::end(all), parts);
    for (int m = 0; m < metrics; m++)
      *parts++ = read_[size_t(3 + m)] * (loss.is_mean(m) ? share : 1);
  }
}

template <typename real>
bool Losses<real>::divided(const Graph<real>& graph) const {
  return std::any_of(losses_.begin(), losses_.end(),
                     [&](const auto& loss) { return loss->divided(graph); });
}

template <typename real>
std::vector<double> Losses<real>::whole_factors(const double* parts) const {
  std::vector<double> factors;
  for (const auto& loss : losses_) {
    const double mask = parts[1], steps = parts[2], counted = parts[3], weights = parts[4];
    double factor = 1;
    if (steps > 0) factor /= mask / steps;
    if (weights > 0) factor /= counted / weights;
    factors.push_back(factor);
    parts += kShardParts + loss->metric_parts();
  }
  return factors;
}

template <typename real>
void Losses<real>::whole_value(const Graph<real>& graph, int64_t whole, const double* parts,
                               double* logs, double* nothing) const {
  const size_t n = losses_.size();
  const std::vector<double> factors = whole_factors(parts);
  double* metrics = logs + (n > 1 ? 1 + n : 1);
  double total = 0;
  for (size_t i = 0; i < n; i++) {
    const double mask = parts[1], steps = parts[2], counted = parts[3], weights = parts[4];
    Nothing why = Nothing::kNone;
    if (steps > 0 && mask == 0) why = Nothing::kMask;
    if (weights > 0 && counted == 0) why = Nothing::kWeights;
    const double value = parts[0] * factors[i];
    if (n > 1) logs[1 + i] = value;
    total += losses_[i]->weight() * value;
    nothing[i] = static_cast<int>(why);
    losses_[i]->whole_metrics(graph, whole, parts + kShardParts, metrics);
    metrics += losses_[i]->metrics();
    parts += kShardParts + losses_[i]->metric_parts();
  }
  *logs = total;
}

template <typename real>
int64_t Losses<real>::bytes() const {
  int64_t n = weighted_.bytes();
  for (const auto& loss : losses_) n += loss->bytes();
  return n;
}

template class Loss<float>;
template class Loss<double>;
template class Losses<float>;
template class Losses<double>;

}  // namespace hs
