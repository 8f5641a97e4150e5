#include "ops/tape.h"

#include <algorithm>

namespace hs {

bool TapePlan::flows_to(int i, int arg) const {
  return !(arg < 31 && (rules_[size_t(i)]->no_gradient >> arg & 1)) &&
         wants_[size_t(program_[i].args[size_t(arg)])];
}

void TapePlan::plan(const std::vector<Dims>& dims, const std::vector<char>& used_outside,
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
    const unsigned keeps = rules_[size_t(i)]->keeps(program_[i]);
    if (keeps & kKeepsY) kept_[size_t(i)] = 1;
    const std::vector<int>& args = program_[i].args;
    for (size_t a = 0; a < args.size(); a++) {
      // A number times a value: the one is read for the gradient of the other alone.
      const bool read = args.size() != 2 || program_[i].is("div") || program_[i].is("max") ||
                        program_[i].is("min") || rules_[size_t(i)]->no_gradient ||
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

void TapePlan::find_parts(const std::vector<Dims>& dims, const std::vector<char>& used_outside) {
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

int64_t TapePlan::spare_size(const std::vector<Dims>& dims) const {
  int64_t most = 1;
  for (int i = 0; i < program_.size(); i++) {
    if (program_[i].leaf() || !wants(i) || rules_[size_t(i)]->adds) continue;
    for (int arg : program_[i].args) most = std::max(most, count(dims[size_t(arg)]));
  }
  return most;
}

}  // namespace hs
