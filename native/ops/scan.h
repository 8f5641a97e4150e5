// Options, extents, parameters and carried states of the op whose loop is in
// device/cpu/ops/scan.cc.
#pragma once
#include <string>
#include <vector>

#include "ops/expression.h"
#include "ops/segments.h"

namespace hs {

struct ScanState {
  std::string name;
  int input = -1;     // where it begins: an input,
  std::string param;  // a parameter [param_dims]; with neither, zeros
  Dims param_dims;
  Dims dims;      // -1: the batch
  int next = -1;  // the node that is the state after a step
  Tensor carry;   // [dims], if the op is stateful
};

struct ScanOutput {
  int node;
  bool last;  // of the last step alone
};

class ScanShape : public ProgramShape {
 public:
  Extent output(const std::vector<Extent>& x) const override { return extent(x, 0); }
  std::vector<Extent> more_outputs(const std::vector<Extent>& x) const override {
    std::vector<Extent> more;
    for (size_t i = 1; i < outputs_.size(); i++) more.push_back(extent(x, i));
    return more;
  }

  void declare(Declaration& d, const std::vector<Extent>& x, const Extent&, bool) override {
    T_ = steps(x), B_ = batch(x);
    dims_ = dims(x);
    declare_params(d);
    for (ScanState& s : states_) {
      if (!s.param.empty() && !params_.count(s.param))
        params_[s.param] = d.param(s.param.c_str(), s.param_dims);
      if (stateful_) s.carry = d.carry(s.name.c_str(), state_dims(s, x));
    }
  }

 protected:
  ScanShape(const Config& options, const OpContext& context)
      : ProgramShape(options, context),
        sequences_(options.integer("sequences", 0)),
        fixed_steps_(options.integer("steps", 0)),
        backwards_(options.on("goBackwards")),
        stateful_(options.on("stateful")),
        truncate_(options.integer("truncate", 0)),
        last_steps_(options.integer("lastSteps", 0)),
        checkpoint_(checkpoint_of(options, where())) {
    for (const Config& config : options.at("states").list) {
      ScanState s;
      s.name = config.str("name");
      if (config.has("from")) {
        const Config& from = config.at("from");
        if (from.kind == Config::Kind::kText)
          s.param = from.text;
        else
          s.input = static_cast<int>(config.integer("from"));
      }
      if (config.has("dims")) s.dims = config.dims("dims");
      s.param_dims = config.has("fromDims") ? config.dims("fromDims") : s.dims;
      s.next = program_.node(config.at("next"), "the next value of a state");
      states_.push_back(std::move(s));
    }
    for (const Config& config : options.at("outputs").list)
      outputs_.push_back({program_.node(config.at("node"), "an output"), config.on("last")});
    if (outputs_.empty()) fail(Code::kOption, where(), "outputs", "at least one", "none");
  }

  int64_t steps(const std::vector<Extent>& x) const {
    const int64_t T = sequences_ > 0 ? input_dims(x, 0).at(0) : fixed_steps_;
    if (T < 1) fail(Code::kShape, where(), "the number of steps", "at least 1", std::to_string(T));
    for (int64_t i = 0; i < sequences_; i++) {
      const Dims dims = input_dims(x, i);
      if (dims.empty() || dims[0] != T || (!whole_ && dims.size() < 3))
        fail(Code::kShape, where(), "sequence " + std::to_string(i),
             std::to_string(T) + " steps" + (whole_ ? "" : " of rows"), to_string(dims));
    }
    return T;
  }
  int64_t batch(const std::vector<Extent>& x) const { return whole_ ? 1 : x[0].rows; }

  Dims state_dims(const ScanState& s, const std::vector<Extent>& x) const {
    if (s.dims.empty() && s.input >= 0) return input_dims(x, s.input);
    Dims dims = s.dims;
    for (int64_t& d : dims) {
      if (d < 0) d = batch(x);
    }
    return dims;
  }

  // The extents of what a state begins with, which is broadcast; []: zeros.
  Dims begins_with(const ScanState& s, const std::vector<Extent>& x) const {
    return !s.param.empty() ? s.param_dims : s.input >= 0 ? input_dims(x, s.input) : Dims{};
  }

  std::vector<Dims> dims(const std::vector<Extent>& x) const {
    const std::vector<Dims> all = program_.dims([&](const Node& leaf) -> Dims {
      if (leaf.is("input")) return input_dims(x, leaf.index);
      if (leaf.is("mask") && !whole_) return {batch(x), 1};
      if (leaf.is("sequence") && leaf.index < sequences_) {
        const Dims dims = input_dims(x, leaf.index);
        return {dims.begin() + 1, dims.end()};
      }
      if (leaf.is("state") && leaf.index >= 0 && leaf.index < int64_t(states_.size()))
        return state_dims(states_[size_t(leaf.index)], x);
      fail(Code::kOption, where(), "a leaf", "one that there is",
           leaf.type->name + (" " + std::to_string(leaf.index)));
    });
    for (const ScanState& s : states_) {
      const Dims wanted = state_dims(s, x);
      if (all[size_t(s.next)] != wanted)
        fail(Code::kShape, where(), "the new value of " + s.name, to_string(wanted),
             to_string(all[size_t(s.next)]));
      const Dims from = begins_with(s, x);
      if (broadcast(from, wanted) != wanted)
        fail(Code::kShape, where(), "what " + s.name + " begins with", to_string(wanted),
             to_string(from));
    }
    return all;
  }

  Extent extent(const std::vector<Extent>& x, size_t output) const {
    Dims y = dims(x)[size_t(outputs_[output].node)];
    if (!outputs_[output].last) y.insert(y.begin(), steps(x));
    return extent_of(y, whole_, where());
  }

  int64_t sequences_, fixed_steps_;
  bool backwards_, stateful_;
  int64_t truncate_, last_steps_, checkpoint_;
  std::vector<ScanState> states_;
  std::vector<ScanOutput> outputs_;

  // at the extent declared last
  int64_t T_ = 0, B_ = 0;
  std::vector<Dims> dims_;  // of the nodes
};

}  // namespace hs
