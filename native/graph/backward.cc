// The pass back through a graph: which ops it meets, what they write, what of it is to be added.
#include <algorithm>

#include "graph/graph.h"

namespace hs {

// An op goes backward if a gradient reaches one of its outputs (from the loss, or from an activity
// penalty on the way) and if something trainable lies in it or below it.
template <typename real>
void Graph<real>::plan_backward() {
  wants_.assign(values_.size(), 0);
  for (const Value<real>& value : values_) {
    if (value.gradient_of_input >= 0) wants_[size_t(value.gradient_of_input)] = 1;
  }
  const std::vector<char> asked = wants_;  // inputs whose gradient is read
  for (Op<real>& op : ops_) {
    if (op.late()) continue;
    bool wants = op.shape().trainable();
    for (int input : op.inputs) wants = wants || wants_[size_t(input)];
    wants_[size_t(op.output)] = wants;
    for (int output : op.more) wants_[size_t(output)] = wants;
  }
  std::vector<char> reached(values_.size(), 0), written(values_.size(), 0);
  for (const Output& output : outputs_) {
    if (output.scored >= 0) reached[size_t(output.scored)] = written[size_t(output.scored)] = 1;
    if (output.scored < 0 || !wants_[size_t(output.scored)]) continue;
    for (int v : output.reads) reached[size_t(v)] = written[size_t(v)] = 1;
  }
  if (cost_ >= 0) reached[size_t(cost_)] = written[size_t(cost_)] = 1;
  for (int v : penalty_values_) reached[size_t(v)] = written[size_t(v)] = 1;
  std::vector<char> found(params_->list().size(), 0);  // per parameter: an op writes its gradient
  for (size_t i = ops_.size(); i-- > 0;) {
    Op<real>& op = ops_[i];
    if (op.late()) continue;
    const size_t out = size_t(op.output);
    bool reaches = reached[out] || op.activity.any();
    for (int output : op.more) reaches = reaches || reached[size_t(output)];
    op.backward = wants_[out] && reaches;
    op.seeds = op.backward && !written[out];
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
  plan_ready();
  for (size_t v = 0; v < values_.size(); v++) {
    const bool made = values_[v].producer >= 0 && ops_[size_t(values_[v].producer)].backward;
    wants_[v] = wants_[v] && (made || asked[v]);
    values_wanting_ += wants_[v];
  }
}

// A gradient is final when the first op that uses the parameter has gone backward, which is the
// last to do so.
template <typename real>
void Graph<real>::plan_ready() {
  std::vector<char> seen(params_->list().size(), 0);
  int64_t not_yet = 0;  // the end of what ops below this one write
  ready_from_.assign(ops_.size(), 0);
  for (size_t i = 0; i < ops_.size(); i++) {
    ready_from_[i] = not_yet;
    if (!ops_[i].backward || !ops_[i].shape().trainable()) continue;
    for (const ParamUse<real>& use : ops_[i].params) {
      const Param& p = (*params_)[use.param];
      if (!seen[size_t(use.param)]) not_yet = std::max(not_yet, p.offset + aligned(p.size));
      seen[size_t(use.param)] = 1;
    }
  }
}

template <typename real>
std::vector<int64_t> Graph<real>::ready_places() const {
  std::vector<int64_t> places;
  for (size_t i = ops_.size(); i-- > 0;)
    if (ops_[i].backward) places.push_back(ready_from_[i]);
  return places;
}

template <typename real>
real* Graph<real>::loss_gradient(size_t i) const {
  const Output& output = outputs_[i];
  real* const grad = output.scored < 0 ? nullptr : scored(i).grad;
  return grad && output.adds ? grad_block_.data() + output.offset : grad;
}

template <typename real>
void Graph<real>::backward(double* activity, const Ready* ready) {
  for (size_t i = 0; i < outputs_.size(); i++) {
    real* const more = outputs_[i].adds ? loss_gradient(i) : nullptr;
    if (more) device_->add(scored(i).grad, more, scored(i).extent.size());
  }
  for (int v : penalty_values_) {
    if (real* const grad = values_[size_t(v)].grad) device_->fill(grad, 1, 1);
  }
  for (int p : unreached_) device_->fill(params_->grad((*params_)[p]), 0, (*params_)[p].size);
  penalties_.zero();
  for (size_t i = ops_.size(); i-- > 0;) {
    Op<real>& op = ops_[i];
    Value<real>& out = values_[size_t(op.output)];
    if (op.seeds) device_->fill(out.grad, 0, out.extent.size());
    penalize_output(op, op.backward ? out.grad : nullptr);
    if (!op.backward) continue;
    op.layer->backward(op.pass);
    for (const ParamUse<real>& use : op.params) {
      if (use.adds) add_gradient(use, op.pass);
    }
    for (size_t j = 0; j < op.inputs.size(); j++) {
      if (op.add_to[j])
        device_->add(op.add_to[j], op.pass.dx[j], values_[size_t(op.inputs[j])].extent.size());
    }
    if (ready) (*ready)(ready_from_[i]);
  }
  device_->add_up(activity, penalties_.data(), static_cast<int64_t>(ops_.size()));
}

template <typename real>
void Graph<real>::add_gradient(const ParamUse<real>& use, const Pass<real>& pass) {
  const Param& p = (*params_)[use.param];
  device_->add_gradient(params_->grad(p), p.rows.get(),
                        pass.grad({Arena::kParams, p.offset, p.size}), use.rows.get(), p.size);
}

template <typename real>
void Graph<real>::activity_penalty(double* activity) const {
  device_->zero(penalties_.data(), penalties_.bytes());
  for (const Op<real>& op : ops_) penalize_output(op, nullptr);
  device_->add_up(activity, penalties_.data(), static_cast<int64_t>(ops_.size()));
}

template <typename real>
bool Graph<real>::has_activity() const {
  return std::any_of(ops_.begin(), ops_.end(),
                     [](const Op<real>& op) { return op.activity.any(); });
}

template <typename real>
void Graph<real>::add_penalties(double* sum) const {
  for (int v : penalty_values_) device_->add_number(sum, values_[size_t(v)].data);
  if (looks_) device_->add_number(sum, wrong_.data());
}

template <typename real>
void Graph<real>::penalize_output(const Op<real>& op, real* grad) const {
  const Value<real>& out = values_[size_t(op.output)];
  if (op.activity.any()) {
    device_->penalize(penalties_.data() + (&op - ops_.data()), op.activity, out.data, grad, nullptr,
                      {out.extent.size()});
  }
}

#define HS_INSTANTIATE(real)                                       \
  template void Graph<real>::plan_backward();                      \
  template std::vector<int64_t> Graph<real>::ready_places() const; \
  template real* Graph<real>::loss_gradient(size_t) const;         \
  template void Graph<real>::backward(double*, const Ready*);      \
  template void Graph<real>::activity_penalty(double*) const;      \
  template bool Graph<real>::has_activity() const;                 \
  template void Graph<real>::add_penalties(double*) const;
HS_INSTANTIATE(float)
HS_INSTANTIATE(double)
#undef HS_INSTANTIATE

}  // namespace hs
