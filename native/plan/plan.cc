// Runs: batch after batch of one request. A training step, top to bottom:
//   gather -> forward -> loss -> backward -> penalties and their gradients -> finite?
//   -> clip, update, constrain -> constraints that are programs -> commit states
// Until "finite?" nothing that outlives the batch has been touched, and what follows does nothing
// unless it is 1: a batch that fails or is not finite leaves no trace.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/tiles.h"
#include "plan/array.h"
#include "plan/typed_plan.h"

namespace hs {
namespace {

const char* const kNothingNames[] = {"", "mask", "weights"};  // by Nothing

}  // namespace

template <typename real>
void TypedPlan<real>::check(const DataSet& data) const {
  if (static_cast<int>(data.x.size()) != graph_.inputs()) {
    fail(Code::kShape, "input", "the number of arrays", std::to_string(graph_.inputs()),
         std::to_string(data.x.size()));
  }
  for (size_t i = 0; i < data.x.size(); i++) {
    const Value<real>& input = graph_.input(static_cast<int>(i));
    const Dims& got = data.x[i].dims;
    Dims wanted = input.declared;
    wanted.insert(wanted.begin(), -1);
    bool fits = got.size() == wanted.size();
    for (size_t d = 0; fits && d < got.size(); d++)
      fits = got[d] >= 1 && (wanted[d] < 0 || wanted[d] == got[d]);
    if (!fits)
      fail(Code::kShape, input.name, "shape", to_string(wanted) + " with no extent of 0",
           to_string(got));
    if (got[0] != data.samples) {
      fail(Code::kShape, input.name, "the number of samples", std::to_string(data.samples),
           std::to_string(got[0]));
    }
    if (static_cast<int64_t>(values_of<real>(data.x[i]).size()) != count(got)) {
      fail(Code::kInternal, input.name, "data", float64() ? "float64" : "float32",
           "another precision or length");
    }
  }
  for (const std::vector<Array>* list : {&data.y, &data.weights}) {
    const std::string where = list == &data.y ? "targets" : "sample weights";
    if (!list->empty() && list->size() != graph_.outputs()) {
      fail(Code::kShape, where, "the number of arrays", std::to_string(graph_.outputs()),
           std::to_string(list->size()));
    }
    for (const Array& array : *list) {
      if (array.dims.empty()) continue;
      if (array.dims[0] != data.samples) {
        fail(Code::kShape, where, "the number of samples", std::to_string(data.samples),
             std::to_string(array.dims[0]));
      }
      if (static_cast<int64_t>(values_of<real>(array).size()) != count(array.dims)) {
        fail(Code::kInternal, where, "data", float64() ? "float64" : "float32",
             "another precision or length");
      }
    }
  }
}

template <typename real>
void TypedPlan<real>::check_request(const RunRequest& r) const {
  if (!r.data) fail(Code::kInternal, "run", "data", "given", "nothing");
  check(*r.data);
  if ((learns(r.mode) || r.mode == Mode::kTest) && !losses_.present()) {
    throw Error(Code::kNotCompiled, "run",
                "the model must be compiled with a loss before it is trained or tested.");
  }
  if (r.mode == Mode::kTrain && !update_.trains()) {
    throw Error(Code::kNotCompiled, "run",
                "the model must be compiled with an optimizer before it is trained.");
  }
  if (r.batch_size < 1)
    fail(Code::kOption, "run", "batchSize", "at least 1", std::to_string(r.batch_size));
  const int64_t total = r.order.empty() ? r.data->samples : static_cast<int64_t>(r.order.size());
  if (r.from < 0 || r.from > total) {
    fail(Code::kOption, "run", "from", "a position from 0 to " + std::to_string(total),
         std::to_string(r.from));
  }
}

template <typename real>
void TypedPlan<real>::bind(const RunRequest& r, int64_t rows) {
  std::vector<Extent> inputs;
  for (const Array& x : r.data->x) inputs.push_back({rows, Dims(x.dims.begin() + 1, x.dims.end())});
  const bool backward = learns(r.mode) || (r.mode == Mode::kCall && graph_.has_cost());
  if (backward && operands_ == Operands::kInt8)
    fail(Code::kOption, "run", "the precision", "one with gradients", "mixed_int8");
  graph_.bind(inputs, backward);
  if (r.mode == Mode::kCall) {
    numbers_.reserve(kLoss + 1);
    numbers_read_.resize(size_t(numbers_.size()));
  }
  if (!logs(r.mode)) return;
  losses_.bind(graph_, *r.data);
  numbers_.reserve(kLoss + losses_.logs() + int64_t(graph_.outputs()));
  numbers_read_.resize(size_t(numbers_.size()));
  if (r.mode == Mode::kTrain) update_.prepare(params_);
}

template <typename real>
void TypedPlan<real>::keep(const std::shared_ptr<const DataSet>& data) const {
  for (const std::vector<Array>* list : {&data->x, &data->y, &data->weights}) {
    for (const Array& array : *list) {
      const std::vector<real>& numbers = values_of<real>(array);
      device_->keep(data, numbers.data(), static_cast<int64_t>(numbers.size()));
    }
  }
}

template <typename real>
void TypedPlan<real>::gather_inputs(const DataSet& data, const Batch& batch) {
  for (int i = 0; batch.order && i < batch.rows; i++) {
    const int32_t index = batch.order[i];
    if (index < 0 || index >= data.samples) {
      fail(Code::kOption, "run", "an index of order",
           "from 0 to " + std::to_string(data.samples - 1), std::to_string(index));
    }
  }
  for (int i = 0; i < graph_.inputs(); i++) {
    const Value<real>& input = graph_.input(i);
    device_->gather(input.data, values_of<real>(data.x[size_t(i)]).data(), input.extent,
                    batch.order, batch.first);
  }
}

// The batch after this one, if it has as many rows: memory is laid out for those.
template <typename real>
void TypedPlan<real>::gather_ahead(const RunRequest& r, const Batch& batch) {
  const int64_t first = batch.first + batch.rows;
  const int64_t total = r.order.empty() ? r.data->samples : static_cast<int64_t>(r.order.size());
  if (total - first < batch.rows) return;
  const Batch next{first, batch.rows, batch.order ? batch.order + batch.rows : nullptr};
  device_->ahead([&] {
    gather_inputs(*r.data, next);
    if (r.mode != Mode::kPredict) losses_.gather(*r.data, next.order, next.first);
  });
}

template <typename real>
void TypedPlan<real>::run(const RunRequest& r, RunResult& result,
                          const std::atomic<bool>& cancelled) {
  const Clock::time_point start = Clock::now();
  check_request(r);
  graph_.watch(cancelled);
  keep(r.data);
  const bool logs = this->logs(r.mode);
  const size_t n = logs ? size_t(losses_.logs()) : 0;
  if (result.sums.empty()) result.sums.assign(n, 0.0);
  result.counted.resize(n);
  if (result.sums.size() != n)
    fail(Code::kOption, "run", "sums", std::to_string(n) + " numbers",
         std::to_string(result.sums.size()));
  const int64_t given = r.order.empty() ? r.data->samples : static_cast<int64_t>(r.order.size());
  const int64_t total = r.whole > 0 ? r.whole : given;
  int64_t position = r.from + result.samples;
  while (position < total && !cancelled && (r.max_batches < 0 || result.batches < r.max_batches)) {
    const int64_t rows = std::min(r.batch_size, total - position);
    bind(r, r.team ? tiles_of(rows, r.team->shards()) : rows);
    if (!logs && result.outputs.empty()) {
      int64_t size = 0;
      for (size_t i = 0; i < graph_.outputs(); i++) {
        Dims all = graph_.output(i).extent.dims;
        all.push_back(total - position);
        size = checked_sum(size, checked_count(all, "the outputs"), "the outputs");
      }
      check_budget(size * int64_t(sizeof(real)), host_room(), "the outputs");
    }
    if (logs && labels_seen_.lock() != r.data) {
      losses_.check_labels(graph_, *r.data);
      labels_seen_ = r.data;
    }
    const Batch batch{position, rows, r.order.empty() ? nullptr : r.order.data() + position};
    double work = 0;  // numbers of input: steps, where samples have different lengths
    for (int i = 0; i < graph_.inputs(); i++) work += double(graph_.input(i).extent.size());
    try {
      if (r.team) {
        shared_batch(r, batch, result);
      } else {
        device_->batch(int(r.mode), work, [&] { one_batch(r, batch, result); });
      }
    } catch (const Cancelled&) {
      return;  // a batch that has not been: no parameter and no state has changed
    }
    position += rows;
    result.batches++;
    result.samples += rows;
    if (r.max_ms >= 0 &&
        std::chrono::duration<double, std::milli>(Clock::now() - start).count() >= r.max_ms)
      break;
  }
}

template <typename real>
template <typename Run>
void TypedPlan<real>::repeated(Mode mode, int part, const Run& run) {
  alike_.assign({int64_t(mode), part, static_cast<int64_t>(seed_)});
  for (int i = 0; i < graph_.inputs(); i++) {
    const Extent& extent = graph_.input(i).extent;
    alike_.push_back(extent.rows);
    alike_.insert(alike_.end(), extent.dims.begin(), extent.dims.end());
  }
  if (logs(mode)) losses_.alike(alike_);
  if (mode == Mode::kTrain) update_.alike(alike_);
  device_->repeated(alike_, run);
}

template <typename real>
Work TypedPlan<real>::work(const std::shared_ptr<const DataSet>& data) {
  RunRequest r;
  r.mode = update_.trains() ? Mode::kTrain : Mode::kPredict;
  r.data = data;
  check_request(r);
  bind(r, data->samples);
  return device_->rehearse([&] {
    prepare_batch(r.mode, *data, {0, data->samples, nullptr});
    if (r.mode == Mode::kTrain) return step(r.mode, {});
    graph_.forward(false, {}, false);
  });
}

template <typename real>
void TypedPlan<real>::prepare_batch(Mode mode, const DataSet& data, const Batch& batch) {
  gather_inputs(data, batch);
  if (mode != Mode::kPredict) losses_.load(data, batch.order, batch.first);
}

template <typename real>
void TypedPlan<real>::step(Mode mode, DropoutKey key) {
  graph_.forward(learns(mode), key, true);
  losses_.value(graph_, number(kLoss), number(kLoss + losses_.logs()));
  if (learns(mode)) return learn(mode, key);
  penalties(false);
  graph_.activity_penalty(number(kActivity));
  device_->total(number(kLoss), number(kPenalty), number(kActivity), number(kFinite));
}

template <typename real>
void TypedPlan<real>::one_batch(const RunRequest& r, const Batch& batch, RunResult& result) {
  if (r.mode == Mode::kCall) {
    gather_inputs(*r.data, batch);
    return call(r, result);
  }
  prepare_batch(r.mode, *r.data, batch);
  const DropoutKey key{static_cast<uint64_t>(seed_), static_cast<uint64_t>(step_)};
  if (r.mode == Mode::kPredict) {
    repeated(r.mode, 0, [&] { graph_.forward(false, key, false); });
    gather_ahead(r, batch);
    graph_.look();
    keep_outputs(result);
    graph_.packed_are_current();
    return commit(r.mode);
  }
  const int logs = losses_.logs();
  result.last.resize(size_t(logs));  // now: nothing may fail once weights have changed
  repeated(r.mode, 0, [&] { step(r.mode, key); });
  graph_.packed_are_current();
  gather_ahead(r, batch);
  settle(r, batch, result);
}

template <typename real>
void TypedPlan<real>::settle(const RunRequest& r, const Batch& batch, RunResult& result) {
  const bool learns = this->learns(r.mode);
  const int logs = losses_.logs();
  // All has been asked for: the one wait of a step.
  std::vector<double>& read = numbers_read_;
  device_->download(read.data(), numbers_.data(), numbers_.bytes());
  const bool finite = read[kFinite] != 0;
  if (!finite) graph_.look();
  const bool held = r.mode != Mode::kTrain || !graph_.updates() || read[kHeld] != 0;
  if (!learns) commit(r.mode);
  if (r.mode == Mode::kTrain && finite) {
    graph_.committed();
    update_.applied();
    graph_.trained();
  }
  if (r.mode == Mode::kTrain)
    step_ += 1;  // also past a bad batch: the next one draws other numbers

  std::copy_n(read.begin() + kLoss, logs, result.last.begin());
  // Of the first output of whose loss nothing was left; else of the last output: kNone.
  const auto why = std::find_if(read.begin() + kLoss + logs, read.end() - 1,
                                [](double nothing) { return nothing != 0; });
  const char* const nothing = kNothingNames[int(*why)];
  for (size_t i = 0; i < result.last.size(); i++) {
    if (*nothing && !std::isfinite(result.last[i])) continue;
    result.sums[i] += result.last[i] * double(batch.rows);
    result.counted[i] += batch.rows;
  }
  if (finite && held) return;
  if (result.bad_batch < 0) {
    result.bad_batch = result.batches;
    result.bad_layer =
        finite ? "constraint of " + graph_.update_not_finite() : blamed(learns, result.last[0]);
    result.bad_nothing = nothing;
    // Of a batch that is shared out, nobody knows which targets count.
    Batch seen = batch;
    if (r.whole > 0)
      seen.rows = r.order.empty() ? r.data->samples : static_cast<int64_t>(r.order.size());
    if (!finite) result.bad_number = bad_number(*r.data, seen, !*nothing && !r.team);
  }
  result.bad_batches++;
}

// States become those of a batch in which nothing is learned.
template <typename real>
void TypedPlan<real>::commit(Mode mode) {
  device_->change();
  repeated(mode, 1, [&] { graph_.commit(nullptr); });
  graph_.committed();
}

// Values go out before parameters change; updates read what was there before.
template <typename real>
void TypedPlan<real>::call(const RunRequest& r, RunResult& result) {
  const DropoutKey key{static_cast<uint64_t>(seed_), static_cast<uint64_t>(step_)};
  graph_.forward(r.training, key, false);
  device_->zero(numbers_.data(), numbers_.bytes());
  if (graph_.has_cost()) {
    graph_.seed_cost();
    graph_.backward(number(kActivity));
  }
  graph_.run_after(After::kGradients, r.training, key);
  double* const finite = number(kFinite);
  device_->total(number(kLoss), number(kPenalty), number(kActivity), finite);
  graph_.check_updates(finite);
  graph_.look();
  keep_outputs(result);
  graph_.packed_are_current();
  device_->change();
  graph_.commit(finite);
  graph_.commit_updates(finite);
  device_->download(numbers_read_.data(), numbers_.data(), numbers_.bytes());
  if (r.training) step_ += 1;
  if (numbers_read_[kFinite] != 0) {
    graph_.committed();
    if (graph_.updates()) graph_.params_changed();
    return;
  }
  result.bad_batch = 0;
  result.bad_batches = 1;
  result.bad_layer = graph_.update_not_finite();
}

template <typename real>
BadNumber TypedPlan<real>::bad_number(const DataSet& data, const Batch& batch, bool targets) const {
  BadNumber bad;
  const auto look = [&](const std::string& name, const Array& array, const auto& counts) {
    if (array.dims.empty() || !bad.array.empty()) return;
    const std::vector<real>& numbers = values_of<real>(array);
    const int64_t size = count(array.dims) / array.dims[0];  // of a sample
    for (int64_t b = 0; b < batch.rows; b++) {
      const int64_t sample = batch.order ? batch.order[b] : batch.first + b;
      for (int64_t i = 0; i < size; i++) {
        const real number = numbers[size_t(sample * size + i)];
        if (std::isfinite(number) || !counts(b, i)) continue;
        bad = {name, sample, Dims(array.dims.size() - 1), double(number)};
        int64_t left = i;
        for (size_t axis = bad.at.size(); axis-- > 0; left /= array.dims[axis + 1])
          bad.at[axis] = left % array.dims[axis + 1];
        return;
      }
    }
  };
  const auto always = [](int64_t, int64_t) { return true; };
  for (size_t i = 0; i < data.x.size(); i++) look("x" + std::to_string(i), data.x[i], always);
  for (size_t i = 0; i < data.weights.size(); i++)
    look("weights" + std::to_string(i), data.weights[i], always);
  for (size_t i = 0; targets && i < data.y.size(); i++)
    look("y" + std::to_string(i), data.y[i], losses_.counts(i));
  return bad;
}

template <typename real>
void TypedPlan<real>::learn(Mode mode, DropoutKey key) {
  const bool backward = graph_.learns();
  if (backward) losses_.gradient(graph_);
  if (backward) {
    graph_.backward(number(kActivity));
  } else {
    graph_.activity_penalty(number(kActivity));
  }
  penalties(backward);
  double* const finite = number(kFinite);
  device_->total(number(kLoss), number(kPenalty), number(kActivity), finite);
  params_.check_gradients(finite);
  graph_.check_next(finite);
  if (mode != Mode::kTrain) return;
  device_->change();
  update_.apply(params_, finite);
  hold(key);
  graph_.commit(finite);
}

template <typename real>
void TypedPlan<real>::penalties(bool gradients) {
  params_.penalties(number(kPenalty), gradients);
  graph_.add_penalties(number(kPenalty));
}

// Constraints that are programs: parameters become what those give, where all of it is finite.
template <typename real>
void TypedPlan<real>::hold(DropoutKey key) {
  if (!graph_.updates()) return;
  double* const held = number(kHeld);
  device_->copy(held, number(kFinite), sizeof(double));
  graph_.run_after(After::kUpdate, true, key);
  graph_.check_updates(held);
  graph_.commit_updates(held);
}

template <typename real>
std::string TypedPlan<real>::blamed(bool learns, double loss) const {
  const std::string layer = graph_.first_not_finite();
  if (!layer.empty()) return layer;
  if (!learns || !std::isfinite(loss)) return "loss";
  const int param = params_.first_bad_gradient();
  return param >= 0 ? graph_.layer_of(param) : graph_.next_not_finite();
}

template <typename real>
void TypedPlan<real>::keep_outputs(RunResult& result) const {
  result.outputs.resize(graph_.outputs());
  for (size_t i = 0; i < graph_.outputs(); i++) {
    const Value<real>& y = graph_.output(i);
    Array& to = result.outputs[i];
    std::vector<real>& data = values_of<real>(to);
    if (to.dims.empty()) {
      to.dims = y.extent.dims;
      to.dims.insert(to.dims.begin(), 0);
    }
    const size_t old = data.size();
    data.resize(old + size_t(y.extent.size()));
    device_->scatter(data.data() + old, y.data, y.extent);
    to.dims[0] += y.extent.rows;
  }
}

template <typename real>
int64_t TypedPlan<real>::bytes() const {
  return params_.bytes() + graph_.bytes() + update_.bytes() + losses_.bytes() + device_->bytes();
}

template class TypedPlan<float>;
template class TypedPlan<double>;

}  // namespace hs
