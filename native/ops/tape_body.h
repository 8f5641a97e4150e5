// The functions of Tape (tape.h), for the file of each device that compiles them. Of a Machine they
// ask fill and add, and copy_broadcast.
#pragma once
#include <algorithm>

#include "base/error.h"
#include "ops/tape.h"

namespace hs {

template <typename real, class Machine>
Tape<real, Machine>::Tape(const Program& program, Machine* k, std::string where)
    : TapePlan(program), k_(k) {
  for (const Node& node : program.nodes()) {
    rules_.push_back(node.leaf() ? nullptr : find_run<real, Machine>(node.type->name));
    if (!node.leaf() && !rules_.back())
      fail(Code::kInternal, where, "node " + std::string(node.type->name),
           "one that this device runs", "another");
  }
}

template <typename real, class Machine>
Frame<real> Tape<real, Machine>::frame(const std::vector<Dims>& dims) const {
  const size_t n = dims.size();
  Frame<real> f;
  f.dims = dims;
  f.values.assign(n, nullptr), f.grads.assign(n, nullptr);
  f.packed.assign(n, nullptr), f.packed_t.assign(n, nullptr);
  f.accumulates.assign(n, 0);
  f.parts = parts_;
  return f;
}

template <typename real, class Machine>
int64_t Tape<real, Machine>::temp_size(const std::vector<Dims>& dims) const {
  int64_t most = 1;
  for (int i = 0; i < program_.size(); i++) {
    if (program_[i].leaf() || !run_of(i).temp) continue;
    std::vector<Dims> x;
    for (int arg : program_[i].args) x.push_back(dims[size_t(arg)]);
    most = std::max(most, run_of(i).temp(k_, program_[i], x, dims[size_t(i)]));
  }
  return most;
}

template <typename real, class Machine>
void Tape<real, Machine>::run(int i, Frame<real>& frame, const Stage& stage) const {
  const NodeRun<real, Machine>& run = run_of(i);
  run.forward({program_, frame, stage, i, run.op});
}

template <typename real, class Machine>
void Tape<real, Machine>::fill_numbers(const Frame<real>& frame, bool training) const {
  for (int i = 0; i < program_.size(); i++) {
    if (program_[i].is("number")) k_->fill(frame.values[size_t(i)], real(program_[i].value), 1);
    if (program_[i].is("phase")) k_->fill(frame.values[size_t(i)], real(training), 1);
  }
}

template <typename real, class Machine>
void Tape<real, Machine>::forward(const std::vector<int>& nodes, Frame<real>& frame,
                                  const Stage& stage) const {
  for (int i : nodes) {
    const int product = product_[size_t(i)];
    if (product >= 0) {
      const std::vector<int>& args = program_[i].args;
      const int other = args[0] == product ? args[1] : args[0];
      if (value_place_[size_t(other)] != value_place_[size_t(i)])
        copy_broadcast(k_, frame.values[size_t(i)], frame.dims[size_t(i)],
                       frame.values[size_t(other)], frame.dims[size_t(other)]);
      frame.accumulates[size_t(product)] = 1;
      run(product, frame, stage);
    } else if (!added_[size_t(i)]) {
      run(i, frame, stage);
    }
  }
}

template <typename real, class Machine>
void Tape<real, Machine>::backward(const std::vector<int>& nodes, Frame<real>& frame,
                                   const Stage& stage, std::vector<char>& written) const {
  for (size_t at = nodes.size(); at-- > 0;) {
    const int i = nodes[at];
    if (!wants(i)) continue;
    const Node& node = program_[i];
    if (!written[size_t(i)]) {
      if (!parts_[size_t(i)]) continue;
      // The other parts of the value write theirs alone.
      k_->fill(frame.grads[size_t(i)], 0, count(frame.dims[size_t(i)]));
    }
    const NodeRun<real, Machine>& run = run_of(i);
    const NodeCall<real, Machine> call{program_, frame, stage, i, run.op};
    for (int a = 0; a < int(node.args.size()); a++) {
      if (!flows(i, a) || a == deferred(i)) continue;
      const int arg = node.args[size_t(a)];
      real* const dx = frame.grads[size_t(arg)];
      if (!dx) continue;
      char& begun = written[size_t(arg)];
      if (dx == call.dy()) {
        // a part of a sum: it is the sum's
      } else if (begun && !run.adds) {
        run.backward(call, a, stage.spare, false);
        k_->add(dx, stage.spare, count(frame.dims[size_t(arg)]));
      } else {
        run.backward(call, a, dx, begun != 0);
      }
      begun = 1;
    }
  }
}

}  // namespace hs
