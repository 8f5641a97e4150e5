// Options, extents and parameters of the ops that run programs: device/cpu/ops/expression.cc,
// scan.cc.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "ops/op.h"
#include "program/program.h"

namespace hs {

// What an op's program reads and makes, beside what `scan` adds.
class ProgramShape : public OpShape {
 public:
  const Program& program() const { return program_; }
  bool whole() const { return whole_; }

 protected:
  ProgramShape(const Config& options, const OpContext& context)
      : OpShape(context),
        program_(options.at("nodes"), context.where()),
        whole_(options.on("whole")) {
    std::set<std::string> seen;
    for (const Node& node : program_.nodes()) {
      if (!node.leaf() || node.is("number")) continue;
      const std::string leaf =
          std::string(node.type->name) + " " + node.text + std::to_string(node.index);
      if (!seen.insert(leaf).second)
        fail(Code::kOption, context.where(), "a leaf", "in the program once", leaf + " twice");
    }
  }

  // Extents of what the op is given, of which one sample is the whole of it if whole_.
  Dims input_dims(const std::vector<Extent>& x, int64_t index) const {
    if (index < 0 || index >= static_cast<int64_t>(x.size()))
      fail(Code::kOption, where(), "an input", "one of " + std::to_string(x.size()),
           std::to_string(index));
    const Extent& extent = x[size_t(index)];
    if (whole_ && extent.rows != 1)
      fail(Code::kShape, where(), "the number of samples", "1", std::to_string(extent.rows));
    return memory_dims(extent, whole_);
  }

  // Each parameter once, by the name that the op knows it by.
  void declare_params(Declaration& d) {
    params_.clear();
    for (const Node& node : program_.nodes()) {
      if (node.is("param") && !params_.count(node.text))
        params_[node.text] = d.param(node.text.c_str(), node.dims);
    }
  }
  const Tensor& param(const Node& node) const { return params_.at(node.text); }

  const Program program_;
  const bool whole_;
  std::map<std::string, Tensor> params_;
};

class ExpressionShape : public ProgramShape {
 public:
  Extent output(const std::vector<Extent>& x) const override {
    return extent_of(dims(x)[size_t(outputs_[0])], whole_, where());
  }
  std::vector<Extent> more_outputs(const std::vector<Extent>& x) const override {
    const std::vector<Dims> all = dims(x);
    std::vector<Extent> more;
    for (size_t i = 1; i < outputs_.size(); i++)
      more.push_back(extent_of(all[size_t(outputs_[i])], whole_, where()));
    return more;
  }
  void declare(Declaration& d, const std::vector<Extent>& x, const Extent&, bool) override {
    dims_ = dims(x);
    declare_params(d);
  }

 protected:
  ExpressionShape(const Config& options, const OpContext& context)
      : ProgramShape(options, context) {
    for (const Config& output : options.at("outputs").list)
      outputs_.push_back(program_.node(output, "an output"));
    if (outputs_.empty()) fail(Code::kOption, where(), "outputs", "at least one", "none");
  }

  std::vector<Dims> dims(const std::vector<Extent>& x) const {
    return program_.dims([&](const Node& leaf) -> Dims {
      if (leaf.is("input")) return input_dims(x, leaf.index);
      if (leaf.is("mask") && !whole_) return {x[0].steps(), x[0].rows};
      fail(Code::kOption, where(), "a leaf", "an input, a parameter, a number, the phase or a mask",
           leaf.type->name);
    });
  }

  std::vector<int> outputs_;  // nodes
  std::vector<Dims> dims_;    // of the nodes, at the extent declared last
};

}  // namespace hs
