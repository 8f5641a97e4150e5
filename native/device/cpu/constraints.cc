// Constraints, Keras 1.2.2 constraints.py; n = sqrt(sum of w^2 along the axes), e = 1e-7.
//   maxnorm      w * clip(n, 0, m) / (e + n)
//   nonneg       w * (w >= 0)
//   unitnorm     w / (e + n)
//   minmaxnorm   w * (rate * clip(n, low, high) + (1 - rate) * n) / (e + n)
#include "device/cpu/constraints.h"

#include <algorithm>
#include <cmath>

namespace hs {
namespace {

constexpr double kEpsilon = 1e-7;

// Calls fn(row, group, step) for every row along the last axis: elements row .. row + n of w belong
// to the norms group, group + step, ...
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
