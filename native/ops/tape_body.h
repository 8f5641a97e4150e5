// The functions of Tape (tape.h), for the file of each device that compiles them. Of a Machine they
// ask fill and add, and copy_broadcast.
#pragma once
#include <algorithm>

#include "base/error.h"
#include "ops/tape.h"

namespace hs {

template <typename real, class Machine>
Tape<real, Machine>::Tape(const Program& program, Machine* k, std::string where)
    : program_(program), k_(k) {
  for (const Node& node : program.nodes()) {
    runs_.push_back(node.leaf() ? nullptr : find_run<real, Machine>(node.type->name));
    if (!node.leaf() && !runs_.back())
      fail(Code::kInternal, where, "node " + std::string(node.type->name),
           "one that this device runs", "another");
  }
}

template <typename real, class Machine>
bool Tape<real, Machine>::flows_to(int i, int arg) const {
  const NodeRun<real, Machine>& run = *runs_[size_t(i)];
  return run.backward && !(arg < 31 && (run.no_gradient >> arg & 1)) &&
         wants_[size_t(program_[i].args[size_t(arg)])];
}

template <typename real, class Machine>
void Tape<real, Machine>::plan(const std::vector<Dims>& dims, const std::vector<char>& used_outside,
                               const std::vector<char>& learns) {
  const size_t n = size_t(program_.size());
  wants_ = learns;
  kept_.assign(n, 0), deferred_.assign(n, -1), product_.assign(n, -1);
  added_.assign(n, 0), flows_.assign(n, {});
  std::vector<int> uses(n, 0);
  for (int i = 0; i < int(n); i++) {
    const Node& node = program_[i];
    if (node.leaf()) continue;
    for (int arg : node.args) uses[size_t(arg)]++;
    for (int a = 0; a < int(node.args.size()); a++) {
      flows_[size_t(i)].push_back(flows_to(i, a));
      wants_[size_t(i)] |= flows_[size_t(i)].back();
    }
  }
  for (int i = 0; i < int(n); i++) {
    if (program_[i].leaf() || !wants_[size_t(i)]) continue;
    const unsigned keeps = runs_[size_t(i)]->keeps(program_[i]);
    if (keeps & kKeepsY) kept_[size_t(i)] = 1;
    const std::vector<int>& args = program_[i].args;
    for (size_t a = 0; a < args.size(); a++) {
      // A number times a value: the one is read for the gradient of the other alone.
      const bool read = args.size() != 2 || program_[i].is("div") || program_[i].is("max") ||
                        program_[i].is("min") || runs_[size_t(i)]->no_gradient ||
                        flows(i, int(1 - a));
      if (a < 31 && (keeps >> a & 1) && read) kept_[size_t(args[a])] = 1;
    }
  }
  find_parts(dims, used_outside);
  // Parts of a sum that nothing else reads lie where the sum does.
  value_place_.resize(n), grad_place_.resize(n);
  for (size_t i = 0; i < n; i++) value_place_[i] = grad_place_[i] = int(i);
  for (int i = int(n); i-- > 0;) {
    if (program_[i].leaf() || !program_[i].is("add")) continue;
    const std::vector<int>& args = program_[i].args;
    const auto joins = [&](int a) {
      return !program_[a].leaf() && uses[size_t(a)] == 1 && !used_outside[size_t(a)] &&
             dims[size_t(a)] == dims[size_t(i)];
    };
    for (int a : args) {
      if (joins(a) && wants_[size_t(a)]) grad_place_[size_t(a)] = grad_place_[size_t(i)];
    }
    int product = -1;
    for (int a : args) {
      if (joins(a) && program_[a].is("dot") && !kept_[size_t(a)]) product = a;
    }
    if (product < 0) continue;
    product_[size_t(i)] = product;
    added_[size_t(product)] = 1;
    value_place_[size_t(product)] = value_place_[size_t(i)];
    const int other = args[0] == product ? args[1] : args[0];
    if (joins(other) && !kept_[size_t(other)])
      value_place_[size_t(other)] = value_place_[size_t(i)];
  }
}

template <typename real, class Machine>
void Tape<real, Machine>::find_parts(const std::vector<Dims>& dims,
                                     const std::vector<char>& used_outside) {
  const size_t n = size_t(program_.size());
  parts_.assign(n, 0);
  std::vector<std::vector<int>> readers(n);
  for (int i = 0; i < int(n); i++) {
    for (int arg : program_[i].args) readers[size_t(arg)].push_back(i);
  }
  for (size_t x = 0; x < n; x++) {
    if (used_outside[x] || readers[x].empty()) continue;
    const int64_t axis = program_[readers[x][0]].axis;
    std::vector<std::pair<int64_t, int64_t>> taken;
    bool all = true;
    for (int i : readers[x]) {
      const Node& node = program_[i];
      all = all && node.is("slice") && node.axis == axis && node.step == 1;
      if (all) taken.push_back(slice_of(node, dims[x][size_t(axis)]));
    }
    std::sort(taken.begin(), taken.end());
    int64_t end = 0;
    for (const auto& [from, to] : taken) all = all && from == end, end = to;
    if (!all || end != dims[x][size_t(axis)]) continue;
    for (int i : readers[x]) parts_[size_t(i)] = 1;
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
    if (program_[i].leaf() || !runs_[size_t(i)]->temp) continue;
    std::vector<Dims> x;
    for (int arg : program_[i].args) x.push_back(dims[size_t(arg)]);
    most = std::max(most, runs_[size_t(i)]->temp(k_, program_[i], x, dims[size_t(i)]));
  }
  return most;
}

template <typename real, class Machine>
int64_t Tape<real, Machine>::spare_size(const std::vector<Dims>& dims) const {
  int64_t most = 1;
  for (int i = 0; i < program_.size(); i++) {
    if (program_[i].leaf() || !wants(i) || runs_[size_t(i)]->adds) continue;
    for (int arg : program_[i].args) most = std::max(most, count(dims[size_t(arg)]));
  }
  return most;
}

template <typename real, class Machine>
void Tape<real, Machine>::run(int i, Frame<real>& frame, const Stage& stage) const {
  runs_[size_t(i)]->forward({program_, frame, stage, i});
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
    const NodeRun<real, Machine>& run = *runs_[size_t(i)];
    const NodeCall<real, Machine> call{program_, frame, stage, i};
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
