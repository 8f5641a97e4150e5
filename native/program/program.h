// An expression as plain data (decision 0037): a list of nodes, each a function of earlier ones.
// Free of any device and of `real`: what nodes are called, what they read, what extents they have.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/config.h"
#include "base/function_ref.h"
#include "base/shape.h"

namespace hs {

constexpr size_t kMostAxes = 32;  // of a value

struct Node;

// What all nodes of one name have in common.
struct NodeType {
  const char* name;
  int least_args, most_args;                                 // most_args -1: any number
  void (*read)(Node&, const Config&);                        // its attributes; nullptr: it has none
  Dims (*dims)(const Node&, const std::vector<Dims>& args);  // nullptr: a leaf
};

// A node's attributes; which of them a type has stands in decision 0037.
struct Node {
  const NodeType* type = nullptr;
  std::vector<int> args;  // nodes before this one
  std::string text;       // of a parameter: its name
  double value = 0, low = 0, high = 0;
  int64_t index = 0;  // of an activation: which Activation
  int64_t axis = 0, from = 0, to = 0, step = 1, count = 0;
  bool to_end = false;  // a slice without `to`
  bool transposed = false, keep = false;
  Dims dims;  // extents, or axes

  bool is(const char* name) const { return type->name == std::string_view(name); }
  bool leaf() const { return !type->dims; }
};

class Program {
 public:
  // nodes: the list of an op's options. Throws Error(kUnknownName) for a node that there is not,
  // Error(kOption) for arguments that are not earlier nodes, or are too many or too few.
  Program(const Config& nodes, std::string where);

  const std::vector<Node>& nodes() const { return nodes_; }
  const Node& operator[](int i) const { return nodes_[size_t(i)]; }
  int size() const { return static_cast<int>(nodes_.size()); }
  // The node that an option names. Throws Error(kOption) where there is none of that number.
  int node(const Config& number, const char* what) const;

  // Extents of all nodes. leaf: those of a leaf; a number and the phase are known here. Throws
  // Error(kShape) with the node's name and its arguments' extents.
  std::vector<Dims> dims(FunctionRef<Dims(const Node&)> leaf) const;

 private:
  std::vector<Node> nodes_;
  std::string where_;
};

const NodeType* node_type(const std::string& name);  // nullptr: there is none
std::vector<std::string> node_names();               // of all that there are
// The part [from, to) of an axis of that size that a slice takes.
std::pair<int64_t, int64_t> slice_of(const Node& slice, int64_t size);

// The extents that both are broadcast to, aligned at the last axis. Throws Error(kShape).
Dims broadcast(const Dims& a, const Dims& b);

// The extents of a value's numbers; whole: of its one sample, no batch.
Dims memory_dims(const Extent& extent, bool whole);
// The extent of a value with these; the inverse.
Extent extent_of(const Dims& dims, bool whole, const std::string& where);

}  // namespace hs
