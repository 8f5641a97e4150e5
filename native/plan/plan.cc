// Runs: batch after batch of one request. A training step, top to bottom:
//   gather -> forward -> loss -> backward -> penalties and their gradients -> finite? -> clip, update, constrain -> commit states
// Until "finite?" nothing that outlives the batch has been touched, so a batch that fails or is not finite leaves no trace.
#include <cmath>
#include <optional>

#include "base/error.h"
#include "base/parallel.h"
#include "plan/batch.h"
#include "plan/plan_of.h"
#include "plan/values.h"

namespace hs {

template <typename real>
void PlanOf<real>::check(const DataSet& data) const {
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
  for (const Array* array : {&data.y, &data.weights}) {
    if (array->dims.empty()) continue;
    const std::string where = array == &data.y ? "targets" : "sample weights";
    if (array->dims[0] != data.samples) {
      fail(Code::kShape, where, "the number of samples", std::to_string(data.samples),
           std::to_string(array->dims[0]));
    }
    if (static_cast<int64_t>(values_of<real>(*array).size()) != count(array->dims)) {
      fail(Code::kInternal, where, "data", float64() ? "float64" : "float32",
           "another precision or length");
    }
  }
}

template <typename real>
void PlanOf<real>::check_request(const RunRequest& r) const {
  if (!r.data) fail(Code::kInternal, "run", "data", "given", "nothing");
  check(*r.data);
  const bool learns = r.mode == Mode::kTrain || r.mode == Mode::kGradient;
  if ((learns || r.mode == Mode::kTest) && !loss_.present()) {
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
void PlanOf<real>::bind(const RunRequest& r, int64_t rows) {
  std::vector<Extent> inputs;
  for (const Array& x : r.data->x) inputs.push_back({rows, Dims(x.dims.begin() + 1, x.dims.end())});
  const bool backward = r.mode == Mode::kTrain || r.mode == Mode::kGradient;
  graph_.bind(inputs, backward);
  if (r.mode == Mode::kPredict) return;
  loss_.bind(graph_, *r.data);
  if (r.mode == Mode::kTrain) update_.prepare(params_);
}

template <typename real>
void PlanOf<real>::gather_inputs(const DataSet& data, const Batch& batch) {
  for (int i = 0; batch.order && i < batch.rows; i++) {
    const int32_t index = batch.order[i];
    if (index < 0 || index >= data.samples) {
      fail(Code::kOption, "run", "an index of order",
           "from 0 to " + std::to_string(data.samples - 1), std::to_string(index));
    }
  }
  for (int i = 0; i < graph_.inputs(); i++) {
    const Value<real>& input = graph_.input(i);
    gather(input.data, values_of<real>(data.x[size_t(i)]).data(), input.extent, batch.order,
           batch.first);
  }
}

template <typename real>
void PlanOf<real>::run(const RunRequest& r, RunResult& result, const std::atomic<bool>& cancelled) {
  const Clock::time_point start = Clock::now();
  check_request(r);
  const bool logs = r.mode != Mode::kPredict;
  const size_t n = logs ? size_t(loss_.logs()) : 0;
  if (result.sums.empty()) result.sums.assign(n, 0.0);
  result.counted.resize(n);
  if (result.sums.size() != n)
    fail(Code::kOption, "run", "sums", std::to_string(n) + " numbers",
         std::to_string(result.sums.size()));
  const int64_t total = r.order.empty() ? r.data->samples : static_cast<int64_t>(r.order.size());
  int64_t position = r.from + result.samples;
  while (position < total && !cancelled && (r.max_batches < 0 || result.batches < r.max_batches)) {
    const int64_t rows = std::min(r.batch_size, total - position);
    bind(r, rows);
    if (!logs && result.outputs.dims.empty()) {
      Dims all = graph_.output().extent.dims;
      all.push_back(total - position);
      check_budget(checked_count(all, "the outputs"), sizeof(real), "the outputs");
    }
    if (logs && labels_seen_.lock() != r.data) {
      loss_.check_labels(*r.data, graph_.output().extent.last());
      labels_seen_ = r.data;
    }
    paced_batch(r, {position, rows, r.order.empty() ? nullptr : r.order.data() + position}, result);
    position += rows;
    result.batches++;
    result.samples += rows;
    if (r.max_ms >= 0 &&
        std::chrono::duration<double, std::milli>(Clock::now() - start).count() >= r.max_ms)
      break;
  }
}

template <typename real>
void PlanOf<real>::paced_batch(const RunRequest& r, const Batch& batch, RunResult& result) {
  if (threads() == 1) return one_batch(r, batch, result);
  using Ms = std::chrono::duration<double, std::milli>;
  Pace& pace = pace_[int(r.mode)];
  const Clock::time_point now = Clock::now();
  // A short wait for the next batch counts: threads that wait for it, too, may be what slows its caller.
  const Clock::time_point start = Ms(now - batch_end_).count() < 1 ? batch_end_ : now;
  {
    std::optional<Inline> alone;
    if (pace.alone()) alone.emplace();
    one_batch(r, batch, result);
  }
  batch_end_ = Clock::now();
  double work = 0;  // numbers of input: steps, where samples have different lengths
  for (int i = 0; i < graph_.inputs(); i++) work += double(graph_.input(i).extent.size());
  pace.took(Ms(batch_end_ - start).count(), work, threads());
}

template <typename real>
void PlanOf<real>::one_batch(const RunRequest& r, const Batch& batch, RunResult& result) {
  gather_inputs(*r.data, batch);
  const bool learns = r.mode == Mode::kTrain || r.mode == Mode::kGradient;
  if (r.mode != Mode::kPredict) loss_.load(*r.data, batch.order, batch.first);
  const DropoutKey key{static_cast<uint64_t>(seed_), static_cast<uint64_t>(step_)};
  graph_.forward(learns, key);
  if (r.mode == Mode::kPredict) {
    keep_outputs(result);
    graph_.packed_are_current();
    graph_.commit();
    return;
  }
  double loss = loss_.value(graph_);
  result.last.resize(size_t(loss_.logs()));
  loss_.metrics(graph_, result.last.data() + 1);

  std::string bad_layer;
  if (learns) {
    if (!learn(r, loss, bad_layer))
      graph_.params_changed();  // backward may not have filled its packed tensors
    if (r.mode == Mode::kTrain)
      step_ += 1;  // also past a bad batch: the next one draws other numbers
  } else {
    loss += params_.penalties(false, &k_) + graph_.activity_penalty();
    graph_.packed_are_current();
    graph_.commit();
    if (!std::isfinite(loss)) bad_layer = graph_.first_not_finite();
    if (!std::isfinite(loss) && bad_layer.empty()) bad_layer = "loss";
  }
  result.last[0] = loss;
  for (size_t i = 0; i < result.last.size(); i++) {
    if (*loss_.nothing() && !std::isfinite(result.last[i])) continue;
    result.sums[i] += result.last[i] * double(batch.rows);
    result.counted[i] += batch.rows;
  }
  if (bad_layer.empty()) return;
  if (result.bad_batch < 0) {
    result.bad_batch = result.batches;
    result.bad_layer = bad_layer;
    result.bad_nothing = loss_.nothing();
    result.bad_number = bad_number(*r.data, batch);
  }
  result.bad_batches++;
}

template <typename real>
BadNumber PlanOf<real>::bad_number(const DataSet& data, const Batch& batch) const {
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
  look("weights", data.weights, always);
  if (!*loss_.nothing())
    look("y", data.y, [&](int64_t b, int64_t i) { return loss_.counts(b, i); });
  return bad;
}

template <typename real>
bool PlanOf<real>::learn(const RunRequest& r, double& loss, std::string& bad_layer) {
  const auto blame = [&](const std::string& otherwise) {
    bad_layer = graph_.first_not_finite();
    if (bad_layer.empty()) bad_layer = otherwise;
    return false;
  };
  const bool backward = graph_.learns() && (std::isfinite(loss) || r.mode == Mode::kGradient);
  if (backward && graph_.output().grad) loss_.gradient(graph_, graph_.output().grad);
  const double activity = backward ? graph_.backward() : graph_.activity_penalty();
  loss += params_.penalties(backward, &k_) + activity;
  int bad_param = -1;
  if (!std::isfinite(loss)) return blame("loss");
  if (!params_.gradients_finite(&k_, &bad_param)) return blame(graph_.layer_of(bad_param));
  const std::string bad_next = graph_.next_not_finite();
  if (!bad_next.empty()) return blame(bad_next);
  graph_.packed_are_current();
  if (r.mode == Mode::kGradient) return true;
  update_.apply(params_);
  graph_.trained();
  graph_.commit();
  return true;
}

template <typename real>
void PlanOf<real>::keep_outputs(RunResult& result) const {
  const Value<real>& y = graph_.output();
  Array& to = result.outputs;
  std::vector<real>& data = values_of<real>(to);
  if (to.dims.empty()) {
    to.dims = y.extent.dims;
    to.dims.insert(to.dims.begin(), 0);
  }
  const size_t old = data.size();
  data.resize(old + size_t(y.extent.size()));
  scatter(data.data() + old, y.data, y.extent);
  to.dims[0] += y.extent.rows;
}

template <typename real>
int64_t PlanOf<real>::bytes() const {
  return params_.bytes() + graph_.bytes() + update_.bytes() + loss_.bytes();
}

template class PlanOf<float>;
template class PlanOf<double>;

}  // namespace hs
