// Nodes that go over axes: sums, largest numbers, products, running sums, softmax' logarithm.
#include <algorithm>
#include <cmath>
#include <limits>

#include "device/cpu/nodes/broadcast.h"
#include "device/cpu/nodes/run.h"
#include "device/cpu/threads/chunks.h"

namespace hs {
namespace {

// The result's extents with the axes that it went over as extents of 1, as its argument is aligned.
Dims kept_dims(const Node& node, const Dims& x) {
  Dims y = x;
  for (int64_t axis : node.dims) y[size_t(axis)] = 1;
  return y;
}

// fn(x, n, y, one): numbers x[0, n) go into y[0] if one, else into y[0, n). In the order of memory.
template <typename real, typename Fn>
void into(const Call<real>& c, real* y, const Fn& fn) {
  const Dims& x = c.x_dims(0);
  const Dims kept = kept_dims(c.node(), x);
  const BroadcastLoop<1> loop(x, {&kept});
  loop.run(true, [&](int64_t at, int64_t n, const int64_t* from) {
    fn(c.x(0) + at, n, y + from[0], loop.one(0) || n == 1);
  });
}

template <typename real>
void sum(const Call<real>& c) {
  std::fill_n(c.y(), count(c.y_dims()), real(0));
  into(c, c.y(), [&](const real* x, int64_t n, real* y, bool one) {
    if (!one) return c.k->add(y, x, n);
    double total = 0;
    for (int64_t i = 0; i < n; i++) total += double(x[i]);
    *y = real(double(*y) + total);
  });
}
template <typename real>
real mean_of(const Call<real>& c) {
  return real(double(std::max<int64_t>(1, count(c.y_dims()))) /
              double(std::max<int64_t>(1, count(c.x_dims(0)))));
}
template <typename real>
void mean(const Call<real>& c) {
  sum(c);
  c.k->scale(c.y(), mean_of(c), count(c.y_dims()));
}

// dx (+)= what slope(dy, &x, &y) gives; a node reads no more of them than it keeps.
template <typename real, typename Slope>
void spread(const Call<real>& c, real* dx, bool add, const Slope& slope) {
  const Dims& x = c.x_dims(0);
  const Dims kept = kept_dims(c.node(), x);
  const BroadcastLoop<1> loop(x, {&kept});
  const real *const from_x = c.x(0), *const y = c.y(), *const dy = c.dy();
  const int64_t step = !loop.one(0);
  loop.run(false, [&](int64_t at, int64_t n, const int64_t* from) {
    for (int64_t i = 0; i < n; i++) {
      const int64_t of = from[0] + i * step;
      const real d = slope(dy[of], from_x + at + i, y + of);
      dx[at + i] = add ? dx[at + i] + d : d;
    }
  });
}
template <typename real>
void sum_back(const Call<real>& c, int, real* dx, bool add) {
  spread(c, dx, add, [](real d, auto, auto) { return d; });
}
template <typename real>
void mean_back(const Call<real>& c, int, real* dx, bool add) {
  const real factor = mean_of(c);
  spread(c, dx, add, [factor](real d, auto, auto) { return factor * d; });
}

template <typename real, typename Better>
void best(const Call<real>& c, real worst, const Better& better) {
  std::fill_n(c.y(), count(c.y_dims()), worst);
  into(c, c.y(), [&](const real* x, int64_t n, real* y, bool one) {
    for (int64_t i = 0; i < n; i++) {
      real& to = y[one ? 0 : i];
      if (better(x[i], to) || std::isnan(x[i])) to = x[i];  // a NaN stays: nothing is better
    }
  });
}
template <typename real>
void max_of(const Call<real>& c) {
  best(c, -std::numeric_limits<real>::infinity(), [](real a, real b) { return a > b; });
}
template <typename real>
void min_of(const Call<real>& c) {
  best(c, std::numeric_limits<real>::infinity(), [](real a, real b) { return a < b; });
}
// All that are the largest get the gradient, as Theano's max does.
template <typename real>
void best_back(const Call<real>& c, int, real* dx, bool add) {
  spread(c, dx, add, [](real d, auto x, auto y) { return *x == *y ? d : real(0); });
}

// ---- along one axis: lines of n numbers, `inner` apart

struct Lines {
  int64_t outer, n, inner;
  Lines(const Dims& dims, int64_t axis) : outer(1), n(dims[size_t(axis)]), inner(1) {
    for (int64_t i = 0; i < static_cast<int64_t>(dims.size()); i++) {
      if (i < axis) outer *= dims[size_t(i)];
      if (i > axis) inner *= dims[size_t(i)];
    }
  }
  // fn(at, line): a line begins at `at`; its number is `line`.
  template <typename Fn>
  void each(const Fn& fn) const {
    for_rows(outer * inner, n, [&](int64_t l0, int64_t l1) {
      for (int64_t l = l0; l < l1; l++) fn(l / inner * n * inner + l % inner, l);
    });
  }
};

template <typename real>
void prod(const Call<real>& c) {
  std::fill_n(c.y(), count(c.y_dims()), real(1));
  into(c, c.y(), [&](const real* x, int64_t n, real* y, bool one) {
    for (int64_t i = 0; i < n; i++) y[one ? 0 : i] *= x[i];
  });
}
// dx_i = dy * the product of the others: y / x_i where x_i is not 0; where it is, and it is the
// only such one of its result, the product of what is left.
template <typename real>
void prod_back(const Call<real>& c, int, real* dx, bool add) {
  const Dims& x = c.x_dims(0);
  const Dims kept = kept_dims(c.node(), x);
  const BroadcastLoop<1> loop(x, {&kept});
  const int64_t step = !loop.one(0), results = count(c.y_dims());
  real *const others = c.temp, *const zeros = c.temp + results;
  std::fill_n(others, results, real(1));
  std::fill_n(zeros, results, real(0));
  loop.run(true, [&](int64_t at, int64_t n, const int64_t* from) {
    for (int64_t i = 0; i < n; i++) {
      const real v = c.x(0)[at + i];
      const int64_t to = from[0] + i * step;
      if (v == 0)
        zeros[to] += 1;
      else
        others[to] *= v;
    }
  });
  loop.run(false, [&](int64_t at, int64_t n, const int64_t* from) {
    for (int64_t i = 0; i < n; i++) {
      const real v = c.x(0)[at + i];
      const int64_t of = from[0] + i * step;
      const real rest =
          v == 0 ? (zeros[of] == 1 ? others[of] : 0) : (zeros[of] == 0 ? others[of] / v : 0);
      const real d = c.dy()[of] * rest;
      dx[at + i] = add ? dx[at + i] + d : d;
    }
  });
}
template <typename real>
int64_t prod_temp(const Table<real>*, const Node&, const std::vector<Dims>&, const Dims& y) {
  return 2 * count(y);
}

template <typename real>
void argmax(const Call<real>& c) {
  const Lines lines(c.x_dims(0), c.node().axis);
  lines.each([&](int64_t at, int64_t line) {
    int64_t best = 0;
    for (int64_t i = 1; i < lines.n; i++) {
      if (c.x(0)[at + i * lines.inner] > c.x(0)[at + best * lines.inner]) best = i;
    }
    c.y()[line] = real(best);
  });
}

template <typename real>
void cumsum(const Call<real>& c) {
  const Lines lines(c.x_dims(0), c.node().axis);
  lines.each([&](int64_t at, int64_t) {
    real sum = 0;
    for (int64_t i = 0; i < lines.n; i++) {
      sum += c.x(0)[at + i * lines.inner];
      c.y()[at + i * lines.inner] = sum;
    }
  });
}
template <typename real>
void cumsum_back(const Call<real>& c, int, real* dx, bool) {
  const Lines lines(c.x_dims(0), c.node().axis);
  lines.each([&](int64_t at, int64_t) {
    real sum = 0;
    for (int64_t i = lines.n; i-- > 0;) {
      sum += c.dy()[at + i * lines.inner];
      dx[at + i * lines.inner] = sum;
    }
  });
}

template <typename real>
void log_softmax(const Call<real>& c) {
  const Lines lines(c.x_dims(0), static_cast<int64_t>(c.x_dims(0).size()) - 1);
  lines.each([&](int64_t at, int64_t) {
    const real* const x = c.x(0) + at;
    real* const y = c.y() + at;
    const real most = *std::max_element(x, x + lines.n);
    double sum = 0;
    for (int64_t i = 0; i < lines.n; i++) sum += std::exp(double(x[i] - most));
    const real log = real(std::log(sum));
    for (int64_t i = 0; i < lines.n; i++) y[i] = x[i] - most - log;
  });
}
template <typename real>
void log_softmax_back(const Call<real>& c, int, real* dx, bool) {
  const Lines lines(c.x_dims(0), static_cast<int64_t>(c.x_dims(0).size()) - 1);
  lines.each([&](int64_t at, int64_t) {
    const real *const y = c.y() + at, *const dy = c.dy() + at;
    double sum = 0;
    for (int64_t i = 0; i < lines.n; i++) sum += double(dy[i]);
    for (int64_t i = 0; i < lines.n; i++) dx[at + i] = dy[i] - std::exp(y[i]) * real(sum);
  });
}

unsigned keeps_all(const Node&) { return 1 | kKeepsY; }

}  // namespace

template <typename real>
const Run<real>* reduction_runs() {
  static constexpr Run<real> runs[] = {
      {"sum", keeps_nothing, 0, true, sum, sum_back, nullptr},
      {"mean", keeps_nothing, 0, true, mean, mean_back, nullptr},
      {"max_of", keeps_all, 0, true, max_of, best_back, nullptr},
      {"min_of", keeps_all, 0, true, min_of, best_back, nullptr},
      {"prod", keeps_first, 0, true, prod, prod_back, prod_temp},
      {"argmax", keeps_nothing, 1, false, argmax, nullptr, nullptr},
      {"cumsum", keeps_nothing, 0, false, cumsum, cumsum_back, nullptr},
      {"log_softmax", keeps_result, 0, false, log_softmax, log_softmax_back, nullptr},
      {nullptr, nullptr, 0, false, nullptr, nullptr, nullptr},
  };
  return runs;
}
template const Run<float>* reduction_runs<float>();
template const Run<double>* reduction_runs<double>();

}  // namespace hs
