// Constraints, Keras 1.2.2 constraints.py; n = sqrt(sum of w^2 along the axes), e = 1e-7.
//   maxnorm      w * clip(n, 0, m) / (e + n)
//   nonneg       w * (w >= 0)
//   unitnorm     w / (e + n)
//   minmaxnorm   w * (rate * clip(n, low, high) + (1 - rate) * n) / (e + n)
#include <algorithm>
#include <cmath>

#include "plan/penalties.h"

namespace hs {
namespace {

const char* const kNames[] = {"maxnorm", "nonneg", "unitnorm", "minmaxnorm", nullptr};
constexpr double kEpsilon = 1e-7;

// Calls fn(row, group, step) for every row along the last axis: elements row .. row + n of w belong to the norms
// group, group + step, ...; norms are numbered over the axes that are not summed.
template <typename Fn>
void each_row(const Dims& dims, const std::vector<int>& axes, const Fn& fn) {
  const size_t rank = dims.size();
  Dims stride(rank, 0);
  int64_t groups = 1;
  for (size_t d = rank; d-- > 0;) {
    if (std::find(axes.begin(), axes.end(), static_cast<int>(d)) != axes.end()) continue;
    stride[d] = groups;
    groups *= dims[d];
  }
  const int64_t n = dims.back(), rows = n == 0 ? 0 : count(dims) / n;
  for (int64_t row = 0; row < rows; row++) {
    int64_t group = 0, left = row;
    for (size_t d = rank - 1; d-- > 0; left /= dims[d]) group += left % dims[d] * stride[d];
    fn(row * n, group, stride[rank - 1]);
  }
}

double wanted(const Constraint& c, double norm) {
  switch (c.kind) {
    case Constraint::Kind::kMaxNorm: return std::min(norm, c.m);
    case Constraint::Kind::kUnitNorm: return 1;
    case Constraint::Kind::kMinMaxNorm:
      return c.rate * std::min(std::max(norm, c.low), c.high) + (1 - c.rate) * norm;
    default: return norm;
  }
}

}  // namespace

const char* const* constraint_names() { return kNames; }

Constraint Constraint::from(const Config* config, const Dims& dims, const std::string& where) {
  Constraint c;
  if (!config || config->kind == Config::Kind::kNull) return c;
  const std::string& name = config->str("name");
  int kind = 0;
  while (kNames[kind] && name != kNames[kind]) kind++;
  if (!kNames[kind])
    throw Error(Code::kUnknownName, where, "there is no constraint named '" + name + "'.");
  c.kind = static_cast<Kind>(kind + 1);
  c.m = config->num("m", 2);
  c.low = config->num("low", 0);
  c.high = config->num("high", 1);
  c.rate = config->num("rate", 1);
  Dims axes = {0};
  if (config->has("axis")) {
    axes = config->at("axis").kind == Config::Kind::kList ? config->dims("axis")
                                                          : Dims{config->integer("axis")};
  }
  const int64_t rank = static_cast<int64_t>(dims.size());
  for (int64_t axis : axes) {
    const int64_t from_start = axis < 0 ? axis + rank : axis;
    if (c.kind != Kind::kNonNeg && (from_start < 0 || from_start >= rank)) {
      fail(Code::kOption, where, "axis of the constraint " + name, "an axis of " + to_string(dims),
           std::to_string(axis));
    }
    const int place = static_cast<int>(from_start);
    if (std::find(c.axes.begin(), c.axes.end(), place) == c.axes.end()) c.axes.push_back(place);
  }
  return c;
}

template <typename real>
void constrain(const Constraint& c, real* w, const Dims& dims) {
  const int64_t size = count(dims);
  if (c.kind == Constraint::Kind::kNone || size == 0) return;
  if (c.kind == Constraint::Kind::kNonNeg) {
    for (int64_t i = 0; i < size; i++) w[i] = w[i] >= 0 ? w[i] : real(0);
    return;
  }
  int64_t groups = size;
  for (int axis : c.axes) groups /= dims[size_t(axis)];
  std::vector<double> factor(size_t(groups), 0.0);  // sums of squares first
  const int64_t n = dims.back();
  each_row(dims, c.axes, [&](int64_t row, int64_t group, int64_t step) {
    for (int64_t j = 0; j < n; j++)
      factor[size_t(group + j * step)] += double(w[row + j]) * double(w[row + j]);
  });
  for (double& f : factor) {
    const double norm = std::sqrt(f);
    f = wanted(c, norm) / (kEpsilon + norm);
  }
  each_row(dims, c.axes, [&](int64_t row, int64_t group, int64_t step) {
    for (int64_t j = 0; j < n; j++)
      w[row + j] = static_cast<real>(double(w[row + j]) * factor[size_t(group + j * step)]);
  });
}

template void constrain<float>(const Constraint&, float*, const Dims&);
template void constrain<double>(const Constraint&, double*, const Dims&);

}  // namespace hs
