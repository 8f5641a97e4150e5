// The ops of a model over named values: their memory at one extent, a pass forward, a pass back.
#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/arena.h"
#include "base/function_ref.h"
#include "graph/params.h"

namespace hs {

// A value between ops: `rows` samples of some shape. One op makes it, or it comes from outside; any
// number of ops read it.
template <typename real>
struct Value {
  std::string name;
  Dims declared;      // inputs only: without the batch axis, -1 where unknown
  int producer = -1;  // the op that makes it; -1: an input or a gradient
  // The parameter or the input whose gradient this value is, known once the graph has gone
  // backward; -1: it is none.
  int gradient_of_param = -1, gradient_of_input = -1;
  // at the extent bound last
  Extent extent;
  real* data = nullptr;
  real* grad = nullptr;  // nullptr: none needed
};

template <typename real>
struct MaskValue {
  std::string name;
  int producer = -1;
  int64_t steps = 0, rows = 0;
  real* data = nullptr;  // [T, B]
};

// A parameter that its op moves itself, and the saved tensor that it becomes (Declaration::next).
struct Next {
  int param;
  Tensor value;
};

// What must be there when an op runs, besides its inputs: nothing; outputs, and a loss that the op
// is part of (it computes a penalty); gradients; new values of parameters.
enum class After { kNothing, kOutputs, kGradients, kUpdate };

// One op's use of a parameter of the model.
template <typename real>
struct ParamUse {
  std::string role;  // what the op calls it: "W"
  int param;
  // Whether another op, later in the graph, writes the gradient before this one goes backward: then
  // this op's own gradient is made in other memory (Pass::beside) and added.
  bool adds = false;
  // That memory of a parameter by rows, [rows, width], and which of its rows a batch has written:
  // the others are zero and stay so. nullptr: not by rows.
  std::unique_ptr<GradRows> rows;
  std::unique_ptr<Block<real>> grad;
  int64_t offset = -1;  // of any other parameter: where that memory lies among gradients of values
};

template <typename real>
struct Op {
  std::unique_ptr<Layer<real>> layer;
  const OpShape& shape() const { return layer->shape(); }
  std::vector<int> inputs;
  int output = -1;
  std::vector<int> more;         // outputs after the first
  int mask = -1, mask_out = -1;  // the mask that it reads, and the one that it makes
  std::vector<ParamUse<real>> params;
  std::vector<Next> next;  // at the extent bound last
  Penalty activity;        // of the output
  // something trainable lies here or below, and a gradient reaches the output
  bool backward = false;
  // No other op writes the gradient of the first output: the graph makes it zeros, to which the
  // activity penalty adds.
  bool seeds = false;
  After after = After::kNothing;
  // It runs when the graph has gone backward.
  bool late() const { return after >= After::kGradients; }
  bool fresh = true;  // parameters have changed since the packed tensors were filled
  Pass<real> pass;
  // per input: where dx is to be added, if another consumer has written it already; else nullptr
  std::vector<real*> add_to;
};

// A state that was written before there was room for it.
template <typename real>
struct EarlyCarry {
  std::string path;  // "lstm_1/h"
  Dims dims;
  std::unique_ptr<Block<real>> data;  // [dims]
};

// What a graph gives: a value, and what the loss of it is taken of.
struct Output {
  int value = -1;
  int mask = -1;           // of the value
  int scored = -1;         // the value, or another; -1: no loss
  bool masked = false;     // the mask is that of what is scored, too
  std::vector<int> reads;  // further values that the loss reads
  // Another output has the same value and has written its gradient: this one's is made beside it
  // and added. Offset among other gradients of values, at the extent bound last.
  bool adds = false;
  int64_t offset = -1;
};

// A value that a parameter becomes at the end of a call.
struct ParamUpdate {
  int param, value;
};

template <typename real>
class Graph {
 public:
  // spec: lib/spec.ts. Adds the parameters of the model to params and allocates them.
  Graph(const Config& spec, Params<real>& params, Device<real>& device);

  int inputs() const { return inputs_; }
  const Value<real>& input(int i) const { return values_[static_cast<size_t>(i)]; }
  size_t outputs() const { return outputs_.size(); }
  const Value<real>& output(size_t i) const { return values_[size_t(outputs_[i].value)]; }
  // What the loss of an output is taken of: the output, or another value.
  const Value<real>& scored(size_t i) const { return values_[size_t(outputs_[i].scored)]; }
  const MaskValue<real>* scored_mask(size_t i) const {
    const Output& o = outputs_[i];
    return o.mask >= 0 && o.masked ? &masks_[size_t(o.mask)] : nullptr;
  }
  // What the loss of an output reads besides, and its gradients, which the loss writes.
  std::vector<ReadValue<real>> reads(size_t i) const {
    std::vector<ReadValue<real>> reads;
    for (int v : outputs_[i].reads) {
      const Value<real>& value = values_[size_t(v)];
      reads.push_back({value.data, value.grad, memory_dims(value.extent)});
    }
    return reads;
  }
  bool reads_more(size_t i) const { return !outputs_[i].reads.empty(); }
  // Where its loss writes its gradient; nullptr: it needs none. Another place than that of the
  // value where it is to be added there.
  real* loss_gradient(size_t i) const;
  // Whether there is something trainable below the outputs.
  bool learns() const { return values_wanting_ > 0; }

  // Lays out all memory for these inputs. Costs microseconds where nothing has to grow; nothing at
  // all where they are the ones bound last. Keeps carry; ERR_SHAPE when states are kept for another
  // batch size.
  void bind(const std::vector<Extent>& inputs, bool backward);
  // The values, masks and saved tensors are those of one whole forward pass; before, and when one
  // fails, there is nothing to show.
  bool has_values() const { return bound_ && has_values_; }

  // Ops may end a pass by throwing Cancelled when it becomes true.
  void watch(const std::atomic<bool>& cancelled) { cancelled_ = &cancelled; }
  // Throws what an op could not take of its inputs in the last forward pass, which it waits for;
  // such a pass has a loss that is not finite.
  void look();
  // scored: penalties are asked for.
  void forward(bool training, DropoutKey key, bool scored);
  // While the graph goes backward: gradients of parameters from this place on are final.
  using Ready = FunctionRef<void(int64_t from)>;
  // The gradients of the losses have been written. *activity: as activity_penalty(). ready is
  // called after each op that goes backward.
  void backward(double* activity, const Ready* ready = nullptr);
  // The places that backward() calls `ready` with: falling, the last is 0.
  std::vector<int64_t> ready_places() const;
  // A call (Mode::kCall): what its gradients are of, a value whose numbers count 1 each.
  bool has_cost() const { return cost_ >= 0; }
  void seed_cost() {
    const Value<real>& cost = values_[size_t(cost_)];
    if (cost.grad) device_->fill(cost.grad, 1, cost.extent.size());
  }
  // Ops that come after gradients, or after the update; follows backward().
  void run_after(After, bool training, DropoutKey key);
  void check_updates(double* finite) const;   // *finite = 0 where a new value of a parameter is not
  void commit_updates(const double* finite);  // parameters become those, unless *finite is 0
  std::string update_not_finite() const;      // the first parameter of which one is not, or ""
  bool updates() const { return !updates_.empty(); }
  void activity_penalty(double* activity) const;  // of the values of the last forward
  bool has_activity() const;
  // Those that are values, of the last forward; NaN where an op could not take its input.
  void add_penalties(double* sum) const;
  std::string first_not_finite() const;  // input or layer whose values are not, or ""
  const std::string& layer_of(int param) const;

  // Next values (Declaration::next) of the last forward in training.
  void check_next(double* finite) const;  // *finite = 0 where one is not finite
  std::string next_not_finite() const;    // the layer of the first that is not, or ""
  // States of stateful layers, and running statistics in training, become those of this batch, but
  // where *finite is 0; nullptr: always. committed(): they have.
  void commit(const double* finite);
  void committed() { carry_live_ = carry_live_ || carry_.total() > 0; }
  void packed_are_current();  // a whole step has run: packed tensors are filled
  void params_changed();      // all of them: weights were written
  void trained();             // the trainable ones
  void repack();              // the next pass fills packed tensors anew
  void reset_states();
  int64_t bytes() const;

  // For Plan::read: places of saved tensors and carry, by "layer/name".
  const Place* saved_place(const std::string& path) const {
    return has_values() ? saved_.find(path) : nullptr;
  }
  const Place* carry_place(const std::string& path) const { return carry_.find(path); }
  real* saved_at(const Place& p) const { return saved_block_.data() + p.offset; }
  real* carry_at(const Place& p) const { return carry_block_.data() + p.offset; }
  const Layout& saved() const { return saved_; }
  const Layout& carry() const { return carry_; }
  const std::vector<Value<real>>& values() const { return values_; }
  const std::vector<MaskValue<real>>& masks() const { return masks_; }
  // Of "lstm_1/h" before the first batch, which makes room for states: nullptr where none was
  // written. The first batch forgets those that it has no room of that shape for.
  EarlyCarry<real>* early_carry(const std::string& path);
  const std::vector<EarlyCarry<real>>& early_carries() const { return early_carries_; }
  // Room for one to be written; false after the first batch.
  bool expect_carry(const std::string& path, const Dims& dims);

 private:
  class Binder;
  void add_op(const Config& spec);
  int add_output(const std::string& name, const std::string& where);  // of the op to come
  void allocate_params();
  void add_gradient(const ParamUse<real>& use, const Pass<real>& pass);
  void penalize_output(const Op<real>& op, real* grad) const;
  int value_named(const std::string& name, const std::string& where) const;
  int value_or_gradient(const std::string& name, const std::string& where);
  void add_updates(const Config& updates);
  void enter(Op<real>& op, bool training, DropoutKey key);
  void run(Op<real>& op, bool training, DropoutKey key);
  static After after_named(const Config& spec, const std::string& where);
  int mask_named(const std::string& name, const std::string& where) const;
  void plan_backward();
  void plan_ready();
  void lay_out(bool backward, Layout& carry, Layout& packed);
  void lay_out_more(Op<real>& op);
  int64_t place_gradients();  // returns what it needs beside the block of gradients
  void keep_carry(const Layout& carry);
  void take_early_carries();
  void resolve_pointers();

  Device<real>* const device_;
  Params<real>* params_;
  std::vector<Value<real>> values_;
  std::vector<MaskValue<real>> masks_;
  std::vector<Op<real>> ops_;
  int inputs_ = 0, values_wanting_ = 0;
  std::vector<Output> outputs_;
  int cost_ = -1;
  std::vector<int> penalty_values_;  // values of one number each, added to the loss
  std::vector<ParamUpdate> updates_;
  std::vector<char> wants_;          // per value: a gradient is needed
  std::vector<int> unreached_;       // trainable parameters that no gradient reaches: zero
  std::vector<int64_t> ready_from_;  // per op: the place of Ready once it has gone backward

  // at the extent bound last
  bool bound_ = false, backward_ = false, has_values_ = false;
  int64_t version_ = 0;  // of the device's layouts
  std::vector<Extent> bound_inputs_;
  Layout saved_, slots_, carry_, packed_;
  int64_t scratch_ = 0;
  Overlay gradients_;
  // per value, mask, value; -1: none
  std::vector<int64_t> slot_offset_, mask_offset_, grad_offset_;
  // per op and input: gradient to be added, -1: written directly
  std::vector<std::vector<int64_t>> extra_offset_;
  std::vector<int64_t> saved_offset_;  // per value: it lies in `saved`; -1: it does not
  std::vector<char> is_input_;         // per value: it is its op's first input, seen differently
  Block<real> saved_block_{*device_}, slot_block_{*device_}, carry_block_{*device_},
      packed_block_{*device_}, scratch_block_{*device_}, grad_block_{*device_};
  Block<double> penalties_{*device_};  // [ops] of their outputs
  bool looks_ = false;                 // an op does
  Block<real> wrong_{*device_};        // [1] if looks_: 0, or NaN
  int64_t changes_seen_ = 0;           // of parameters, when packed tensors were last looked at
  const std::atomic<bool>* cancelled_ = nullptr;
  bool carry_live_ = false;  // states are worth keeping
  std::vector<EarlyCarry<real>> early_carries_;
};

}  // namespace hs
