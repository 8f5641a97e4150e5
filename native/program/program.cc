#include "program/program.h"

#include "base/arena.h"
#include "base/error.h"

namespace hs {

Program::Program(const Config& nodes, std::string where) : where_(std::move(where)) {
  for (const Config& config : nodes.list) {
    Node node;
    const std::string& name = config.str("op");
    const int index = size();
    const std::string which = "node " + std::to_string(index) + " (" + name + ")";
    node.type = node_type(name);
    if (!node.type)
      throw Error(Code::kUnknownName, where_, "there is no node named '" + name + "'.");
    if (config.has("args")) {
      for (int64_t arg : config.dims("args")) {
        if (arg < 0 || arg >= index)
          fail(Code::kOption, where_, "an argument of " + which, "an earlier node",
               std::to_string(arg));
        node.args.push_back(static_cast<int>(arg));
      }
    }
    const int n = static_cast<int>(node.args.size());
    if (n < node.type->least_args || (node.type->most_args >= 0 && n > node.type->most_args))
      fail(Code::kOption, where_, "the number of arguments of " + which,
           std::to_string(node.type->least_args), std::to_string(n));
    if (node.type->read) node.type->read(node, config);
    nodes_.push_back(std::move(node));
  }
}

int Program::node(const Config& number, const char* what) const {
  const double n = number.kind == Config::Kind::kNumber ? number.number : -1;
  if (!(n >= 0 && n < double(size())))
    fail(Code::kOption, where_, what, "one of " + std::to_string(size()) + " nodes",
         std::to_string(n));
  return static_cast<int>(n);
}

std::vector<Dims> Program::dims(FunctionRef<Dims(const Node&)> leaf) const {
  std::vector<Dims> all;
  for (const Node& node : nodes_) {
    if (node.leaf()) {
      const bool one = node.is("number") || node.is("phase");
      all.push_back(one ? Dims{} : node.is("param") ? node.dims : leaf(node));
    } else {
      std::vector<Dims> args;
      for (int arg : node.args) args.push_back(all[size_t(arg)]);
      all.push_back(node.type->dims(node, args));
    }
    checked_count(all.back(), where_);
    if (all.back().size() > kMostAxes)
      fail(Code::kShape, where_, "the axes of " + std::string(node.type->name),
           "at most " + std::to_string(kMostAxes), std::to_string(all.back().size()));
  }
  return all;
}

Dims memory_dims(const Extent& extent, bool whole) {
  return whole ? extent.dims : memory_dims(extent);
}

Extent extent_of(const Dims& dims, bool whole, const std::string& where) {
  if (whole) return {1, dims};
  if (dims.empty()) fail(Code::kShape, where, "an output", "one value a sample", "one number");
  const size_t batch = dims.size() > 2 ? 1 : 0;
  Extent extent{dims[batch], dims};
  extent.dims.erase(extent.dims.begin() + static_cast<int64_t>(batch));
  return extent;
}

}  // namespace hs
