// Spec -> ops: which layer, which values, which parameters, where gradients flow. Memory is bind.cc's business.
#include "plan/graph.h"

#include <algorithm>
#include <unordered_map>

#include "base/chunks.h"
#include "registry.inc"

namespace hs {

#define HS_DECLARE(name)   \
  template <typename real> \
  std::unique_ptr<Layer<real>> make_##name(const Config&, const OpContext&, const Table<real>&);
HS_LAYERS(HS_DECLARE)
#undef HS_DECLARE

namespace {

template <typename real>
LayerFactory<real> factory(const std::string& op) {
#define HS_ENTRY(name) {#name, &make_##name<real>},
  static const auto* const table =
      new std::unordered_map<std::string, LayerFactory<real>>{HS_LAYERS(HS_ENTRY)};
#undef HS_ENTRY
  const auto it = table->find(op);
  return it == table->end() ? nullptr : it->second;
}

}  // namespace

template <typename real>
int Graph<real>::value_named(const std::string& name, const std::string& where) const {
  for (size_t i = 0; i < values_.size(); i++) {
    if (values_[i].name == name) return static_cast<int>(i);
  }
  fail(Code::kInternal, where, "a value it reads", "made before", "'" + name + "'");
}

template <typename real>
int Graph<real>::mask_named(const std::string& name, const std::string& where) const {
  for (size_t i = 0; i < masks_.size(); i++) {
    if (masks_[i].name == name) return static_cast<int>(i);
  }
  fail(Code::kInternal, where, "a mask it reads", "made before", "'" + name + "'");
}

template <typename real>
Graph<real>::Graph(const Config& spec, Params<real>& params, const Table<real>* k)
    : k_(k), params_(&params) {
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
  output_ = value_named(spec.str("output"), "spec");
  if (spec.has("outputMask")) output_mask_ = mask_named(spec.str("outputMask"), "spec");
  allocate_params();
  has_loss_ = spec.has("loss");
  plan_backward();
}

template <typename real>
void Graph<real>::add_op(const Config& spec) {
  const std::string& kind = spec.str("op");
  const std::string& name = spec.str("layer");
  const LayerFactory<real> make = factory<real>(kind);
  if (!make) throw Error(Code::kInternal, name, "there is no op named '" + kind + "'.");
  Op<real> op;
  OpContext context;
  context.name = name;
  context.class_name = spec.str("className", kind);
  context.stream = static_cast<uint32_t>(ops_.size());
  const std::string where = context.where();
  for (const std::string& input : spec.strings("inputs"))
    op.inputs.push_back(value_named(input, where));
  if (op.inputs.empty()) fail(Code::kInternal, where, "inputs", "at least one", "none");
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
  op.layer = make(spec.has("options") ? spec.at("options") : *none, context, *k_);

  const int index = static_cast<int>(ops_.size());
  Value<real> output;
  output.name = spec.str("output");
  output.producer = index;
  for (const Value<real>& other : values_) {
    if (other.name == output.name)
      fail(Code::kInternal, where, "the name of its output", "unique",
           "'" + output.name + "' again");
  }
  op.output = static_cast<int>(values_.size());
  values_.push_back(std::move(output));
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
void Graph<real>::allocate_params() {
  std::vector<char> learns(params_->list().size(), 0);
  for (const Op<real>& op : ops_) {
    for (const ParamUse<real>& use : op.params)
      learns[size_t(use.param)] = learns[size_t(use.param)] || op.shape().trainable();
  }
  params_->allocate(learns);
}

// An op goes backward if a gradient reaches its output (from the loss, or from an activity penalty on the way) and if
// something trainable lies in it or below it.
template <typename real>
void Graph<real>::plan_backward() {
  wants_.assign(values_.size(), 0);
  for (Op<real>& op : ops_) {
    bool wants = op.shape().trainable();
    for (int input : op.inputs) wants = wants || wants_[size_t(input)];
    wants_[size_t(op.output)] = wants;
  }
  std::vector<char> reached(values_.size(), 0), written(values_.size(), 0);
  reached[size_t(output_)] = written[size_t(output_)] = has_loss_;
  std::vector<char> found(params_->list().size(), 0);  // per parameter: an op writes its gradient
  for (size_t i = ops_.size(); i-- > 0;) {
    Op<real>& op = ops_[i];
    const size_t out = size_t(op.output);
    op.seeds = op.activity.any() && !written[out];
    op.backward = wants_[out] && (reached[out] || op.activity.any());
    if (op.backward) {
      for (int input : op.inputs) {
        if (wants_[size_t(input)]) reached[size_t(input)] = written[size_t(input)] = 1;
      }
      if (!op.shape().trainable()) continue;
      for (ParamUse<real>& use : op.params) {
        use.adds = found[size_t(use.param)];
        found[size_t(use.param)] = 1;
      }
    }
  }
  for (size_t p = 0; p < found.size(); p++) {
    if (!found[p] && params_->learns((*params_)[int(p)])) unreached_.push_back(int(p));
  }
  for (size_t v = 0; v < values_.size(); v++) {
    const bool made = values_[v].producer >= 0 && ops_[size_t(values_[v].producer)].backward;
    wants_[v] = wants_[v] && made;
    values_wanting_ += wants_[v];
  }
}

template <typename real>
void Graph<real>::forward(bool training, DropoutKey key) {
  shown_ = false;
  for (Op<real>& op : ops_) {
    op.pass.training = training;
    op.pass.backward_follows = backward_;
    op.pass.repack = op.fresh;
    op.pass.dropout = key;
    op.layer->forward(op.pass);
  }
  shown_ = true;
}

template <typename real>
double Graph<real>::backward() {
  for (int p : unreached_) k_->fill(params_->grad((*params_)[p]), 0, (*params_)[p].size);
  for (size_t i = ops_.size(); i-- > 0;) {
    Op<real>& op = ops_[i];
    Value<real>& out = values_[size_t(op.output)];
    if (op.backward && op.seeds) k_->fill(out.grad, 0, out.extent.size());
    if (op.activity.any()) {
      real* grad = op.backward ? out.grad : nullptr;
      op.penalty = penalize(op.activity, out.data, grad, {out.extent.size()}, k_);
    }
    if (!op.backward) continue;
    op.layer->backward(op.pass);
    for (const ParamUse<real>& use : op.params) {
      if (use.adds) add_gradient(use, op.pass);
    }
    for (size_t j = 0; j < op.inputs.size(); j++) {
      if (op.add_to[j])
        k_->add(op.add_to[j], op.pass.dx[j], values_[size_t(op.inputs[j])].extent.size());
    }
  }
  double sum = 0;  // from the first op on, as activity_penalty() does
  for (const Op<real>& op : ops_) {
    if (op.activity.any()) sum += op.penalty;
  }
  return sum;
}

template <typename real>
void Graph<real>::add_gradient(const ParamUse<real>& use, const Pass<real>& pass) {
  const Param& p = (*params_)[use.param];
  real* sum = params_->grad(p);
  const real* more = pass.grad({Arena::kParams, p.offset, p.size});
  GradRows* written = p.rows.get();
  if (use.rows == nullptr) {
    for_elements(p.size, [&](int64_t begin, int64_t end) {
      k_->add(sum + begin, more + begin, end - begin);
    });
    if (written) std::fill(written->written.begin(), written->written.end(), char(1));
    return;
  }
  const int64_t width = use.rows->width;
  use.rows->each_run([&](int64_t v) { return use.rows->written[size_t(v)]; },
                     [&](int64_t v0, int64_t v1) {
                       k_->add(sum + v0 * width, more + v0 * width, (v1 - v0) * width);
                       if (written)
                         std::fill(written->written.begin() + v0, written->written.begin() + v1,
                                   char(1));
                     });
}

template <typename real>
double Graph<real>::activity_penalty() const {
  double sum = 0;
  for (const Op<real>& op : ops_) {
    const Value<real>& out = values_[size_t(op.output)];
    if (op.activity.any())
      sum += penalize<real>(op.activity, out.data, nullptr, {out.extent.size()}, k_);
  }
  return sum;
}

template <typename real>
std::string Graph<real>::first_not_finite() const {
  for (const Value<real>& value : values_) {
    if (k_->all_finite(value.data, value.extent.size())) continue;
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
std::string Graph<real>::next_not_finite() const {
  for (const Op<real>& op : ops_) {
    for (const Next& next : op.next) {
      if (!k_->all_finite(op.pass.at(next.value), next.value.size)) return op.shape().name();
    }
  }
  return "";
}

template <typename real>
void Graph<real>::commit() {
  for (Op<real>& op : ops_) {
    op.layer->commit(op.pass);
    if (!op.pass.training) continue;
    for (const Next& next : op.next)
      std::copy_n(op.pass.at(next.value), next.value.size, params_->value((*params_)[next.param]));
  }
  carry_live_ = carry_live_ || carry_.total() > 0;
}

template <typename real>
void Graph<real>::packed_are_current() {
  for (Op<real>& op : ops_) op.fresh = false;
}

template <typename real>
void Graph<real>::params_changed() {
  for (Op<real>& op : ops_) op.fresh = true;
}

template <typename real>
void Graph<real>::trained() {
  for (Op<real>& op : ops_) op.fresh = op.shape().trainable() || !op.next.empty();
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
    early_carries_.push_back({path, {}, {}});
    early = &early_carries_.back();
  }
  early->dims = dims;
  early->data.resize(size_t(checked_count(dims, path)));
  return true;
}

template <typename real>
int64_t Graph<real>::bytes() const {
  int64_t beside = 0;
  for (const Op<real>& op : ops_) {
    for (const ParamUse<real>& use : op.params) beside += use.own_grad ? use.own_grad->bytes() : 0;
  }
  return beside + saved_block_.bytes() + slot_block_.bytes() + carry_block_.bytes() +
         packed_block_.bytes() + scratch_block_.bytes() + grad_block_.bytes();
}

template class Graph<float>;
template class Graph<double>;

}  // namespace hs
