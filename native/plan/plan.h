// A compiled model: a flat list of ops over named slots, in topological order, with all the memory
// they need. Free of Node; native/addon/ wraps it, native/test/ drives it. One thread at a time may
// use a plan (engine.h sees to that).
#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/config.h"
#include "base/shape.h"
#include "base/work.h"
#include "plan/array.h"

namespace hs {

// kGradient: forward and backward, no update (read "layer/W:grad"). kCall: the function that a
// program of expressions is: forward, backward from spec.cost, ops `after`, outputs, spec.updates.
enum class Mode { kTrain, kTest, kPredict, kGradient, kCall };

struct DataSet {  // copied once; shared by the runs that use it
  std::vector<Array> x;
  // One an output of the model, or none at all.
  std::vector<Array> y;        // empty dims: none
  std::vector<Array> weights;  // [N] or, temporal, [N, T]; empty dims: ones
  int64_t samples = 0;
};

class Team;

struct RunRequest {
  Mode mode = Mode::kPredict;
  bool training = false;  // kCall only: Keras' learning phase
  std::shared_ptr<const DataSet> data;
  std::vector<int32_t> order;  // indices of samples; empty: 0, 1, 2, ...
  int64_t from = 0;            // position in `order` of the first sample
  int64_t batch_size = 32;
  int64_t max_batches = -1;  // -1: to the end
  double max_ms = -1;        // stop after the batch in which this much time has passed
  std::vector<double> sums;  // of the samples before `from`; empty: zeros. Sums go on from these
  // kTrain, kTest: those who share out every batch of this run; nullptr: nobody. All of them make
  // the same request.
  std::shared_ptr<Team> team;
  uint32_t mark = 0;  // with a team: another one for other data and settings
  // With a team, where each has rows of its own: this run is of one batch of `whole` rows, and data
  // and order are those from `before` on. 0: they are all of it.
  int64_t whole = 0, before = 0;
};

// A number of a DataSet that is not finite.
struct BadNumber {
  std::string array;    // "x0", "x1", ...; "y0", ...; "weights0", ...; "": none
  int64_t sample = -1;  // of the data set
  Dims at;              // where in the sample: one index an axis
  double value = 0;     // in the precision of the plan
};

struct RunResult {
  RunResult() = default;
  explicit RunResult(const RunRequest& r) : sums(r.sums) {}
  int64_t batches = 0, samples = 0;  // done
  // Per log (those of Losses): value of each batch times its size, summed.
  std::vector<double> sums;
  // Per log: samples of the batches that this run has added to sums. A batch of whose loss nothing
  // is left (a mask of zeros, weights that are all 0) adds no log that is not finite.
  std::vector<int64_t> counted;
  std::vector<double> last;    // values of the last batch
  std::vector<Array> outputs;  // kPredict only: of each output, [samples, dims...]
  // first batch (counted from 0 within this run) with a non-finite loss or gradient
  int64_t bad_batch = -1;
  // First layer there whose values are not finite. "constraint of " and a parameter: the batch has
  // changed weights, without the constraints that are programs.
  std::string bad_layer;
  std::string bad_nothing;  // why nothing was left of its loss: "mask", "weights"; else ""
  BadNumber bad_number;     // the first in its data
  int64_t bad_batches = 0;
};

class Plan {
 public:
  virtual ~Plan() = default;
  // Goes on where `so_far`, made from the same request, stands: its batches and samples are done,
  // its sums are added to, so that the bits of a sum do not depend on where a run was cut. When it
  // throws, so_far tells what was done before.
  virtual void run(const RunRequest&, RunResult& so_far, const std::atomic<bool>& cancelled) = 0;
  RunResult run(const RunRequest& request, const std::atomic<bool>& cancelled) {
    RunResult result(request);
    run(request, result, cancelled);
    return result;
  }
  // How much the data as one batch would ask of a card, in training where the plan has an
  // optimizer. Nothing is done. Throws Error(kOption) for what the card refuses,
  // Error(kOutOfMemory), Error(kInternal) on another device.
  virtual Work work(const std::shared_ptr<const DataSet>&) = 0;
  // "lstm_1/W" parameter, "lstm_1/W:grad", "lstm_1/W:0" first moment, "lstm_1/h:carry" kept state,
  // "lstm_1/gates" what an op saved (time-major), "lstm_1" the last values of a slot and
  // "masking_1/mask" of a mask (batch-major), "optimizer/iterations", "optimizer/m_schedule",
  // "random/seed", "random/step". ERR_UNKNOWN_NAME.
  virtual Array read(const std::string& name) const = 0;
  // Parameters, moments, carry, optimizer/... and random/.... ERR_UNKNOWN_NAME, ERR_SHAPE. A carry
  // may be written before the first batch: it counts if that batch has one of its name and shape.
  // With `from`, a part of a tensor: the array [n] is for the numbers from there on, in C order.
  virtual void write(const std::string& name, const Array&, int64_t from = -1) = 0;
  // "lr" "momentum" "nesterov" "rho" "beta1" "beta2" "epsilon" "decay" "scheduleDecay" "clipnorm"
  // "clipvalue" "seed" "step"
  virtual void set(const std::string& key, double value) = 0;
  virtual void reset_states() = 0;
  virtual bool float64() const = 0;
  virtual std::vector<std::string> names() const = 0;  // everything read() knows now
  // Checks what can be said of data before they are run: number of inputs, axes, samples. ERR_SHAPE
  virtual void check(const DataSet&) const = 0;
  virtual int64_t bytes() const = 0;  // of native memory
};

// spec: lib/spec.ts, `Spec`. Throws ERR_SHAPE, ERR_UNKNOWN_NAME, ERR_INTERNAL.
// weights_of: a plan whose parameters it has instead of its own, each under the name that it says
// it is `from`, on the device of that plan. No two such plans may be in use at one time; either
// may be destroyed first.
std::unique_ptr<Plan> compile(const Config& spec, const Plan* weights_of = nullptr);

}  // namespace hs
