// The device seam (decision 0033): who owns memory, what a step does between ops, what is made by
// name. A plan has one device and reaches numbers through it alone: a pointer of `real` or of
// `double` points into its memory, unless it says host. Calls are done in the order in which they
// are made.
#pragma once
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/function_ref.h"
#include "base/memory.h"
#include "base/work.h"
#include "device/param.h"
#include "formulas/optimizers/hyper.h"
#include "ops/op.h"

namespace hs {

// A value that a loss reads besides the output, and its gradient; nullptr: none is wanted.
template <typename real>
struct ReadValue {
  const real* x = nullptr;
  real* dx = nullptr;
  Dims dims;  // as it lies
};

// Of a shard: the sum of its mask and how many numbers that has, the weights that are not 0 and how
// many there are; 0 of what there is not. Sums over shards of the first two over the others are the
// means that the loss of the batch is divided by.
struct ShardSums {
  double mask = 0, steps = 0, counted = 0, weights = 0;
};

// What a criterion reads and writes at one batch; R rows of the last axis, in the order of the
// output.
template <typename real>
struct Scored {
  const real* p = nullptr;        // [R, K] the output
  const real* y = nullptr;        // [R, Ky] targets
  const real* weights = nullptr;  // [B], or [T, B] if temporal; nullptr: ones
  const real* mask = nullptr;     // [T, B]; nullptr: ones
  real* coef = nullptr;           // [R] what a row counts; 0: not at all
  real* score = nullptr;          // [R]
  int64_t B = 0, T = 0, R = 0, K = 0, Ky = 0;
  Dims p_dims, y_dims;  // as they lie: time, batch, rest
  real* dp = nullptr;   // [R, K] where gradient() will write; nullptr: it will not be called
  std::vector<ReadValue<real>> reads;  // of a program: its inputs from 2 on
  bool temporal = false;
  double weight = 1;  // of this loss in the total
  // Samples of the batch that these B are a shard of; 0: they are all. The loss of a shard is a sum
  // of what it adds to the mean over the whole, but for what only the whole knows: the means of
  // mask and weights. value() writes what those are taken of.
  int64_t whole = 0;
  ShardSums* sums = nullptr;
  const int32_t* order = nullptr;  // host: what row b is of the data set; nullptr: first + b
  int64_t first = 0;
  int64_t sample(int64_t b) const { return order ? order[b] : first + b; }
};

// Why nothing was left of a loss to take a mean of: a mask of zeros, weights that are all 0.
enum class Nothing : int { kNone, kMask, kWeights };

// An objective and the metrics beside it, over the rows of an output.
template <typename real>
class Criterion {
 public:
  virtual ~Criterion() = default;
  virtual bool sparse() const = 0;         // targets are labels: numbers of classes
  virtual int64_t target_dim() const = 0;  // the last axis of targets; 0: that of the output
  virtual bool has_targets() const = 0;    // else y is nullptr: the numbers themselves are the loss
  // Targets are [L], the labels of a whole sample, whatever the output's shape.
  virtual bool labelling() const { return false; }
  // Before the first batch of a data set, y [samples, L] and weights [samples] of the host: where
  // labelling(). Throws Error(kOption, kShape) for what no batch of outputs [p] could be scored on.
  virtual void check_labels(const real*, const real*, int64_t, int64_t, const Extent&) const {}
  virtual int metrics() const = 0;
  // Fills coef and score; *loss without penalties; *weighted, that times the weight; *nothing, a
  // Nothing.
  virtual void value(const Scored<real>&, double* loss, double* weighted, double* nothing) = 0;
  // Of *weighted, once, after value(), which may have used dp, and measure(); dp [R, K]
  virtual void gradient(const Scored<real>&, real* dp) = 0;
  virtual void measure(const Scored<real>&, double* values) = 0;  // after value(); [metrics()]
  // In its place, of a shard: parts [metric_parts()], which those of the whole batch are added up
  // from: sums, or means, each to be weighed by its share of the samples. whole_metrics(): what
  // their sums are of a batch of `rows` rows; on the host.
  virtual int metric_parts() const { return metrics(); }
  virtual bool is_mean(int /*part*/) const { return true; }
  virtual void measure_shard(const Scored<real>& s, double* parts) { measure(s, parts); }
  virtual void whole_metrics(const double* parts, double /*rows*/, double /*K*/,
                             double* values) const {
    std::copy_n(parts, metrics(), values);
  }
};

// The numbers that an update works on. moments [count, stride], places as those of parameters.
template <typename real>
struct Weights {
  real* values = nullptr;
  real* grads = nullptr;
  real* moments = nullptr;
  int64_t stride = 0;
};

struct Clipping {
  double norm = 0, value = 0;  // 0: none
};

// The update of all parameters from their gradients: clipping, optimizer, constraints.
template <typename real>
class Updater {
 public:
  virtual ~Updater() = default;
  virtual int moments() const = 0;  // arrays of a parameter's size kept between updates
  // Makes room for all that apply() needs. On bad_alloc nothing has changed. Again for a parameter
  // by rows that was none before. begun: there are moments already.
  virtual void prepare(const std::vector<Param>&, bool begun) = 0;
  // Does nothing where *finite is 0. Else it changes values and moments; gradients are clipped in
  // place. Allocates nothing; where it cannot run it throws before it has changed a parameter.
  virtual void apply(const std::vector<Param>&, const Weights<real>&, const Hyper&, const Clipping&,
                     const double* finite) = 0;
  // Moments of rows that an update has left for later are made up to date.
  virtual void settle(const Weights<real>&, const Hyper&) = 0;
  virtual void moment_written(int param) = 0;  // settled before
};

constexpr int kBatchKinds = 5;  // of Device::batch

template <typename real>
class Device : public Memory {
 public:
  // --- made by name. op: nullptr where there is none of that name
  virtual std::unique_ptr<Layer<real>> op(const std::string& name, const Config& options,
                                          const OpContext&) = 0;
  // spec.loss (a name, or a tree: the mean of a value), spec.metrics ({ name, and its argument if
  // it has one } each). Throws Error(kUnknownName).
  virtual std::unique_ptr<Criterion<real>> criterion(const Config& spec) = 0;
  virtual std::unique_ptr<Updater<real>> updater(const std::string& optimizer) = 0;  // or nullptr

  // --- running run() is one batch: `work` numbers of input, of one of kBatchKinds kinds of batches
  // that last alike.
  virtual void batch(int kind, double work, FunctionRef<void()> run) = 0;
  // What is asked for from here to the end of the batch changes what stays after it.
  virtual void change() {}
  // run() asks for work and reads nothing of what that gives. While `alike` is the same, the work
  // is the same but for the step of DropoutKey and the numbers of Hyper, so that a device may keep
  // it, and do it without being asked. run() is called each time, and may be called twice: what it
  // does on the host it can do again.
  virtual void repeated(const std::vector<int64_t>& alike, FunctionRef<void()> run) = 0;
  // What run() asks for is counted and not done; numbers that it reads are 0. Throws
  // Error(kInternal) where a device does at once what it is asked for.
  virtual Work rehearse(FunctionRef<void()> run);
  // What ops have declared holds for as long as this number stays.
  virtual int64_t layout_version() const = 0;
  virtual int64_t bytes() const { return 0; }  // that it holds beside the blocks of others

  // --- verbs
  virtual void fill(real* y, real a, int64_t n) = 0;
  virtual void add(real* y, const real* x, int64_t n) = 0;  // y += x
  virtual void scale(real* y, double a, int64_t n) = 0;     // y *= a
  // Gradients of a parameter: sum += more, n elements. rows: those of `more` that are written, and
  // the note of those of `sum`; nullptr: all are.
  virtual void add_gradient(real* sum, GradRows* sum_rows, const real* more,
                            const GradRows* more_rows, int64_t n) = 0;
  // x_tb (by `to`) <- rows order[0 .. to.rows) of the host's x_bt [N, to.dims...]; order nullptr:
  // rows first, first + 1, ...
  virtual void gather(real* x_tb, const real* host_bt, const Extent& to, const int32_t* order,
                      int64_t first) = 0;
  // run() calls gather() as the next batch will, while the work of this one goes on: a device may
  // begin to send what it takes. It may fail without a word, and then the next batch does it.
  virtual void ahead(FunctionRef<void()> /*run*/) {}
  // host_bt [n] is a part of `data`, which does not change: as long as that lives a device may keep
  // a copy for gather().
  virtual void keep(const std::shared_ptr<const void>& data, const real* host_bt, int64_t n) = 0;
  // The host's y_bt [from.rows, from.dims...] <- y_tb (by `from`)
  virtual void scatter(real* host_bt, const real* y_tb, const Extent& from) const = 0;
  // *sum += the penalty on w [dims...]. dw nullptr, or dw += gradient; rows: all count as written
  // then.
  virtual void penalize(double* sum, const Penalty&, const real* w, real* dw, GradRows* rows,
                        const Dims& dims) = 0;
  virtual void add_up(double* sum, const double* parts, int64_t n) = 0;  // *sum = parts, in order
  virtual void add_number(double* sum, const real* x) = 0;               // *sum += *x
  // *loss += *penalty + *activity; *finite = whether that is a finite number, 1 or 0
  virtual void total(double* loss, const double* penalty, const double* activity,
                     double* finite) = 0;
  // *finite = 0 where one of x [n] is not; of a gradient by rows, of the rows that are written
  virtual void check(double* finite, const real* x, const GradRows* rows, int64_t n) = 0;
  // The same, told at once: for whoever looks for the one among many that is not.
  virtual bool finite(const real* x, const GradRows* rows, int64_t n) const = 0;
  // to <- from, n elements, but where *finite is 0; nullptr: always
  virtual void commit(real* to, const real* from, int64_t n, const double* finite) = 0;
};

// How the operands of products of floats are rounded: to bfloat16 (decision 0015); to 11
// significant bits where a card does that (decision 0050), which is no promise: elsewhere not; to
// integers of 8 bits with a scale (decision 0067).
enum class Operands { kExact, kTf32, kBfloat16, kInt8 };

// name: "cpu", "cuda" (the first card) or "cuda:N". Throws Error(kUnknownName), which says the
// names that there are; Error(kDevice) where there is no such card.
template <typename real>
std::unique_ptr<Device<real>> make_device(const std::string& name, Operands operands);

}  // namespace hs
