// What each node reads and what extents it gives.
#include <algorithm>

#include "base/arena.h"
#include "base/error.h"
#include "formulas/activation.h"
#include "program/program.h"

namespace hs {
namespace {

using Args = std::vector<Dims>;

[[noreturn]] void refuse(const Node& node, const std::string& what, const std::string& expected,
                         const std::string& actual) {
  fail(Code::kShape, node.type->name, what, expected, actual);
}

int64_t axis_of(const Node& node, int64_t axis, const Dims& x) {
  if (axis < 0 || axis >= static_cast<int64_t>(x.size()))
    refuse(node, "an axis", "one of those of " + to_string(x), std::to_string(axis));
  return axis;
}

// ---- attributes
void read_activation(Node& n, const Config& c) {
  n.index = -1;
#define HS_NAMED(kind, name, from) \
  if (c.str("name") == name) n.index = static_cast<int64_t>(Activation::kind);
  HS_ACTIVATIONS(HS_NAMED)
#undef HS_NAMED
  if (n.index < 0)
    throw Error(Code::kUnknownName, "activation", "there is none named '" + c.str("name") + "'.");
}
void read_param(Node& n, const Config& c) { n.text = c.str("name"), n.dims = c.dims("dims"); }
void read_index(Node& n, const Config& c) { n.index = c.integer("index"); }
void read_value(Node& n, const Config& c) { n.value = c.num("value"); }
void read_full(Node& n, const Config& c) { n.value = c.num("value"), n.dims = c.dims("dims"); }
void read_power(Node& n, const Config& c) { n.value = c.num("exponent"); }
void read_clip(Node& n, const Config& c) { n.low = c.num("min"), n.high = c.num("max"); }
void read_transposed(Node& n, const Config& c) { n.transposed = c.on("transposed"); }
void read_reduce(Node& n, const Config& c) { n.dims = c.dims("axes"), n.keep = c.on("keep"); }
void read_axis(Node& n, const Config& c) { n.axis = c.integer("axis"); }
void read_classes(Node& n, const Config& c) { n.count = c.integer("classes"); }
void read_dims(Node& n, const Config& c) { n.dims = c.dims("dims"); }
void read_axes(Node& n, const Config& c) { n.dims = c.dims("axes"); }
void read_repeat(Node& n, const Config& c) {
  n.axis = c.integer("axis"), n.count = c.integer("count");
}
void read_slice(Node& n, const Config& c) {
  n.axis = c.integer("axis"), n.from = c.integer("from", 0), n.step = c.integer("step", 1);
  n.to_end = !c.has("to");
  if (!n.to_end) n.to = c.integer("to");
}
void read_dropout(Node& n, const Config& c) {
  n.value = c.num("p"), n.index = c.integer("stream", -1);
  if (n.index < -1 || n.index > 14)
    fail(Code::kOption, "dropout", "stream", "from 0 to 14", std::to_string(n.index));
  if (!(n.value >= 0 && n.value < 1))
    fail(Code::kOption, "dropout", "p", "from 0 to below 1", std::to_string(n.value));
}

// ---- extents
Dims same(const Node&, const Args& x) { return x[0]; }

Dims with_last_axis(const Node& n, const Args& x) {
  if (x[0].empty()) refuse(n, "its argument", "at least one axis", "a number");
  return x[0];
}

Dims activation(const Node& n, const Args& x) {
  return Activation(n.index) == Activation::kSoftmax ? with_last_axis(n, x) : x[0];
}

Dims two(const Node&, const Args& x) { return broadcast(x[0], x[1]); }
Dims three(const Node&, const Args& x) { return broadcast(broadcast(x[0], x[1]), x[2]); }

// dims with -1-k (full) or -2-k (reshape) for the extent of axis k of x.
int64_t extent_in(const Node& n, int64_t code, int64_t first, const Dims& x) {
  return code >= 0 ? code : x[size_t(axis_of(n, first - code, x))];
}

Dims full(const Node& n, const Args& x) {
  Dims y;
  for (int64_t d : n.dims) y.push_back(extent_in(n, d, -1, x.empty() ? Dims{} : x[0]));
  return y;
}

Dims dot(const Node& n, const Args& x) {
  const Dims &a = x[0], &b = x[1];
  if (b.size() != 2) refuse(n, "the right-hand side", "a matrix", to_string(b));
  if (a.empty() || a.back() != b[n.transposed ? 1 : 0]) {
    refuse(n, "the last extent of the left-hand side", std::to_string(b[n.transposed ? 1 : 0]),
           to_string(a));
  }
  Dims y = a;
  y.back() = b[n.transposed ? 0 : 1];
  return y;
}

Dims batch_dot(const Node& n, const Args& x) {
  const Dims &a = x[0], &b = x[1];
  const size_t axes = a.size();
  const bool fits = axes >= 2 && b.size() == axes &&
                    std::equal(a.begin(), a.end() - 2, b.begin()) &&
                    a[axes - 1] == b[axes - (n.transposed ? 1 : 2)];
  if (!fits)
    refuse(n, "its arguments", "stacks of matrices that can be multiplied",
           to_string(a) + " and " + to_string(b));
  Dims y = a;
  y.back() = b[axes - (n.transposed ? 2 : 1)];
  return y;
}

Dims reduce(const Node& n, const Args& x) {
  std::vector<char> gone(x[0].size(), 0);
  for (int64_t axis : n.dims) gone[size_t(axis_of(n, axis, x[0]))] = 1;
  Dims y;
  for (size_t i = 0; i < x[0].size(); i++) {
    if (!gone[i]) y.push_back(x[0][i]);
    if (gone[i] && n.keep) y.push_back(1);
    if (gone[i] && x[0][i] == 0) refuse(n, "the extent that it goes over", "at least 1", "0");
  }
  return y;
}

Dims arg(const Node& n, const Args& x) {
  Dims y = x[0];
  y.erase(y.begin() + axis_of(n, n.axis, y));
  return y;
}

Dims along(const Node& n, const Args& x) {
  axis_of(n, n.axis, x[0]);
  return x[0];
}

Dims gather(const Node& n, const Args& x) {
  if (x[0].empty()) refuse(n, "what it takes rows of", "at least one axis", "a number");
  Dims y = x[1];
  y.insert(y.end(), x[0].begin() + 1, x[0].end());
  return y;
}

Dims pick(const Node& n, const Args& x) {
  if (x[0].empty() || Dims(x[0].begin(), x[0].end() - 1) != x[1])
    refuse(n, "the indices", "one for each row of " + to_string(x[0]), to_string(x[1]));
  return x[1];
}

Dims one_hot(const Node& n, const Args& x) {
  if (n.count < 1) refuse(n, "classes", "at least 1", std::to_string(n.count));
  Dims y = x[0];
  y.push_back(n.count);
  return y;
}

Dims concat(const Node& n, const Args& x) {
  Dims y = x[0];
  const size_t axis = size_t(axis_of(n, n.axis, y));
  for (size_t i = 1; i < x.size(); i++) {
    Dims other = x[i];
    if (other.size() == y.size()) other[axis] = y[axis];
    if (other != y)
      refuse(n, "its arguments", "equal but for axis " + std::to_string(axis),
             to_string(x[0]) + " and " + to_string(x[i]));
    y[axis] += x[i][axis];
  }
  return y;
}

Dims slice(const Node& n, const Args& x) {
  const int64_t size = x[0][size_t(axis_of(n, n.axis, x[0]))];
  const auto [from, to] = slice_of(n, size);
  if (n.step < 1 || from < 0 || to > size || from >= to) {
    refuse(n, "the part", "within an axis of " + std::to_string(size),
           std::to_string(from) + " to " + std::to_string(to));
  }
  Dims y = x[0];
  y[size_t(n.axis)] = (to - from + n.step - 1) / n.step;
  return y;
}

Dims reshape(const Node& n, const Args& x) {
  Dims y;
  int64_t left = -1, known = 1;
  for (size_t i = 0; i < n.dims.size(); i++) {
    if (n.dims[i] == -1 && left < 0) left = static_cast<int64_t>(i);
    y.push_back(n.dims[i] == -1 ? 1 : extent_in(n, n.dims[i], -2, x[0]));
    known *= y.back();
  }
  const int64_t all = checked_count(x[0], "reshape");
  if (left >= 0 && known > 0) y[size_t(left)] = all / known;
  if (checked_count(y, "reshape") != all)
    refuse(n, "the new extents", "as many numbers as " + to_string(x[0]), to_string(y));
  return y;
}

Dims permute(const Node& n, const Args& x) {
  std::vector<char> seen(x[0].size(), 0);
  Dims y;
  for (int64_t axis : n.dims) {
    const size_t a = size_t(axis_of(n, axis, x[0]));
    if (seen[a]++) break;
    y.push_back(x[0][a]);
  }
  if (y.size() != x[0].size())
    refuse(n, "its axes", "each axis of " + to_string(x[0]) + " once", to_string(n.dims));
  return y;
}

Dims broadcast_to(const Node& n, const Args& x) {
  if (broadcast(x[0], x[1]) != x[1])
    refuse(n, "its argument", "one that fits " + to_string(x[1]), to_string(x[0]));
  return x[1];
}

Dims repeat(const Node& n, const Args& x) {
  if (n.count < 1) refuse(n, "count", "at least 1", std::to_string(n.count));
  Dims y = x[0];
  y[size_t(axis_of(n, n.axis, y))] *= n.count;
  return y;
}

constexpr NodeType kTypes[] = {
    {"input", 0, 0, read_index, nullptr},
    {"param", 0, 0, read_param, nullptr},
    {"number", 0, 0, read_value, nullptr},
    {"phase", 0, 0, nullptr, nullptr},
    {"mask", 0, 0, nullptr, nullptr},
    {"sequence", 0, 0, read_index, nullptr},
    {"state", 0, 0, read_index, nullptr},
    {"full", 0, 1, read_full, full},
    {"activation", 1, 1, read_activation, activation},
    {"log_softmax", 1, 1, nullptr, with_last_axis},
    {"exp", 1, 1, nullptr, same},
    {"log", 1, 1, nullptr, same},
    {"sqrt", 1, 1, nullptr, same},
    {"square", 1, 1, nullptr, same},
    {"abs", 1, 1, nullptr, same},
    {"sign", 1, 1, nullptr, same},
    {"reciprocal", 1, 1, nullptr, same},
    {"power", 1, 1, read_power, same},
    {"clip", 1, 1, read_clip, same},
    {"add", 2, 2, nullptr, two},
    {"sub", 2, 2, nullptr, two},
    {"mul", 2, 2, nullptr, two},
    {"div", 2, 2, nullptr, two},
    {"max", 2, 2, nullptr, two},
    {"min", 2, 2, nullptr, two},
    {"equal", 2, 2, nullptr, two},
    {"less", 2, 2, nullptr, two},
    {"less_equal", 2, 2, nullptr, two},
    {"where", 3, 3, nullptr, three},
    {"dot", 2, 2, read_transposed, dot},
    {"batch_dot", 2, 2, read_transposed, batch_dot},
    {"sum", 1, 1, read_reduce, reduce},
    {"mean", 1, 1, read_reduce, reduce},
    {"max_of", 1, 1, read_reduce, reduce},
    {"min_of", 1, 1, read_reduce, reduce},
    {"prod", 1, 1, read_reduce, reduce},
    {"argmax", 1, 1, read_axis, arg},
    {"cumsum", 1, 1, read_axis, along},
    {"gather", 2, 2, nullptr, gather},
    {"pick", 2, 2, nullptr, pick},
    {"one_hot", 1, 1, read_classes, one_hot},
    {"concat", 1, -1, read_axis, concat},
    {"slice", 1, 1, read_slice, slice},
    {"reshape", 1, 1, read_dims, reshape},
    {"permute", 1, 1, read_axes, permute},
    {"broadcast", 2, 2, nullptr, broadcast_to},
    {"repeat", 1, 1, read_repeat, repeat},
    {"dropout", 1, 1, read_dropout, same},
    {"stop_gradient", 1, 1, nullptr, same},
};

}  // namespace

std::pair<int64_t, int64_t> slice_of(const Node& node, int64_t size) {
  const auto at = [size](int64_t i) { return i < 0 ? i + size : i; };
  return {at(node.from), node.to_end ? size : at(node.to)};
}

Dims broadcast(const Dims& a, const Dims& b) {
  const Dims &longer = a.size() < b.size() ? b : a, &shorter = a.size() < b.size() ? a : b;
  Dims y = longer;
  for (size_t i = 1; i <= shorter.size(); i++) {
    int64_t& d = y[y.size() - i];
    const int64_t e = shorter[shorter.size() - i];
    if (d != e && d != 1 && e != 1)
      fail(Code::kShape, "broadcast", "extents", "equal or 1 from the last axis on",
           to_string(a) + " and " + to_string(b));
    if (d == 1) d = e;
  }
  return y;
}

const NodeType* node_type(const std::string& name) {
  for (const NodeType& type : kTypes) {
    if (name == type.name) return &type;
  }
  return nullptr;
}

std::vector<std::string> node_names() {
  std::vector<std::string> names;
  for (const NodeType& type : kTypes) names.push_back(type.name);
  return names;
}

}  // namespace hs
