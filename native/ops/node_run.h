// How a node of a program runs on a device. A node works on whole arrays. Machine is what a device
// computes with: the kernels of an instruction set, or the queue of a card.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "ops/op.h"
#include "program/program.h"

namespace hs {

// Where the numbers of a program lie now, by node.
template <typename real>
struct Frame {
  std::vector<real*> values, grads;  // a gradient that nobody asks for: nullptr
  std::vector<Dims> dims;
  // of a product whose right-hand side is packed already: it, and transposed; else nullptr
  std::vector<const real*> packed, packed_t;
  // of a product that goes on from a sum's other part, which lies in its place already
  std::vector<char> accumulates;
  // of a slice that, with the other slices of its argument, makes up all of it, each once: its
  // gradient is written, and nothing else of it
  std::vector<char> parts;
};

// What all nodes of a pass, or of a step of it, share.
template <typename real, class Machine>
struct NodeStage {
  Machine* k = nullptr;
  real* temp = nullptr;  // at least what Run::temp asks for
  int64_t temp_size = 0;
  real* spare = nullptr;  // as many numbers as the largest gradient that has two parts
  bool training = false;
  DropoutKey key;
  uint32_t stream = 0;
  // This step's (and these rows') place among all of a pass: it begins with number
  // begin * size / rows of a node's numbers.
  int64_t begin = 0, rows = 1;
};

// A node at work.
template <typename real, class Machine>
struct NodeCall {
  const Program& program;
  const Frame<real>& frame;
  const NodeStage<real, Machine>& stage;
  int index;
  int op;  // NodeRun::op

  Machine* const k = stage.k;
  real* const temp = stage.temp;

  const Node& node() const { return program[index]; }
  size_t arg(int i) const { return size_t(node().args[size_t(i)]); }
  const real* x(int i) const { return frame.values[arg(i)]; }
  const Dims& x_dims(int i) const { return frame.dims[arg(i)]; }
  real* y() const { return frame.values[size_t(index)]; }
  const Dims& y_dims() const { return frame.dims[size_t(index)]; }
  const real* dy() const { return frame.grads[size_t(index)]; }
};

// What backward reads: bit i of argument i, and
constexpr unsigned kKeepsY = 1u << 31;

// What a plan asks of a node, whatever runs it.
struct NodeRule {
  const char* name;
  unsigned (*keeps)(const Node&);
  unsigned no_gradient;  // bit i: nothing flows to argument i
  bool adds;             // backward adds to dx where it is told to; else it writes alone
};

template <typename real, class Machine>
struct NodeRun : NodeRule {
  void (*forward)(const NodeCall<real, Machine>&);
  // The gradient of argument i; nullptr where nothing flows to any.
  void (*backward)(const NodeCall<real, Machine>&, int i, real* dx, bool add);
  // Numbers of Call::temp that it needs; nullptr: none.
  int64_t (*temp)(Machine*, const Node&, const std::vector<Dims>& x, const Dims& y);
  int op = 0;  // for functions that several nodes share: the device's own number of the node
};

// nullptr: leaves have none, and no more do nodes that the device cannot run.
template <typename real, class Machine>
const NodeRun<real, Machine>* find_run(const std::string& name);

inline unsigned keeps_nothing(const Node&) { return 0; }
inline unsigned keeps_first(const Node&) { return 1; }
inline unsigned keeps_second(const Node&) { return 2; }
inline unsigned keeps_both(const Node&) { return 3; }
inline unsigned keeps_result(const Node&) { return kKeepsY; }

}  // namespace hs
