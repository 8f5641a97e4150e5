// Nodes that make each number of one or two (or three) numbers in the same place.
#include <algorithm>
#include <cmath>

#include "device/cpu/nodes/broadcast.h"
#include "device/cpu/nodes/run.h"
#include "device/cpu/threads/chunks.h"

namespace hs {
namespace {

// ---- of one argument

template <typename real, typename Fn>
void each(const Call<real>& c, const Fn& fn) {
  const real* const x = c.x(0);
  real* const y = c.y();
  for_elements(count(c.y_dims()), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) y[i] = fn(x[i]);
  });
}
// dx (+)= dy * slope(x, y)
template <typename real, typename Fn>
void each_back(const Call<real>& c, real* dx, bool add, const Fn& slope) {
  const real *const x = c.x(0), *const y = c.y(), *const dy = c.dy();
  for_elements(count(c.y_dims()), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const real d = dy[i] * slope(x, y, i);
      dx[i] = add ? dx[i] + d : d;
    }
  });
}

unsigned keeps_of_activation(const Node& node) {
  return slope_from_input(Activation(node.index)) ? 1 : kKeepsY;
}
template <typename real>
void activation(const Call<real>& c) {
  const Activation kind = Activation(c.node().index);
  const Dims& dims = c.y_dims();
  if (kind == Activation::kSoftmax) {
    const int64_t K = dims.back(), rows = K ? count(dims) / K : 0;
    for_rows(rows, K, [&](int64_t r0, int64_t r1) {
      c.k->softmax(c.y() + r0 * K, c.x(0) + r0 * K, r1 - r0, K);
    });
    return;
  }
  for_elements(count(dims), [&](int64_t begin, int64_t end) {
    c.k->activate(kind, c.y() + begin, c.x(0) + begin, end - begin);
  });
}
template <typename real>
void activation_back(const Call<real>& c, int, real* dx, bool) {
  const Activation kind = Activation(c.node().index);
  const Dims& dims = c.y_dims();
  if (kind == Activation::kSoftmax) {
    const int64_t K = dims.back(), rows = K ? count(dims) / K : 0;
    for_rows(rows, K, [&](int64_t r0, int64_t r1) {
      c.k->softmax_backward(dx + r0 * K, c.y() + r0 * K, c.dy() + r0 * K, r1 - r0, K);
    });
    return;
  }
  const real* const kept = slope_from_input(kind) ? c.x(0) : c.y();
  for_elements(count(dims), [&](int64_t begin, int64_t end) {
    c.k->activate_backward(kind, dx + begin, kept + begin, c.dy() + begin, end - begin);
  });
}

template <typename real>
void exp(const Call<real>& c) {
  for_elements(count(c.y_dims()), [&](int64_t begin, int64_t end) {
    c.k->activate(Activation::kExponential, c.y() + begin, c.x(0) + begin, end - begin);
  });
}
template <typename real>
void exp_back(const Call<real>& c, int, real* dx, bool add) {
  each_back(c, dx, add, [](auto, auto y, int64_t i) { return y[i]; });
}
template <typename real>
void log(const Call<real>& c) {
  each(c, [](real v) { return std::log(v); });
}
template <typename real>
void log_back(const Call<real>& c, int, real* dx, bool add) {
  each_back(c, dx, add, [](auto x, auto, int64_t i) { return real(1) / x[i]; });
}
template <typename real>
void sqrt(const Call<real>& c) {
  each(c, [](real v) { return std::sqrt(v); });
}
template <typename real>
void sqrt_back(const Call<real>& c, int, real* dx, bool add) {
  each_back(c, dx, add, [](auto, auto y, int64_t i) { return real(0.5) / y[i]; });
}
template <typename real>
void square(const Call<real>& c) {
  each(c, [](real v) { return v * v; });
}
template <typename real>
void square_back(const Call<real>& c, int, real* dx, bool add) {
  each_back(c, dx, add, [](auto x, auto, int64_t i) { return 2 * x[i]; });
}
template <typename real>
real sign_of(real v) {
  return v > 0 ? real(1) : v < 0 ? real(-1) : v * 0;  // NaN stays one
}
template <typename real>
void abs(const Call<real>& c) {
  each(c, [](real v) { return std::fabs(v); });
}
template <typename real>
void abs_back(const Call<real>& c, int, real* dx, bool add) {
  each_back(c, dx, add, [](auto x, auto, int64_t i) { return sign_of(x[i]); });
}
template <typename real>
void sign(const Call<real>& c) {
  each(c, sign_of<real>);
}
template <typename real>
void reciprocal(const Call<real>& c) {
  each(c, [](real v) { return real(1) / v; });
}
template <typename real>
void reciprocal_back(const Call<real>& c, int, real* dx, bool add) {
  each_back(c, dx, add, [](auto, auto y, int64_t i) { return -y[i] * y[i]; });
}
template <typename real>
void power(const Call<real>& c) {
  const real a = real(c.node().value);
  each(c, [a](real v) { return std::pow(v, a); });
}
template <typename real>
void power_back(const Call<real>& c, int, real* dx, bool add) {
  const real a = real(c.node().value);
  each_back(c, dx, add,
            [a](auto x, auto, int64_t i) { return a == 0 ? real(0) : a * std::pow(x[i], a - 1); });
}
// Theano's gradient of clip: that of the argument where it is within the bounds, ends included.
template <typename real>
void clip(const Call<real>& c) {
  const real low = real(c.node().low), high = real(c.node().high);
  each(c, [=](real v) { return v < low ? low : v > high ? high : v; });
}
template <typename real>
void clip_back(const Call<real>& c, int, real* dx, bool add) {
  const real low = real(c.node().low), high = real(c.node().high);
  each_back(c, dx, add, [=](auto x, auto, int64_t i) {
    return x[i] >= low && x[i] <= high ? real(1) : real(0);
  });
}

// Inverted dropout. The mask is made again backward: numbers of a counter, so it is the same one.
template <typename real, typename Fn>
void each_kept(const Call<real>& c, const Fn& fn) {
  const double p = c.node().value;
  const uint64_t threshold = static_cast<uint64_t>(p * 4294967296.0);
  const real keep = real(1 / (1 - p));
  // Without a stream of its own a node has a part of the last stream's counters.
  const bool own = c.node().index >= 0;
  const uint32_t stream = c.stage.stream + (own ? uint32_t(c.node().index) : 15);
  const uint64_t of_node = own ? 0 : uint64_t(c.index) << 40;
  const uint64_t first = uint64_t(c.stage.begin * (count(c.y_dims()) / c.stage.rows));
  for_elements(count(c.y_dims()), [&](int64_t begin, int64_t end) {
    uint32_t word[4];
    uint64_t made = ~uint64_t{0};
    for (int64_t i = begin; i < end; i++) {
      const uint64_t at = first + uint64_t(i);
      if (at / 4 != made) philox(word, c.stage.key, stream, of_node | (made = at / 4));
      fn(i, word[at % 4] < threshold ? real(0) : keep);
    }
  });
}
template <typename real>
void dropout(const Call<real>& c) {
  const real* const x = c.x(0);
  real* const y = c.y();
  if (c.stage.training && c.node().value > 0) {
    each_kept(c, [&](int64_t i, real keep) { y[i] = x[i] * keep; });
  } else {
    each(c, [](real v) { return v; });
  }
}
template <typename real>
void dropout_back(const Call<real>& c, int, real* dx, bool add) {
  const real* const dy = c.dy();
  if (c.stage.training && c.node().value > 0) {
    each_kept(c, [&](int64_t i, real keep) { dx[i] = (add ? dx[i] : 0) + dy[i] * keep; });
  } else {
    each_back(c, dx, add, [](auto, auto, int64_t) { return real(1); });
  }
}

// ---- of two, broadcast

// y = a o b
template <typename real>
void two(const Call<real>& c, Binary kind) {
  if (c.x_dims(0) == c.x_dims(1)) {
    return for_elements(count(c.y_dims()), [&](int64_t begin, int64_t end) {
      c.k->binary(kind, c.y() + begin, c.x(0) + begin, c.x(1) + begin, false, end - begin);
    });
  }
  const BroadcastLoop<2> loop(c.y_dims(), {&c.x_dims(0), &c.x_dims(1)});
  const real *const a = c.x(0), *const b = c.x(1);
  real* const y = c.y();
  const bool one_a = loop.one(0), one_b = loop.one(1), both = one_a && one_b;
  loop.run(false, [&](int64_t at, int64_t n, const int64_t* from) {
    const real *x = a + from[0], *z = b + from[1];
    if (both || (one_a && kind == Binary::kDiv)) {  // the first one repeated, then the second
      c.k->fill(y + at, *x, n);
      c.k->binary(kind, y + at, y + at, z, one_b, n);
    } else if (one_a) {
      c.k->binary(kind, y + at, z, x, true, n);
      if (kind == Binary::kSub) c.k->scale(y + at, real(-1), n);
    } else {
      c.k->binary(kind, y + at, x, z, one_b, n);
    }
  });
}

// dx (+)= what slope(dy, &a, &b, &y) gives at each place, summed over the places that read x. The
// order of a sum is that of y's memory, whatever the threads.
template <typename real, typename Slope>
void two_back(const Call<real>& c, int i, real* dx, bool add, const Slope& slope) {
  const BroadcastLoop<2> loop(c.y_dims(), {&c.x_dims(0), &c.x_dims(1)});
  const real *const a = c.x(0), *const b = c.x(1), *const y = c.y(), *const dy = c.dy();
  const int64_t size = count(c.x_dims(i));
  const bool summed = size != count(c.y_dims());
  const int64_t sa = !loop.one(0), sb = !loop.one(1);
  if (summed && !add) std::fill_n(dx, size, real(0));
  loop.run(summed, [&](int64_t at, int64_t n, const int64_t* from) {
    const real *p = a + from[0], *q = b + from[1], *d = dy + at, *z = y + at;
    real* const to = dx + from[i];
    if (loop.one(i)) {
      double sum = 0;
      for (int64_t j = 0; j < n; j++) sum += double(slope(d[j], p + j * sa, q + j * sb, z + j));
      *to += real(sum);
    } else if (summed || add) {
      for (int64_t j = 0; j < n; j++) to[j] += slope(d[j], p + j * sa, q + j * sb, z + j);
    } else {
      for (int64_t j = 0; j < n; j++) to[j] = slope(d[j], p + j * sa, q + j * sb, z + j);
    }
  });
}

template <typename real>
void add(const Call<real>& c) {
  two(c, Binary::kAdd);
}
template <typename real>
void sub(const Call<real>& c) {
  two(c, Binary::kSub);
}
template <typename real>
void mul(const Call<real>& c) {
  two(c, Binary::kMul);
}
template <typename real>
void div(const Call<real>& c) {
  two(c, Binary::kDiv);
}
template <typename real>
void max(const Call<real>& c) {
  two(c, Binary::kMax);
}
template <typename real>
void min(const Call<real>& c) {
  two(c, Binary::kMin);
}
// dx (+)= a * dy, summed over the places that read x
template <typename real>
void pass_back(const Call<real>& c, int i, real* dx, bool add, real a) {
  const int64_t size = count(c.x_dims(i));
  if (size != count(c.y_dims())) {
    const bool row = c.x_dims(i).size() == 1 && size > 0 && size == c.y_dims().back();
    if (a == 1 && row)
      return sum_columns(c.k, dx, c.dy(), size, count(c.y_dims()) / size, size, add);
    if (!add) c.k->fill(dx, 0, size);
    return add_broadcast(c.k, dx, c.x_dims(i), a, c.dy(), c.y_dims());
  }
  for_elements(size, [&](int64_t begin, int64_t end) {
    const int64_t n = end - begin;
    if (add) return c.k->axpy(dx + begin, a, c.dy() + begin, n);
    std::copy_n(c.dy() + begin, n, dx + begin);
    if (a != 1) c.k->scale(dx + begin, a, n);
  });
}

template <typename real>
void add_back(const Call<real>& c, int i, real* dx, bool add) {
  pass_back(c, i, dx, add, real(1));
}
template <typename real>
void sub_back(const Call<real>& c, int i, real* dx, bool add) {
  pass_back(c, i, dx, add, i == 0 ? real(1) : real(-1));
}
// dx (+)= dy * the other
template <typename real>
void mul_back(const Call<real>& c, int i, real* dx, bool add) {
  const int64_t size = count(c.x_dims(i));
  if (c.x_dims(0) == c.x_dims(1)) {
    return for_elements(size, [&](int64_t begin, int64_t end) {
      const real *const dy = c.dy() + begin, *const other = c.x(1 - i) + begin;
      if (add) return c.k->multiply_add(dx + begin, dy, other, end - begin);
      c.k->multiply(dx + begin, dy, other, end - begin);
    });
  }
  const bool summed = size != count(c.y_dims());
  if (summed && !add) c.k->fill(dx, 0, size);
  const BroadcastLoop<2> loop(c.y_dims(), {&c.x_dims(1 - i), &c.x_dims(i)});
  const real* const other = c.x(1 - i);
  loop.run(summed, [&](int64_t at, int64_t n, const int64_t* from) {
    const real *const dy = c.dy() + at, *const b = other + from[0];
    real* const to = dx + from[1];
    if (loop.one(1)) {
      double sum = 0;
      for (int64_t j = 0; j < n; j++) sum += double(dy[j] * b[loop.one(0) ? 0 : j]);
      *to += real(sum);
    } else if (summed || add) {
      if (loop.one(0)) return c.k->axpy(to, *b, dy, n);
      c.k->multiply_add(to, dy, b, n);
    } else {
      c.k->binary(Binary::kMul, to, dy, b, loop.one(0), n);
    }
  });
}
unsigned keeps_of_div(const Node&) { return 2 | kKeepsY; }
template <typename real>
void div_back(const Call<real>& c, int i, real* dx, bool add) {
  if (i == 0) {
    two_back(c, i, dx, add, [](real d, auto, auto b, auto) { return d / *b; });
  } else {
    two_back(c, i, dx, add, [](real d, auto, auto b, auto y) { return -d * *y / *b; });
  }
}
// The first of two equal numbers counts as the one that was taken.
template <typename real>
void max_back(const Call<real>& c, int i, real* dx, bool add) {
  two_back(c, i, dx, add,
           [i](real d, auto a, auto b, auto) { return (*a >= *b) == (i == 0) ? d : real(0); });
}
template <typename real>
void min_back(const Call<real>& c, int i, real* dx, bool add) {
  two_back(c, i, dx, add,
           [i](real d, auto a, auto b, auto) { return (*a <= *b) == (i == 0) ? d : real(0); });
}

template <typename real, typename Test>
void compare(const Call<real>& c, const Test& test) {
  const BroadcastLoop<2> loop(c.y_dims(), {&c.x_dims(0), &c.x_dims(1)});
  const real *const a = c.x(0), *const b = c.x(1);
  real* const y = c.y();
  const int64_t sa = !loop.one(0), sb = !loop.one(1);
  loop.run(false, [&](int64_t at, int64_t n, const int64_t* from) {
    for (int64_t j = 0; j < n; j++)
      y[at + j] = test(a[from[0] + j * sa], b[from[1] + j * sb]) ? real(1) : real(0);
  });
}
template <typename real>
void equal(const Call<real>& c) {
  compare(c, [](real a, real b) { return a == b; });
}
template <typename real>
void less(const Call<real>& c) {
  compare(c, [](real a, real b) { return a < b; });
}
template <typename real>
void less_equal(const Call<real>& c) {
  compare(c, [](real a, real b) { return a <= b; });
}

// ---- where(condition, a, b)

template <typename real>
void where(const Call<real>& c) {
  const BroadcastLoop<3> loop(c.y_dims(), {&c.x_dims(0), &c.x_dims(1), &c.x_dims(2)});
  const int64_t s[] = {!loop.one(0), !loop.one(1), !loop.one(2)};
  const real *const on = c.x(0), *const a = c.x(1), *const b = c.x(2);
  real* const y = c.y();
  loop.run(false, [&](int64_t at, int64_t n, const int64_t* from) {
    for (int64_t j = 0; j < n; j++)
      y[at + j] = on[from[0] + j * s[0]] != 0 ? a[from[1] + j * s[1]] : b[from[2] + j * s[2]];
  });
}
template <typename real>
void where_back(const Call<real>& c, int i, real* dx, bool add) {
  const BroadcastLoop<2> loop(c.y_dims(), {&c.x_dims(0), &c.x_dims(i)});
  const int64_t size = count(c.x_dims(i)), so = !loop.one(0), sx = !loop.one(1);
  const bool summed = size != count(c.y_dims());
  const real *const on = c.x(0), *const dy = c.dy();
  if (!add) std::fill_n(dx, size, real(0));
  loop.run(summed, [&](int64_t at, int64_t n, const int64_t* from) {
    for (int64_t j = 0; j < n; j++) {
      if ((on[from[0] + j * so] != 0) == (i == 1)) dx[from[1] + j * sx] += dy[at + j];
    }
  });
}

}  // namespace

template <typename real>
const Run<real>* elementwise_runs() {
  static constexpr Run<real> runs[] = {
      {"activation", keeps_of_activation, 0, false, activation, activation_back, nullptr},
      {"exp", keeps_result, 0, true, exp, exp_back, nullptr},
      {"log", keeps_first, 0, true, log, log_back, nullptr},
      {"sqrt", keeps_result, 0, true, sqrt, sqrt_back, nullptr},
      {"square", keeps_first, 0, true, square, square_back, nullptr},
      {"abs", keeps_first, 0, true, abs, abs_back, nullptr},
      {"sign", keeps_nothing, 1, false, sign, nullptr, nullptr},
      {"reciprocal", keeps_result, 0, true, reciprocal, reciprocal_back, nullptr},
      {"power", keeps_first, 0, true, power, power_back, nullptr},
      {"clip", keeps_first, 0, true, clip, clip_back, nullptr},
      {"dropout", keeps_nothing, 0, true, dropout, dropout_back, nullptr},
      {"add", keeps_nothing, 0, true, add, add_back, nullptr},
      {"sub", keeps_nothing, 0, true, sub, sub_back, nullptr},
      {"mul", keeps_both, 0, true, mul, mul_back, nullptr},
      {"div", keeps_of_div, 0, true, div, div_back, nullptr},
      {"max", keeps_both, 0, true, max, max_back, nullptr},
      {"min", keeps_both, 0, true, min, min_back, nullptr},
      {"equal", keeps_nothing, 3, false, equal, nullptr, nullptr},
      {"less", keeps_nothing, 3, false, less, nullptr, nullptr},
      {"less_equal", keeps_nothing, 3, false, less_equal, nullptr, nullptr},
      {"where", keeps_first, 1, true, where, where_back, nullptr},
      {nullptr, nullptr, 0, false, nullptr, nullptr, nullptr},
  };
  return runs;
}
template const Run<float>* elementwise_runs<float>();
template const Run<double>* elementwise_runs<double>();

}  // namespace hs
