#include "program/rows.h"

#include <algorithm>
#include <string>

#include "formulas/activation.h"

namespace hs {
namespace {

bool has_rows(const Dims& x, int64_t B) { return !x.empty() && x[0] == B; }

bool any_of(const Node& node, std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(), [&](const char* name) { return node.is(name); });
}

}  // namespace

bool row_by_row(const Node& node, const std::vector<Dims>& x, const Dims& y, int64_t B,
                std::vector<Reads>& reads) {
  reads.assign(x.size(), Reads::kRows);
  if (!has_rows(y, B)) return false;
  if (any_of(node, {"dot", "gather"})) {
    // rows of the one, all of the other: a matrix, or what rows are taken from
    const size_t all = node.is("dot") ? 1 : 0;
    reads[all] = Reads::kAll;
    return has_rows(x[1 - all], B) && x[1 - all].size() >= (node.is("dot") ? 2 : 1);
  }
  if (any_of(node, {"sum", "mean", "max_of", "min_of", "prod"})) {
    return has_rows(x[0], B) &&
           std::none_of(node.dims.begin(), node.dims.end(), [](int64_t a) { return a == 0; });
  }
  if (any_of(node, {"argmax", "cumsum", "concat", "slice", "repeat"}) && node.axis == 0)
    return false;
  if (node.is("permute") && node.dims[0] != 0) return false;
  if (node.is("full") && node.dims[0] != -1) return false;
  const bool last_axis = node.is("log_softmax") ||
                         (node.is("activation") && Activation(node.index) == Activation::kSoftmax);
  if ((last_axis && y.size() < 2) || (node.is("batch_dot") && y.size() < 3)) return false;
  const bool broadcasts = x.size() > 1 && !any_of(node, {"batch_dot", "pick", "concat"});
  for (size_t i = 0; i < x.size(); i++) {
    if (broadcasts && (x[i].size() < y.size() || x[i][0] == 1)) {
      reads[i] = Reads::kAll;
    } else if (!has_rows(x[i], B)) {
      return false;
    }
  }
  return true;
}

}  // namespace hs
