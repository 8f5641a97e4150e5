// Spec -> ops: which layer, which values, which parameters, where gradients flow. Their memory is
// laid out in bind.cc.
#include "graph/graph.h"

#include <algorithm>

namespace hs {

template <typename real>
int Graph<real>::value_named(const std::string& name, const std::string& where) const {
  for (size_t i = 0; i < values_.size(); i++) {
    if (values_[i].name == name) return static_cast<int>(i);
  }
  fail(Code::kInternal, where, "a value it reads", "made before", "'" + name + "'");
}

// The same, or what is named gradient:PATH of a parameter, or gradient:NAME of an input.
template <typename real>
int Graph<real>::value_or_gradient(const std::string& name, const std::string& where) {
  static const std::string prefix = "gradient:";
  const bool known = std::any_of(values_.begin(), values_.end(),
                                 [&](const Value<real>& value) { return value.name == name; });
  if (known || name.compare(0, prefix.size(), prefix) != 0) return value_named(name, where);
  const std::string of = name.substr(prefix.size());
  Value<real> value;
  value.name = name;
  value.gradient_of_param = params_->find(of);
  if (value.gradient_of_param < 0) {
    value.gradient_of_input = value_named(of, where);
    if (value.gradient_of_input >= inputs_)
      fail(Code::kInternal, where, "a gradient", "one of a parameter or of an input",
           "'" + of + "'");
  }
  values_.push_back(std::move(value));
  return static_cast<int>(values_.size()) - 1;
}

template <typename real>
int Graph<real>::mask_named(const std::string& name, const std::string& where) const {
  for (size_t i = 0; i < masks_.size(); i++) {
    if (masks_[i].name == name) return static_cast<int>(i);
  }
  fail(Code::kInternal, where, "a mask it reads", "made before", "'" + name + "'");
}

template <typename real>
Graph<real>::Graph(const Config& spec, Params<real>& params, Device<real>& device)
    : device_(&device), params_(&params) {
  for (const Config& input : spec.at("inputs").list) {
    Value<real> value;
    value.name = input.str("name");
    value.declared = input.dims("dims");
    values_.push_back(std::move(value));
  }
  inputs_ = static_cast<int>(values_.size());
  if (inputs_ == 0) fail(Code::kInternal, "spec", "inputs", "at least one", "none");
  for (const Config& param : spec.at("params").list) params.add(param);
  for (const Config& op : spec.at("ops").list) add_op(op);
  for (const Config& each : spec.at("predictions").list) {
    Output output;
    output.value = value_or_gradient(each.str("value"), "spec");
    if (each.has("mask")) output.mask = mask_named(each.str("mask"), "spec");
    if (each.has("loss")) {
      const Config& loss = each.at("loss");
      const bool is_value = loss.has("value");
      output.scored = is_value             ? value_named(loss.str("value"), "loss")
                      : each.has("scored") ? value_named(each.str("scored"), "loss")
                                           : output.value;
      output.masked = !is_value || output.scored == output.value;
      if (loss.has("reads"))
        for (const std::string& name : loss.strings("reads"))
          output.reads.push_back(value_named(name, "loss"));
    }
    for (const Output& before : outputs_) output.adds |= before.scored == output.scored;
    outputs_.push_back(output);
  }
  if (outputs_.empty()) fail(Code::kInternal, "spec", "predictions", "at least one", "none");
  if (spec.has("cost")) cost_ = value_named(spec.str("cost"), "spec");
  if (spec.has("penalties")) {
    for (const std::string& name : spec.strings("penalties"))
      penalty_values_.push_back(value_named(name, "penalty"));
  }
  if (spec.has("updates")) add_updates(spec.at("updates"));
  allocate_params();
  penalties_.reserve(static_cast<int64_t>(ops_.size()));
  if (looks_) wrong_.reserve(1);
  plan_backward();
  for (const Value<real>& value : values_) {
    if (value.gradient_of_param < 0 && value.gradient_of_input < 0) continue;
    if (cost_ < 0)
      fail(Code::kInternal, value.name, "what it is a gradient of", "spec.cost", "nothing");
    const int param = value.gradient_of_param;
    if (param >= 0 && !params_->learns((*params_)[param]))
      fail(Code::kInternal, value.name, "its parameter", "trainable and used by an op",
           "one that has no gradient");
  }
}

template <typename real>
void Graph<real>::add_updates(const Config& updates) {
  for (const Config& update : updates.list) {
    const std::string& path = update.str("param");
    const int param = params_->find(path);
    if (param < 0)
      fail(Code::kInternal, path, "what is updated", "a parameter", "none of that name");
    updates_.push_back({param, value_or_gradient(update.str("value"), path)});
  }
}

template <typename real>
After Graph<real>::after_named(const Config& spec, const std::string& where) {
  if (!spec.has("after")) return After::kNothing;
  const std::string& name = spec.str("after");
  if (name == "outputs") return After::kOutputs;
  if (name == "gradients") return After::kGradients;
  if (name == "update") return After::kUpdate;
  fail(Code::kInternal, where, "after", "outputs, gradients or update", "'" + name + "'");
}

template <typename real>
void Graph<real>::add_op(const Config& spec) {
  const std::string& kind = spec.str("op");
  const std::string& name = spec.str("layer");
  Op<real> op;
  OpContext context;
  context.name = name;
  context.class_name = spec.str("className", kind);
  context.stream = static_cast<uint32_t>(ops_.size());
  const std::string where = context.where();
  for (const std::string& input : spec.strings("inputs"))
    op.inputs.push_back(value_or_gradient(input, where));
  op.after = after_named(spec, where);
  if (op.inputs.empty()) fail(Code::kInternal, where, "inputs", "at least one", "none");
  context.inputs = op.inputs.size();
  if (spec.has("mask")) op.mask = mask_named(spec.str("mask"), where);
  if (spec.has("activity")) op.activity = Penalty::from(&spec.at("activity"));

  context.trainable = false;
  if (spec.has("params")) {
    for (const Config& entry : spec.at("params").list) {
      ParamUse<real> use;
      use.role = entry.str("name");
      use.param = params_->find(entry.str("param"));
      if (use.param < 0)
        fail(Code::kInternal, where, use.role, "a parameter of the model",
             "'" + entry.str("param") + "'");
      context.trainable = context.trainable || (*params_)[use.param].trainable;
      op.params.push_back(std::move(use));
    }
  }
  static const Config* const none = new Config;
  op.layer = device_->op(kind, spec.has("options") ? spec.at("options") : *none, context);
  if (!op.layer) throw Error(Code::kInternal, name, "there is no op named '" + kind + "'.");
  looks_ = looks_ || op.layer->looks();

  const int index = static_cast<int>(ops_.size());
  for (const std::string& output : spec.strings("outputs"))
    op.more.push_back(add_output(output, where));
  if (op.more.empty()) fail(Code::kInternal, where, "outputs", "at least one", "none");
  op.output = op.more.front();
  op.more.erase(op.more.begin());
  if (spec.has("maskOut")) {
    MaskValue<real> mask;
    mask.name = spec.str("maskOut");
    mask.producer = index;
    op.mask_out = static_cast<int>(masks_.size());
    masks_.push_back(std::move(mask));
  }
  ops_.push_back(std::move(op));
}

template <typename real>
int Graph<real>::add_output(const std::string& name, const std::string& where) {
  for (const Value<real>& other : values_) {
    if (other.name == name)
      fail(Code::kInternal, where, "the name of its output", "unique", "'" + name + "' again");
  }
  Value<real> output;
  output.name = name;
  output.producer = static_cast<int>(ops_.size());
  values_.push_back(std::move(output));
  return static_cast<int>(values_.size()) - 1;
}

template <typename real>
void Graph<real>::allocate_params() {
  std::vector<char> learns(params_->list().size(), 0);
  for (const Op<real>& op : ops_) {
    if (op.late()) continue;
    for (const ParamUse<real>& use : op.params)
      learns[size_t(use.param)] = learns[size_t(use.param)] || op.shape().trainable();
  }
  params_->allocate(learns);
}

template <typename real>
void Graph<real>::forward(bool training, DropoutKey key, bool scored) {
  has_values_ = false;
  if (changes_seen_ != params_->changes()) repack();  // by a plan that shares them
  changes_seen_ = params_->changes();
  if (looks_) device_->zero(wrong_.data(), wrong_.bytes());
  for (Op<real>& op : ops_) {
    if (op.after == After::kNothing || (scored && op.after == After::kOutputs))
      run(op, training, key);
  }
  has_values_ = true;
}

template <typename real>
void Graph<real>::look() {
  real wrong = 0;
  if (looks_) device_->download(&wrong, wrong_.data(), sizeof(wrong));
  if (wrong == 0) return;
  has_values_ = false;
  for (Op<real>& op : ops_) op.layer->look(op.pass);
  throw Error(Code::kInternal, "look", "an op has found its input wrong, and takes it now.");
}

template <typename real>
void Graph<real>::run(Op<real>& op, bool training, DropoutKey key) {
  enter(op, training, key);
  op.layer->forward(op.pass);
}

template <typename real>
void Graph<real>::enter(Op<real>& op, bool training, DropoutKey key) {
  op.pass.training = training;
  op.pass.backward_follows = backward_ && !op.late();
  op.pass.repack = op.fresh;
  op.pass.dropout = key;
  op.pass.cancelled = cancelled_;
}

template <typename real>
void Graph<real>::run_after(After after, bool training, DropoutKey key) {
  for (Op<real>& op : ops_) {
    if (op.after == after) run(op, training, key);
  }
}

template <typename real>
void Graph<real>::check_updates(double* finite) const {
  for (const ParamUpdate& u : updates_) {
    const Value<real>& value = values_[size_t(u.value)];
    device_->check(finite, value.data, nullptr, value.extent.size());
  }
}

template <typename real>
std::string Graph<real>::update_not_finite() const {
  for (const ParamUpdate& u : updates_) {
    const Value<real>& value = values_[size_t(u.value)];
    if (!device_->finite(value.data, nullptr, value.extent.size())) return (*params_)[u.param].path;
  }
  return "";
}

template <typename real>
void Graph<real>::commit_updates(const double* finite) {
  for (const ParamUpdate& u : updates_) {
    const Value<real>& value = values_[size_t(u.value)];
    device_->commit(params_->value((*params_)[u.param]), value.data, value.extent.size(), finite);
  }
}

template <typename real>
std::string Graph<real>::first_not_finite() const {
  for (const Value<real>& value : values_) {
    if (device_->finite(value.data, nullptr, value.extent.size())) continue;
    return value.producer < 0 ? value.name : ops_[size_t(value.producer)].shape().name();
  }
  return "";
}

template <typename real>
const std::string& Graph<real>::layer_of(int param) const {
  for (const Op<real>& op : ops_) {
    for (const ParamUse<real>& use : op.params) {
      if (use.param == param) return op.shape().name();
    }
  }
  return (*params_)[param].path;
}

template <typename real>
void Graph<real>::check_next(double* finite) const {
  for (const Op<real>& op : ops_) {
    for (const Next& next : op.next)
      device_->check(finite, op.pass.at(next.value), nullptr, next.value.size);
  }
}

template <typename real>
std::string Graph<real>::next_not_finite() const {
  for (const Op<real>& op : ops_) {
    for (const Next& next : op.next) {
      if (!device_->finite(op.pass.at(next.value), nullptr, next.value.size))
        return op.shape().name();
    }
  }
  return "";
}

template <typename real>
void Graph<real>::commit(const double* finite) {
  for (Op<real>& op : ops_) {
    op.pass.finite = finite;
    op.layer->commit(op.pass);
    if (!op.pass.training) continue;
    for (const Next& next : op.next) {
      device_->commit(params_->value((*params_)[next.param]), op.pass.at(next.value),
                      next.value.size, finite);
    }
  }
}

template <typename real>
void Graph<real>::packed_are_current() {
  for (Op<real>& op : ops_) op.fresh = false;
}

template <typename real>
void Graph<real>::repack() {
  for (Op<real>& op : ops_) op.fresh = true;
}

template <typename real>
void Graph<real>::params_changed() {
  repack();
  params_->changed();
}

template <typename real>
void Graph<real>::trained() {
  for (Op<real>& op : ops_) op.fresh = op.shape().trainable() || !op.next.empty();
  params_->changed();
  changes_seen_ = params_->changes();
}

template <typename real>
void Graph<real>::reset_states() {
  carry_block_.zero();
  carry_live_ = false;
  early_carries_.clear();
}

template <typename real>
EarlyCarry<real>* Graph<real>::early_carry(const std::string& path) {
  for (EarlyCarry<real>& early : early_carries_) {
    if (early.path == path) return &early;
  }
  return nullptr;
}

template <typename real>
bool Graph<real>::expect_carry(const std::string& path, const Dims& dims) {
  if (!bound_inputs_.empty() || carry_.total() > 0) return false;
  EarlyCarry<real>* early = early_carry(path);
  if (!early) {
    early_carries_.push_back({path, {}, std::make_unique<Block<real>>(*device_)});
    early = &early_carries_.back();
  }
  early->dims = dims;
  early->data->reserve(checked_count(dims, path));
  return true;
}

template <typename real>
int64_t Graph<real>::bytes() const {
  int64_t beside = 0;
  for (const Op<real>& op : ops_) {
    for (const ParamUse<real>& use : op.params) beside += use.grad ? use.grad->bytes() : 0;
  }
  return beside + saved_block_.bytes() + slot_block_.bytes() + carry_block_.bytes() +
         packed_block_.bytes() + scratch_block_.bytes() + grad_block_.bytes() + penalties_.bytes();
}

template class Graph<float>;
template class Graph<double>;

}  // namespace hs
