// Losses and metrics that users write as expressions: a program of targets (its input 0) and
// outputs (1), as they lie in memory, and of further values that a loss reads (from 2 on). Machine:
// what the device runs nodes with (ops/node_run.h).
#pragma once
#include <algorithm>
#include <vector>

#include "base/arena.h"
#include "base/error.h"
#include "device/device.h"
#include "ops/tape.h"

namespace hs {

template <typename real, class Machine>
class ProgramObjective {
 public:
  // spec: { nodes, output, targetDim }; name: for errors.
  ProgramObjective(const Config& spec, const char* name, Machine* k, Memory& memory)
      : name_(name),
        program_(spec.at("nodes"), name),
        output_(program_.node(spec.at("output"), "its output")),
        target_dim_(spec.integer("targetDim", 0)),
        tape_(program_, k, name),
        values_(memory),
        grads_(memory),
        temp_(memory),
        spare_(memory) {
    if (target_dim_ < 0)
      fail(Code::kOption, name, "targetDim", "a positive integer", std::to_string(target_dim_));
    for (int i = 0; i < program_.size(); i++) {
      if (!program_[i].leaf()) nodes_.push_back(i);
    }
    stage_.k = k;
  }

  int64_t target_dim() const { return target_dim_; }

  // The program's value at these targets and outputs: [dims()...].
  const real* value(const Scored<real>& s) {
    bind(s);
    for (int i = 0; i < program_.size(); i++) {
      real*& value = frame_.values[size_t(i)];
      if (program_[i].is("input")) value = const_cast<real*>(input(s, program_[i].index));
    }
    tape_.fill_numbers(frame_, false);  // each time: batches of other sizes use the same memory
    tape_.forward(nodes_, frame_, stage_);
    return frame_.values[size_t(output_)];
  }
  const Dims& dims() const { return frame_.dims[size_t(output_)]; }

  // As a loss: score [R], one for each row of the last axis; that of a sample counts for all its
  // rows. Throws Error(kShape) for a value of other extents.
  void scores(const Scored<real>& s, real* score) {
    const real* const y = value(s);
    copy_broadcast(stage_.k, score, rows(s), y, by_sample(s) ? samples(s) : rows(s));
  }
  // dp [R, K] = the gradient of the sum of coef [R] times scores; after scores(). dp must not be
  // coef. So are those of s.reads, where they are wanted.
  void gradient(const Scored<real>& s, const real* coef, real* dp) {
    std::fill(written_.begin(), written_.end(), 0);
    for (int i = 0; i < program_.size(); i++) {
      if (learns(s, program_[i])) frame_.grads[size_t(i)] = gradient_of(s, program_[i].index, dp);
    }
    if (tape_.wants(output_)) {
      real* const seed = frame_.grads[size_t(output_)];
      if (by_sample(s)) {
        stage_.k->fill(seed, 0, s.B);
        add_broadcast(stage_.k, seed, samples(s), real(1), coef, rows(s));
      } else {
        copy_numbers(stage_.k, seed, coef, s.R);
      }
      written_[size_t(output_)] = 1;
      tape_.backward(nodes_, frame_, stage_, written_);
    }
    for (int64_t index = 1; index < 2 + int64_t(s.reads.size()); index++) {
      real* const to = gradient_of(s, index, dp);
      if (!to || has_written(index)) continue;
      stage_.k->fill(to, 0, index == 1 ? s.R * s.K : count(s.reads[size_t(index - 2)].dims));
    }
  }

 private:
  static const real* input(const Scored<real>& s, int64_t index) {
    return index == 0 ? s.y : index == 1 ? s.p : s.reads[size_t(index - 2)].x;
  }
  static real* gradient_of(const Scored<real>& s, int64_t index, real* dp) {
    return index == 1 ? dp : s.reads[size_t(index - 2)].dx;
  }
  static bool learns(const Scored<real>& s, const Node& node) {
    return node.is("input") && node.index > 0 &&
           (node.index == 1 || s.reads[size_t(node.index - 2)].dx);
  }
  bool has_written(int64_t index) const {
    for (int i = 0; i < program_.size(); i++) {
      if (program_[i].is("input") && program_[i].index == index && written_[size_t(i)]) return true;
    }
    return false;
  }
  static Dims rows(const Scored<real>& s) { return {s.p_dims.begin(), s.p_dims.end() - 1}; }
  // [B], aligned with rows()
  static Dims samples(const Scored<real>& s) {
    Dims dims(std::max<size_t>(s.p_dims.size(), 3) - 2, 1);
    dims[0] = s.B;
    return dims;
  }
  bool by_sample(const Scored<real>& s) const {
    if (dims() == rows(s)) return false;
    if (dims() == Dims{s.B}) return true;
    fail(Code::kShape, name_, "its value",
         to_string(rows(s)) + ", one number for each row, or " + to_string({s.B}),
         to_string(dims()), "Take the mean over the last axis.");
  }

  void bind(const Scored<real>& s) {
    if (s.p_dims == p_dims_ && s.y_dims == y_dims_) return;
    p_dims_.clear();  // until all of this has succeeded
    const std::vector<Dims> dims = program_.dims([&](const Node& leaf) -> Dims {
      if (leaf.is("input") && leaf.index == 0) return s.y_dims;
      if (leaf.is("input") && leaf.index == 1) return s.p_dims;
      if (leaf.is("input") && leaf.index - 2 < int64_t(s.reads.size()))
        return s.reads[size_t(leaf.index - 2)].dims;
      fail(Code::kOption, name_, "a leaf", "the targets, the outputs or a number", leaf.type->name);
    });
    const size_t n = dims.size();
    std::vector<char> outside(n, 0), learn(n, 0);
    outside[size_t(output_)] = 1;
    for (size_t i = 0; i < n; i++) learn[i] = learns(s, program_[int(i)]);
    tape_.plan(dims, outside, learn);
    frame_ = tape_.frame(dims);
    std::vector<int64_t> at;
    int64_t total = 0;
    for (const Dims& d : dims) at.push_back(total), total += aligned(count(d));
    check_budget(2 * total * int64_t(sizeof(real)), values_.room(), name_);
    values_.renew(total), grads_.renew(total);
    temp_.reserve(tape_.temp_size(dims)), spare_.reserve(tape_.spare_size(dims));
    written_.resize(n);
    for (size_t i = 0; i < n; i++) {
      frame_.values[i] = values_.data() + at[size_t(tape_.value_place(int(i)))];
      frame_.grads[i] = grads_.data() + at[size_t(tape_.grad_place(int(i)))];
    }
    stage_.temp = temp_.data(), stage_.temp_size = temp_.size(), stage_.spare = spare_.data();
    y_dims_ = s.y_dims, p_dims_ = s.p_dims;
  }

  const char* const name_;
  const Program program_;
  const int output_;
  const int64_t target_dim_;
  Tape<real, Machine> tape_;
  NodeStage<real, Machine> stage_;
  Frame<real> frame_;
  std::vector<int> nodes_;
  std::vector<char> written_;
  Block<real> values_, grads_, temp_, spare_;
  Dims p_dims_, y_dims_;  // bound to
};

}  // namespace hs
