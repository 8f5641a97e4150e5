// Constraints, Keras 1.2.2 constraints.py; n = sqrt(sum of w^2 along the axes), e = 1e-7.
//   maxnorm      w * clip(n, 0, m) / (e + n)
//   nonneg       w * (w >= 0)
//   unitnorm     w / (e + n)
//   minmaxnorm   w * (rate * clip(n, low, high) + (1 - rate) * n) / (e + n)
#include "plan/constraints.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace hs {
namespace {

const char* const kNames[] = {"maxnorm", "nonneg", "unitnorm", "minmaxnorm", nullptr};
constexpr double kEpsilon = 1e-7;

// Calls fn(row, group, step) for every row along the last axis: elements row .. row + n of w belong to the norms
// group, group + step, ...
template <typename Fn>
void each_row(const Dims& dims, const Dims& stride, const Fn& fn) {
  const size_t rank = dims.size();
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
  std::vector<char> summed(dims.size(), 0);
  for (int64_t axis : axes) {
    const int64_t from_start = axis < 0 ? axis + rank : axis;
    if (c.kind != Kind::kNonNeg && (from_start < 0 || from_start >= rank)) {
      fail(Code::kOption, where, "axis of the constraint " + name, "an axis of " + to_string(dims),
           std::to_string(axis));
    }
    if (c.kind != Kind::kNonNeg) summed[size_t(from_start)] = 1;
  }
  if (c.kind == Kind::kNonNeg) return c;
  c.stride.assign(dims.size(), 0);
  c.groups = 1;
  for (size_t d = dims.size(); d-- > 0;) {
    if (summed[d]) continue;
    c.stride[d] = c.groups;
    c.groups *= dims[d];
  }
  return c;
}

template <typename real>
void constrain(const Constraint& c, real* w, const Dims& dims, double* norms) noexcept {
  const int64_t size = count(dims);
  if (c.kind == Constraint::Kind::kNone || size == 0) return;
  if (c.kind == Constraint::Kind::kNonNeg) {
    for (int64_t i = 0; i < size; i++) w[i] = w[i] >= 0 ? w[i] : real(0);
    return;
  }
  std::fill_n(norms, c.groups, 0.0);  // sums of squares first
  const int64_t n = dims.back();
  each_row(dims, c.stride, [&](int64_t row, int64_t group, int64_t step) {
    for (int64_t j = 0; j < n; j++) {
      const double v = double(w[row + j]);
      norms[group + j * step] += v * v;
    }
  });
  for (int64_t g = 0; g < c.groups; g++) {
    const double norm = std::sqrt(norms[g]);
    norms[g] = wanted(c, norm) / (kEpsilon + norm);
  }
  each_row(dims, c.stride, [&](int64_t row, int64_t group, int64_t step) {
    for (int64_t j = 0; j < n; j++)
      w[row + j] = static_cast<real>(double(w[row + j]) * norms[group + j * step]);
  });
}

template void constrain<float>(const Constraint&, float*, const Dims&, double*) noexcept;
template void constrain<double>(const Constraint&, double*, const Dims&, double*) noexcept;

}  // namespace hs
