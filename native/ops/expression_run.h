// The run of `expression`, the same on every device: a program run once, what users write as an
// expression over whole values (decision 0037). Values that backward reads are saved; all others,
// and gradients, share scratch by lifetime. Base: the device's base of an op, whose Machine `k` is.
#pragma once
#include <algorithm>

#include "base/arena.h"
#include "ops/expression.h"
#include "ops/tape.h"

namespace hs {

template <typename real, class Base>
class ExpressionRun final : public ExpressionShape, public Base {
 public:
  using Machine = typename Base::Machine;
  OpShape& shape() override { return *this; }
  ExpressionRun(const Config& options, const OpContext& context, Machine& k)
      : ExpressionShape(options, context), Base(k), tape_(program_, &k, context.where()) {
    const size_t n = size_t(program_.size());
    output_of_.assign(n, -1);
    for (size_t o = 0; o < outputs_.size(); o++) {
      if (output_of_[size_t(outputs_[o])] < 0) output_of_[size_t(outputs_[o])] = int(o);
    }
    for (int i = 0; i < int(n); i++) {
      if (!program_[i].leaf()) nodes_.push_back(i);
      if (program_[i].is("mask")) mask_ = i;
      read_.push_back(0);
      for (int arg : program_[i].args) read_[size_t(arg)] = 1;
    }
  }

  void prepare(Declaration& d) override {
    const int n = program_.size();
    std::vector<char> outside(size_t(n), 0), learns(size_t(n), 0);
    for (int i = 0; i < n; i++) {
      outside[size_t(i)] = output_of_[size_t(i)] >= 0;
      learns[size_t(i)] =
          d.training() && (program_[i].is("input") || (program_[i].is("param") && trainable()));
    }
    tape_.plan(dims_, outside, learns);
    place_values(d);
    place_grads(d);
    temp_ = d.scratch("temp", {tape_.temp_size(dims_)});
    spare_ = d.scratch("spare", {tape_.spare_size(dims_)});
    if (mask_ >= 0) ones_ = d.saved("ones", {count(dims_[size_t(mask_)])});
    frame_ = tape_.frame(dims_);
    written_.assign(size_t(n), 0);
  }

  void forward(Pass<real>& p) override {
    point(p);
    if (mask_ >= 0 && !p.mask) this->k->fill(p.at(ones_), 1, ones_.size);
    tape_.fill_numbers(frame_, p.training);
    tape_.forward(nodes_, frame_, stage(p));
    for (size_t o = 0; o < outputs_.size(); o++) {
      const size_t node = size_t(outputs_[o]);
      if (frame_.values[node] != output(p, o))
        copy_numbers(this->k, output(p, o), frame_.values[node], count(dims_[node]));
    }
  }

  void backward(Pass<real>& p) override {
    point(p);
    std::fill(written_.begin(), written_.end(), 0);
    for (int i = 0; i < program_.size(); i++) {
      const Node& node = program_[i];
      real*& grad = frame_.grads[size_t(i)];
      grad = nullptr;
      if (!tape_.wants(i)) continue;
      if (node.is("input")) {
        grad = p.dx[size_t(node.index)];
      } else if (node.is("param")) {
        grad = p.grad(param(node));
      } else {
        grad = p.at(grads_) + grad_at_[size_t(tape_.grad_place(i))];
      }
    }
    for (size_t o = 0; o < outputs_.size(); o++) {
      const int node = outputs_[o];
      const real* const dy = o == 0 ? p.dy : p.more[o - 1].dy;
      if (!dy || !frame_.grads[size_t(node)]) continue;
      const bool once = std::count(outputs_.begin(), outputs_.end(), node) == 1;
      if (once && !read_[size_t(node)] && !program_[node].leaf()) {
        // Nothing is added to it: it is read where it lies.
        for (int i = 0; i < program_.size(); i++) {
          if (tape_.grad_place(i) == node) frame_.grads[size_t(i)] = const_cast<real*>(dy);
        }
        written_[size_t(node)] = 1;
        continue;
      }
      real* const to = frame_.grads[size_t(node)];
      const int64_t size = count(dims_[size_t(node)]);
      if (written_[size_t(node)]) {
        this->k->add(to, dy, size);
      } else {
        copy_numbers(this->k, to, dy, size);
      }
      written_[size_t(node)] = 1;
    }
    tape_.backward(nodes_, frame_, stage(p), written_);
    finish_leaves(p);
  }

 private:
  // What no gradient has reached has one of zeros.
  void finish_leaves(Pass<real>& p) {
    std::vector<char> read(p.dx.size(), 0);
    for (int i = 0; i < program_.size(); i++) {
      if (program_[i].is("input")) read[size_t(program_[i].index)] = 1;
      if (program_[i].leaf() && frame_.grads[size_t(i)] && !written_[size_t(i)])
        this->k->fill(frame_.grads[size_t(i)], 0, count(dims_[size_t(i)]));
    }
    for (size_t j = 0; j < read.size(); j++) {
      if (!read[j] && p.dx[j]) this->k->fill(p.dx[j], 0, p.x_extent[j].size());
    }
  }

  real* output(const Pass<real>& p, size_t o) const { return o == 0 ? p.y : p.more[o - 1].y; }

  // A value is saved, or lies in scratch from the node that makes it to the last that reads it.
  void place_values(Declaration& d) {
    const int n = program_.size();
    std::vector<int> first(size_t(n), n), last(size_t(n), -1);
    for (int i = 0; i < n; i++) {
      const size_t place = size_t(tape_.value_place(i));
      // numbers are there before the first node runs
      first[place] = std::min(first[place], program_[i].leaf() ? 0 : i);
      last[place] = std::max(last[place], i);
      for (int arg : program_[i].args) {
        int& end = last[size_t(tape_.value_place(arg))];
        end = std::max(end, i);
      }
      // a product runs where its sum does: what it reads stays until then
      const int product = tape_.added_product(i);
      if (product < 0) continue;
      for (int arg : program_[product].args) {
        int& end = last[size_t(tape_.value_place(arg))];
        end = std::max(end, i);
      }
    }
    Overlay overlay;
    int64_t kept = 0;
    value_at_.assign(size_t(n), -1), saved_at_.assign(size_t(n), -1);
    for (int i = 0; i < n; i++) {
      const bool own = !program_[i].leaf() || program_[i].is("number") || program_[i].is("phase");
      if (!own || tape_.value_place(i) != i || output_of_[size_t(i)] >= 0) continue;
      const int64_t size = aligned(count(dims_[size_t(i)]));
      if (tape_.kept(i)) {
        saved_at_[size_t(i)] = kept;
        kept += size;
      } else {
        value_at_[size_t(i)] = overlay.add(size, first[size_t(i)], last[size_t(i)]);
      }
    }
    saved_ = d.saved("kept values", {kept});
    values_ = d.scratch("values", {overlay.total()});
  }

  // A gradient lies in scratch from the last node that reads the value, the first to go backward,
  // to the node itself.
  void place_grads(Declaration& d) {
    const int n = program_.size();
    std::vector<int> from(size_t(n), 0), to(size_t(n), -1);  // steps of backward
    const auto step = [n](int i) { return n - i; };
    for (int i = n; i-- > 0;) {
      if (output_of_[size_t(i)] >= 0) from[size_t(tape_.grad_place(i))] = 0;
      for (int arg : program_[i].args) {
        const size_t place = size_t(tape_.grad_place(arg));
        if (to[place] < 0 && output_of_[place] < 0) from[place] = step(i);
        to[place] = std::max({to[place], step(arg), step(i)});
      }
    }
    Overlay overlay;
    grad_at_.assign(size_t(n), 0);
    for (int i = 0; i < n; i++) {
      if (!tape_.wants(i) || tape_.grad_place(i) != i || program_[i].leaf()) continue;
      grad_at_[size_t(i)] = overlay.add(aligned(count(dims_[size_t(i)])), from[size_t(i)],
                                        std::max(to[size_t(i)], step(i)));
    }
    grads_ = d.scratch("gradients", {overlay.total()});
  }

  void point(const Pass<real>& p) {
    for (int i = 0; i < program_.size(); i++) {
      const Node& node = program_[i];
      const size_t place = size_t(tape_.value_place(i));
      real*& value = frame_.values[size_t(i)];
      if (node.is("input")) {
        value = const_cast<real*>(p.x[size_t(node.index)]);
      } else if (node.is("param")) {
        value = p.at(param(node));
      } else if (node.is("mask")) {
        value = p.mask ? const_cast<real*>(p.mask) : p.at(ones_);
      } else if (output_of_[place] >= 0) {
        value = output(p, size_t(output_of_[place]));
      } else {
        value = saved_at_[place] >= 0 ? p.at(saved_) + saved_at_[place]
                                      : p.at(values_) + value_at_[place];
      }
    }
  }

  NodeStage<real, Machine> stage(const Pass<real>& p) const {
    NodeStage<real, Machine> s;
    s.k = this->k;
    s.temp = p.at(temp_), s.temp_size = temp_.size, s.spare = p.at(spare_);
    s.training = p.training, s.key = p.dropout, s.stream = stream() * 16;
    return s;
  }

  Tape<real, Machine> tape_;
  std::vector<int> nodes_;      // all but leaves
  int mask_ = -1;               // the leaf
  std::vector<char> read_;      // per node: by another
  std::vector<int> output_of_;  // per node: the first output that it is; -1: none
  std::vector<int64_t> value_at_, saved_at_, grad_at_;  // per node: in values_, saved_, grads_
  Tensor saved_, values_, grads_, temp_, spare_, ones_;
  Frame<real> frame_;
  std::vector<char> written_;
};

}  // namespace hs
