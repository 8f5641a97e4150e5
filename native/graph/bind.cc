// Memory of a graph at one extent: asks every layer for its output and its tensors, lays them out,
// resolves the pointers.
//   slots    inputs, outputs that are not part of a saved tensor, and masks; none shares its place,
//            since plan.read shows them all
//   saved    what layers keep from forward to backward
//   scratch  one op at a time: as much as the greediest needs
//   packed   weights as kernels want them: contents survive while the layout stays the same
//   carry    states of stateful layers: contents always survive
//   grads    gradients of values, which share places by lifetime: step 0 is the backward pass of
//            the last op, step -1 the loss
#include <unordered_map>

#include "graph/graph.h"

namespace hs {

template <typename real>
class Graph<real>::Binder final : public Declaration {
 public:
  Binder(Graph& graph, bool training, Layout& carry, Layout& packed)
      : graph_(graph), backward_(training), training_(training), carry_(carry), packed_(packed) {}

  void start(Op<real>& op) {
    op_ = &op;
    scratch_ = 0;
    training_ = backward_ && !op.late();
    asked_.assign(op.params.size(), 0);
    op.next.clear();
  }

  // All that TypeScript declared must have been asked for.
  void finish() const {
    for (size_t i = 0; i < asked_.size(); i++) {
      if (asked_[i]) continue;
      const Param& p = (*graph_.params_)[op_->params[i].param];
      fail(Code::kInternal, p.path, "a declared parameter",
           "one that " + op_->shape().where() + " uses", "one it does not know");
    }
  }

  Tensor param(const char* name, const Dims& dims) override {
    const size_t i = index_of(name);
    const int param = op_->params[i].param;
    const Param& p = (*graph_.params_)[param];
    if (p.dims != dims) fail(Code::kInternal, p.path, "shape", to_string(dims), to_string(p.dims));
    asked_[i] = 1;
    // What an op before this one in the graph makes of it: two that share running statistics move
    // them one after the other.
    const auto it = nexts_.find(param);
    return it == nexts_.end() ? Tensor{Arena::kParams, p.offset, p.size} : it->second;
  }

  Tensor param_by_rows(const char* name, const Dims& dims, GradRows** rows) override {
    const Tensor tensor = param(name, dims);
    ParamUse<real>& use = op_->params[index_of(name)];
    if (use.adds && !use.rows) {
      use.rows = std::make_unique<GradRows>((*graph_.params_)[use.param].dims);
      use.grad = std::make_unique<Block<real>>(*graph_.device_);
    }
    *rows = use.adds ? use.rows.get() : graph_.params_->by_rows(use.param);
    return tensor;
  }

  Tensor next(const char* name, const Dims& dims) override {
    const int param = op_->params[index_of(name)].param;
    const Param& p = (*graph_.params_)[param];
    if (p.trainable || p.dims != dims) {
      fail(Code::kInternal, p.path, "a parameter that the layer itself changes",
           "not trainable, " + to_string(dims),
           (p.trainable ? "trainable, " : "") + to_string(p.dims));
    }
    const Tensor value = saved((std::string("next ") + name).c_str(), dims);
    op_->next.push_back({param, value});
    nexts_[param] = value;
    return value;
  }

  Tensor saved(const char* name, const Dims& dims) override {
    return place(graph_.saved_, Arena::kSaved, name, dims);
  }
  Tensor carry(const char* name, const Dims& dims) override {
    return place(carry_, Arena::kCarry, name, dims);
  }
  Tensor packed(const char* name, const Dims& dims) override {
    return place(packed_, Arena::kPacked, name, dims);
  }

  Tensor scratch(const char* name, const Dims& dims) override {
    Tensor t{Arena::kScratch, scratch_, checked_count(dims, op_->shape().name() + "/" + name)};
    scratch_ = checked_sum(scratch_, aligned(t.size), op_->shape().name() + "/" + name);
    graph_.scratch_ = std::max(graph_.scratch_, scratch_);
    return t;
  }

  void output_is(Tensor tensor, int64_t offset) override {
    const int64_t n = graph_.values_[size_t(op_->output)].extent.size();
    if (tensor.arena != Arena::kSaved || offset < 0 || offset + n > tensor.size) {
      fail(Code::kInternal, op_->shape().where(), "its output", "inside a saved tensor",
           "a part of none");
    }
    graph_.saved_offset_[size_t(op_->output)] = tensor.offset + offset;
  }

  void output_is_input() override {
    const int64_t n = graph_.values_[size_t(op_->output)].extent.size();
    const Extent& x = graph_.values_[size_t(op_->inputs[0])].extent;
    if (x.size() != n)
      fail(Code::kInternal, op_->shape().where(), "its output", "as large as its input", x.text());
    graph_.is_input_[size_t(op_->output)] = 1;
  }

  bool training() const override { return training_; }

 private:
  size_t index_of(const char* name) const {
    for (size_t i = 0; i < op_->params.size(); i++) {
      if (op_->params[i].role == name) return i;
    }
    fail(Code::kInternal, op_->shape().where(), std::string("parameter ") + name, "declared",
         "nothing");
  }

  // Named by its output, not by its layer: a layer may have several ops.
  Tensor place(Layout& layout, Arena arena, const char* name, const Dims& dims) {
    const std::string& op = graph_.values_[size_t(op_->output)].name;
    const int64_t offset = layout.add(op + "/" + name, dims);
    return {arena, offset, layout.places().back().size};
  }

  Graph& graph_;
  const bool backward_;
  bool training_;  // of the op at hand
  Layout &carry_, &packed_;
  Op<real>* op_ = nullptr;
  int64_t scratch_ = 0;
  std::vector<char> asked_;
  std::unordered_map<int, Tensor> nexts_;  // per parameter
};

template <typename real>
void Graph<real>::bind(const std::vector<Extent>& inputs, bool backward) {
  const auto same = [](const Extent& a, const Extent& b) {
    return a.rows == b.rows && a.dims == b.dims;
  };
  if (bound_ && backward_ == backward && version_ == device_->layout_version() &&
      std::equal(inputs.begin(), inputs.end(), bound_inputs_.begin(), bound_inputs_.end(), same)) {
    return;
  }
  bound_ = has_values_ = false;  // until all of this has succeeded, and a batch
  for (size_t i = 0; i < inputs.size(); i++) values_[i].extent = inputs[i];
  Layout carry, packed;
  lay_out(backward, carry, packed);
  gradients_.clear();
  int64_t by_rows = 0;  // elements of gradients by rows that are made in memory of their own
  if (backward) by_rows = place_gradients();
  const int64_t elements = saved_.total() + slots_.total() + scratch_ + gradients_.total() +
                           packed.total() + carry.total() + by_rows;
  check_budget(elements * int64_t(sizeof(real)), device_->room(bytes()),
               "a batch of " + std::to_string(inputs[0].rows) + " samples");
  keep_carry(carry);
  take_early_carries();

  saved_block_.renew(saved_.total());
  slot_block_.renew(slots_.total());
  scratch_block_.renew(scratch_);
  grad_block_.renew(gradients_.total());
  if (backward) params_->need_gradients();
  for (Op<real>& op : ops_) {
    for (ParamUse<real>& use : op.params) {
      if (!backward || !use.rows || use.grad->size() > 0) continue;
      use.grad->reserve((*params_)[use.param].size);
      use.grad->zero();
    }
  }
  for (const Value<real>& value : values_) {
    const int of = value.gradient_of_input;
    if (of >= 0 && (!backward || grad_offset_[size_t(of)] < 0))
      fail(Code::kInternal, value.name, "what it is read of", "part of the cost",
           "a value that is none");
  }
  for (int v : penalty_values_) {
    const Value<real>& value = values_[size_t(v)];
    if (value.extent.size() != 1)
      fail(Code::kShape, value.name, "a penalty", "one number", value.extent.text());
  }
  for (const ParamUpdate& u : updates_) {
    const Value<real>& value = values_[size_t(u.value)];
    const Param& p = (*params_)[u.param];
    if (value.extent.rows != 1 || value.extent.dims != p.dims)
      fail(Code::kShape, p.path, "its new value", to_string(p.dims), value.extent.text());
  }
  if (!packed.same_sizes(packed_)) {
    packed_block_.reserve(packed.total());
    packed_ = std::move(packed);
    repack();
  }
  backward_ = backward;
  version_ = device_->layout_version();
  bound_inputs_ = inputs;
  resolve_pointers();
  bound_ = true;
}

template <typename real>
void Graph<real>::lay_out(bool backward, Layout& carry, Layout& packed) {
  saved_.clear();
  slots_.clear();
  scratch_ = 0;
  slot_offset_.assign(values_.size(), -1);
  saved_offset_.assign(values_.size(), -1);
  is_input_.assign(values_.size(), 0);
  mask_offset_.assign(masks_.size(), -1);
  for (int i = 0; i < inputs_; i++) {
    slot_offset_[size_t(i)] =
        slots_.add(values_[size_t(i)].name, {values_[size_t(i)].extent.size()});
  }
  for (Value<real>& value : values_) {
    if (value.gradient_of_param >= 0) value.extent = {1, (*params_)[value.gradient_of_param].dims};
    if (value.gradient_of_input >= 0)
      value.extent = values_[size_t(value.gradient_of_input)].extent;
  }
  Binder binder(*this, backward, carry, packed);
  for (Op<real>& op : ops_) {
    Pass<real>& pass = op.pass;
    pass.x_extent.clear();
    for (int input : op.inputs) pass.x_extent.push_back(values_[size_t(input)].extent);
    if (op.mask >= 0) {
      const MaskValue<real>& mask = masks_[size_t(op.mask)];
      const Extent& x = pass.x_extent[0];
      if (mask.steps != x.steps() || mask.rows != x.rows) {
        fail(Code::kInternal, op.shape().where(), "its mask", to_string({x.rows, x.steps()}),
             to_string({mask.rows, mask.steps}));
      }
    }
    Value<real>& out = values_[size_t(op.output)];
    out.extent = pass.y_extent = op.shape().output(pass.x_extent);
    Dims all = out.extent.dims;
    all.push_back(out.extent.rows);
    checked_count(all, op.shape().where());  // before the layer multiplies them itself
    binder.start(op);
    op.layer->shape().declare(binder, pass.x_extent, out.extent, op.mask >= 0);
    op.layer->prepare(binder);
    binder.finish();
    if (saved_offset_[size_t(op.output)] < 0 && !is_input_[size_t(op.output)]) {
      slot_offset_[size_t(op.output)] = slots_.add(out.name, all);
    }
    lay_out_more(op);
    if (op.mask_out >= 0) {
      MaskValue<real>& mask = masks_[size_t(op.mask_out)];
      mask.steps = out.extent.steps();
      mask.rows = out.extent.rows;
      mask_offset_[size_t(op.mask_out)] = slots_.add(mask.name, {mask.steps, mask.rows});
    }
  }
}

template <typename real>
void Graph<real>::lay_out_more(Op<real>& op) {
  const std::vector<Extent> extents = op.shape().more_outputs(op.pass.x_extent);
  if (extents.size() != op.more.size()) {
    fail(Code::kInternal, op.shape().where(), "the number of its outputs",
         std::to_string(extents.size() + 1), std::to_string(op.more.size() + 1));
  }
  op.pass.more.resize(extents.size());
  for (size_t i = 0; i < extents.size(); i++) {
    Value<real>& value = values_[size_t(op.more[i])];
    value.extent = op.pass.more[i].extent = extents[i];
    Dims all = extents[i].dims;
    all.push_back(extents[i].rows);
    slot_offset_[size_t(op.more[i])] = slots_.add(value.name, all);
  }
}

template <typename real>
int64_t Graph<real>::place_gradients() {
  int64_t by_rows = 0;
  const int last = static_cast<int>(ops_.size()) - 1;
  grad_offset_.assign(values_.size(), -1);
  extra_offset_.assign(ops_.size(), {});
  const auto born = [&](int v, int step) {
    const Value<real>& value = values_[size_t(v)];
    grad_offset_[size_t(v)] = gradients_.add(value.extent.size(), step, last - value.producer);
  };
  if (cost_ >= 0 && wants_[size_t(cost_)]) born(cost_, -1);
  for (int v : penalty_values_) {
    if (wants_[size_t(v)]) born(v, -1);
  }
  for (Output& output : outputs_) {
    if (output.scored < 0 || !wants_[size_t(output.scored)]) continue;
    if (output.adds) {
      output.offset = gradients_.add(values_[size_t(output.scored)].extent.size(), -1, -1);
    } else {
      born(output.scored, -1);
    }
    for (int v : output.reads) {
      if (grad_offset_[size_t(v)] >= 0)
        fail(Code::kInternal, "loss", "what it reads", "of no other loss", values_[size_t(v)].name);
      if (wants_[size_t(v)]) born(v, -1);
    }
  }
  for (int i = last; i >= 0; i--) {
    Op<real>& op = ops_[size_t(i)];
    extra_offset_[size_t(i)].assign(op.inputs.size(), -1);
    if (!op.backward) continue;
    if (op.seeds) born(op.output, last - i);
    for (size_t j = 0; j < op.inputs.size(); j++) {
      const int v = op.inputs[j];
      if (!wants_[size_t(v)]) continue;
      if (grad_offset_[size_t(v)] < 0) {
        born(v, last - i);
      } else {  // another consumer has written it: make this one beside it and add
        extra_offset_[size_t(i)][j] =
            gradients_.add(values_[size_t(v)].extent.size(), last - i, last - i);
      }
    }
    for (ParamUse<real>& use : op.params) {
      const int64_t size = (*params_)[use.param].size;
      if (use.adds && use.rows) by_rows = checked_sum(by_rows, size, op.shape().where());
      if (use.adds && !use.rows) use.offset = gradients_.add(size, last - i, last - i);
    }
  }
  return by_rows;
}

// States stay where they are unless their shapes change, and those may change only when nothing is
// kept in them.
template <typename real>
void Graph<real>::keep_carry(const Layout& carry) {
  if (carry.same_sizes(carry_)) return;
  if (carry_live_) {
    const Place* kept = carry_.places().empty() ? nullptr : &carry_.places().front();
    const std::string where = kept ? kept->name.substr(0, kept->name.find('/')) : "states";
    const int64_t had = kept && !kept->dims.empty() ? kept->dims[0] : 0;
    fail(Code::kShape, where, "a batch of a stateful model",
         std::to_string(had) + " samples, as the states it keeps",
         std::to_string(values_[0].extent.rows) + " samples",
         "Call resetStates() before changing the batch size.");
  }
  carry_block_.reserve(carry.total());
  carry_block_.zero();
  carry_ = carry;
}

template <typename real>
void Graph<real>::take_early_carries() {
  for (const EarlyCarry<real>& early : early_carries_) {
    const Place* place = carry_.find(early.path);
    if (!place || place->dims != early.dims) continue;
    device_->copy(carry_at(*place), early.data->data(), place->size * int64_t(sizeof(real)));
    carry_live_ = true;
  }
  early_carries_.clear();
}

template <typename real>
void Graph<real>::resolve_pointers() {
  for (size_t v = 0; v < values_.size(); v++) {
    Value<real>& value = values_[v];
    value.grad = backward_ && grad_offset_[v] >= 0 ? grad_block_.data() + grad_offset_[v] : nullptr;
    if (value.gradient_of_param >= 0) {
      value.data = params_->grad((*params_)[value.gradient_of_param]);
    } else if (value.gradient_of_input >= 0) {
      value.data = values_[size_t(value.gradient_of_input)].grad;
    } else if (is_input_[v]) {
      value.data = values_[size_t(ops_[size_t(value.producer)].inputs[0])].data;
    } else if (saved_offset_[v] >= 0) {
      value.data = saved_block_.data() + saved_offset_[v];
    } else {
      value.data = slot_block_.data() + slot_offset_[v];
    }
  }
  for (size_t m = 0; m < masks_.size(); m++) masks_[m].data = slot_block_.data() + mask_offset_[m];
  for (size_t i = 0; i < ops_.size(); i++) {
    Op<real>& op = ops_[i];
    Pass<real>& pass = op.pass;
    real* const arenas[] = {params_->values(),     params_->grads(),    saved_block_.data(),
                            scratch_block_.data(), carry_block_.data(), packed_block_.data()};
    static_assert(sizeof(arenas) == sizeof(pass.arenas),
                  "one pointer for each kind of memory, in the order of Arena");
    std::copy(std::begin(arenas), std::end(arenas), pass.arenas);
    pass.y = values_[size_t(op.output)].data;
    pass.mask = op.mask < 0 ? nullptr : masks_[size_t(op.mask)].data;
    pass.mask_out = op.mask_out < 0 ? nullptr : masks_[size_t(op.mask_out)].data;
    pass.wrong = looks_ ? wrong_.data() : nullptr;
    pass.dy = values_[size_t(op.output)].grad;
    for (size_t j = 0; j < op.more.size(); j++) {
      const Value<real>& value = values_[size_t(op.more[j])];
      pass.more[j].y = value.data, pass.more[j].dy = value.grad;
    }
    pass.x.clear();
    pass.beside.clear();
    for (const ParamUse<real>& use : op.params) {
      if (!backward_ || !use.adds) continue;
      real* const grad = use.rows ? use.grad->data() : grad_block_.data() + use.offset;
      pass.beside.push_back({(*params_)[use.param].offset, grad});
    }
    pass.dx.assign(op.inputs.size(), nullptr);
    op.add_to.assign(op.inputs.size(), nullptr);
    for (size_t j = 0; j < op.inputs.size(); j++) {
      const Value<real>& x = values_[size_t(op.inputs[j])];
      pass.x.push_back(x.data);
      if (!backward_ || !op.backward || !wants_[size_t(op.inputs[j])]) continue;
      const int64_t extra = extra_offset_[i][j];
      pass.dx[j] = extra < 0 ? x.grad : grad_block_.data() + extra;
      op.add_to[j] = extra < 0 ? nullptr : x.grad;
    }
  }
}

#define HS_INSTANTIATE(real) template void Graph<real>::bind(const std::vector<Extent>&, bool);
HS_INSTANTIATE(float)
HS_INSTANTIATE(double)
#undef HS_INSTANTIATE

}  // namespace hs
