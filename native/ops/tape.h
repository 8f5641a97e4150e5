// The interpreter of a program: nodes in their order forward, against it backward. What owns the
// memory (ops/expression_run.h, scan_run.h) fills a Frame with places and says which nodes to run.
#pragma once
#include <string>
#include <vector>

#include "ops/node_run.h"

namespace hs {

// What is known of a program's memory before it runs, whatever runs it.
class TapePlan {
 public:
  // What the nodes' memory depends on, at these extents. used_outside: nodes that are read besides
  // (outputs, states): their values stay, their gradients come from outside too. learns: leaves
  // that want a gradient. With neither, nothing is kept.
  void plan(const std::vector<Dims>& dims, const std::vector<char>& used_outside,
            const std::vector<char>& learns);

  bool wants(int i) const { return wants_[size_t(i)]; }  // a gradient
  // Backward reads its value.
  bool kept(int i) const { return kept_[size_t(i)]; }
  // Nodes whose value, or gradient, lies in the same place as that of the node before all of them
  // is written: itself, or the sum that it is a part of.
  int value_place(int i) const { return value_place_[size_t(i)]; }
  int grad_place(int i) const { return grad_place_[size_t(i)]; }
  // The place of a product that goes on from a sum's other part; -1: node i is no such sum.
  int added_product(int i) const { return product_[size_t(i)]; }
  // The argument whose gradient the owner makes of all steps at once: the matrix of a product, what
  // is added to all rows. -1: none.
  void defer(int i, int arg) { deferred_[size_t(i)] = arg; }
  int deferred(int i) const { return deferred_[size_t(i)]; }
  int64_t spare_size(const std::vector<Dims>& dims) const;

 protected:
  explicit TapePlan(const Program& program) : program_(program) {}
  bool flows(int i, int arg) const {  // from node i to its argument
    return flows_[size_t(i)][size_t(arg)];
  }

  const Program& program_;
  std::vector<const NodeRule*> rules_;  // per node; nullptr: a leaf
  std::vector<char> wants_, kept_, parts_;
  std::vector<char> added_;               // a product that runs where its sum does
  std::vector<std::vector<char>> flows_;  // per node and argument
  std::vector<int> value_place_, grad_place_, product_, deferred_;

 private:
  bool flows_to(int i, int arg) const;
  void find_parts(const std::vector<Dims>& dims, const std::vector<char>& used_outside);
};

template <typename real, class Machine>
class Tape : public TapePlan {
 public:
  using Stage = NodeStage<real, Machine>;
  // Throws Error(kInternal) for a node that this device cannot run.
  Tape(const Program& program, Machine* k, std::string where);

  // Without places.
  Frame<real> frame(const std::vector<Dims>& dims) const;
  int64_t temp_size(const std::vector<Dims>& dims) const;

  // Puts the leaves that are numbers, and the phase, into their places.
  void fill_numbers(const Frame<real>& frame, bool training) const;
  // Runs these nodes, in order; leaves are there.
  void forward(const std::vector<int>& nodes, Frame<real>& frame, const Stage& stage) const;
  // written: per node, whether its gradient has been; those of leaves and of other nodes go on from
  // what is there.
  void backward(const std::vector<int>& nodes, Frame<real>& frame, const Stage& stage,
                std::vector<char>& written) const;

 private:
  const NodeRun<real, Machine>& run_of(int i) const {
    return *static_cast<const NodeRun<real, Machine>*>(rules_[size_t(i)]);
  }
  void run(int i, Frame<real>& frame, const Stage& stage) const;

  Machine* const k_;
};

}  // namespace hs
