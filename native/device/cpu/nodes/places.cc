// Nodes that choose, move and repeat numbers: indices, parts, shapes.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "device/cpu/nodes/broadcast.h"
#include "device/cpu/nodes/run.h"
#include "device/cpu/threads/chunks.h"

namespace hs {
namespace {

// The index at place i of an argument, below `size`.
template <typename real>
int64_t index_at(const Call<real>& c, const real* indices, int64_t i, int64_t size) {
  const real id = indices[i];
  if (!(id > real(-1) && id < real(size))) {  // NaN fails both
    fail(Code::kOption, c.node().type->name, "index " + std::to_string(i),
         "from 0 to " + std::to_string(size - 1), std::to_string(id));
  }
  return static_cast<int64_t>(id);
}

template <typename real>
int64_t width_of(const Call<real>& c) {  // of a row of W
  int64_t n = 1;
  for (size_t i = 1; i < c.x_dims(0).size(); i++) n *= c.x_dims(0)[i];
  return n;
}
template <typename real>
void gather(const Call<real>& c) {
  const int64_t width = width_of(c), n = count(c.x_dims(1)), V = c.x_dims(0)[0];
  for (int64_t i = 0; i < n; i++)
    std::copy_n(c.x(0) + index_at(c, c.x(1), i, V) * width, width, c.y() + i * width);
}
template <typename real>
void gather_back(const Call<real>& c, int, real* dx, bool add) {
  const int64_t width = width_of(c), n = count(c.x_dims(1)), V = c.x_dims(0)[0];
  if (!add) std::fill_n(dx, V * width, real(0));
  for (int64_t i = 0; i < n; i++)
    c.k->add(dx + index_at(c, c.x(1), i, V) * width, c.dy() + i * width, width);
}

template <typename real>
void pick(const Call<real>& c) {
  const int64_t K = c.x_dims(0).back(), n = count(c.y_dims());
  for (int64_t i = 0; i < n; i++) c.y()[i] = c.x(0)[i * K + index_at(c, c.x(1), i, K)];
}
template <typename real>
void pick_back(const Call<real>& c, int, real* dx, bool add) {
  const int64_t K = c.x_dims(0).back(), n = count(c.y_dims());
  if (!add) std::fill_n(dx, n * K, real(0));
  for (int64_t i = 0; i < n; i++) dx[i * K + index_at(c, c.x(1), i, K)] += c.dy()[i];
}

template <typename real>
void one_hot(const Call<real>& c) {
  const int64_t K = c.node().count, n = count(c.x_dims(0));
  std::fill_n(c.y(), n * K, real(0));
  for (int64_t i = 0; i < n; i++) c.y()[i * K + index_at(c, c.x(0), i, K)] = 1;
}

// ---- parts of an axis: [outer, axis, inner]

int64_t behind(const Dims& dims, int64_t axis) {
  int64_t n = 1;
  for (size_t i = size_t(axis) + 1; i < dims.size(); i++) n *= dims[i];
  return n;
}
int64_t before(const Dims& dims, int64_t axis) {
  return std::accumulate(dims.begin(), dims.begin() + axis, int64_t{1}, std::multiplies<int64_t>());
}

// fn(outer, inner, whole, from): argument i is [outer, inner], at `from` of rows of `whole`.
template <typename real, typename Fn>
void each_part(const Call<real>& c, int i, const Fn& fn) {
  const int64_t axis = c.node().axis, rest = behind(c.y_dims(), axis);
  int64_t from = 0;
  for (int j = 0; j < i; j++) from += c.x_dims(j)[size_t(axis)] * rest;
  fn(before(c.y_dims(), axis), c.x_dims(i)[size_t(axis)] * rest, c.y_dims()[size_t(axis)] * rest,
     from);
}
template <typename real>
void concat(const Call<real>& c) {
  for (int i = 0; i < static_cast<int>(c.node().args.size()); i++) {
    each_part(c, i, [&](int64_t outer, int64_t inner, int64_t whole, int64_t from) {
      for_rows(outer, inner, [&](int64_t o0, int64_t o1) {
        for (int64_t o = o0; o < o1; o++)
          std::copy_n(c.x(i) + o * inner, inner, c.y() + o * whole + from);
      });
    });
  }
}
template <typename real>
void concat_back(const Call<real>& c, int i, real* dx, bool add) {
  each_part(c, i, [&](int64_t outer, int64_t inner, int64_t whole, int64_t from) {
    for_rows(outer, inner, [&](int64_t o0, int64_t o1) {
      for (int64_t o = o0; o < o1; o++) {
        const real* const dy = c.dy() + o * whole + from;
        if (add)
          c.k->add(dx + o * inner, dy, inner);
        else
          std::copy_n(dy, inner, dx + o * inner);
      }
    });
  });
}

// fn(x, y, n): numbers of a part, in x and in y.
template <typename real, typename Fn>
void each_slice(const Call<real>& c, const Fn& fn) {
  const Node& node = c.node();
  const int64_t size = c.x_dims(0)[size_t(node.axis)], n = c.y_dims()[size_t(node.axis)];
  const int64_t inner = behind(c.y_dims(), node.axis), outer = before(c.y_dims(), node.axis);
  const int64_t from = slice_of(node, size).first;
  for_rows(outer, n * inner, [&](int64_t o0, int64_t o1) {
    for (int64_t o = o0; o < o1; o++) {
      if (node.step == 1) {
        fn((o * size + from) * inner, o * n * inner, n * inner);
      } else {
        for (int64_t i = 0; i < n; i++)
          fn((o * size + from + i * node.step) * inner, (o * n + i) * inner, inner);
      }
    }
  });
}
template <typename real>
void slice(const Call<real>& c) {
  each_slice(c, [&](int64_t x, int64_t y, int64_t n) { std::copy_n(c.x(0) + x, n, c.y() + y); });
}
template <typename real>
void slice_back(const Call<real>& c, int, real* dx, bool add) {
  if (c.frame.parts[size_t(c.index)]) {
    return each_slice(c,
                      [&](int64_t x, int64_t y, int64_t n) { std::copy_n(c.dy() + y, n, dx + x); });
  }
  if (!add) std::fill_n(dx, count(c.x_dims(0)), real(0));
  each_slice(c, [&](int64_t x, int64_t y, int64_t n) { c.k->add(dx + x, c.dy() + y, n); });
}

// ---- shapes

template <typename real>
void full(const Call<real>& c) {
  std::fill_n(c.y(), count(c.y_dims()), real(c.node().value));
}

template <typename real>
void same(const Call<real>& c) {
  std::copy_n(c.x(0), count(c.y_dims()), c.y());
}
template <typename real>
void same_back(const Call<real>& c, int, real* dx, bool add) {
  const int64_t n = count(c.y_dims());
  if (add)
    c.k->add(dx, c.dy(), n);
  else
    std::copy_n(c.dy(), n, dx);
}

// fn(x, y, n, step): n numbers of y that lie together, `step` apart in x.
template <typename real, typename Fn>
void each_permuted(const Call<real>& c, const Fn& fn) {
  const Dims &x = c.x_dims(0), &y = c.y_dims(), &axes = c.node().dims;
  const size_t n = y.size();
  if (n == 0) return fn(0, 0, 1, 1);
  Dims step(n);  // in x, of the axes of y
  for (size_t i = 0; i < n; i++) step[i] = behind(x, axes[i]);
  const int64_t inner = y.back(), rows = inner ? count(y) / inner : 0;
  for_rows(rows, inner, [&](int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; r++) {
      int64_t at = 0, rest = r;
      for (size_t i = n - 1; i-- > 0; rest /= y[i]) at += rest % y[i] * step[i];
      fn(at, r * inner, inner, step[n - 1]);
    }
  });
}
template <typename real>
void permute(const Call<real>& c) {
  each_permuted(c, [&](int64_t x, int64_t y, int64_t n, int64_t step) {
    if (step == 1) {
      std::copy_n(c.x(0) + x, n, c.y() + y);
    } else {
      for (int64_t i = 0; i < n; i++) c.y()[y + i] = c.x(0)[x + i * step];
    }
  });
}
template <typename real>
void permute_back(const Call<real>& c, int, real* dx, bool add) {
  each_permuted(c, [&](int64_t x, int64_t y, int64_t n, int64_t step) {
    for (int64_t i = 0; i < n; i++) {
      real& to = dx[x + i * step];
      to = add ? to + c.dy()[y + i] : c.dy()[y + i];
    }
  });
}

template <typename real>
void broadcast(const Call<real>& c) {
  copy_broadcast(c.k, c.y(), c.y_dims(), c.x(0), c.x_dims(0));
}
template <typename real>
void broadcast_back(const Call<real>& c, int, real* dx, bool add) {
  if (!add) std::fill_n(dx, count(c.x_dims(0)), real(0));
  add_broadcast(c.k, dx, c.x_dims(0), real(1), c.dy(), c.y_dims());
}

// Each number of an axis `count` times, one after the other.
template <typename real, typename Fn>
void each_repeated(const Call<real>& c, const Fn& fn) {  // fn(x, y, n)
  const int64_t axis = c.node().axis, times = c.node().count;
  const int64_t inner = behind(c.x_dims(0), axis);
  const int64_t rows = inner ? count(c.x_dims(0)) / inner : 0;
  for_rows(rows, times * inner, [&](int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; r++) {
      for (int64_t i = 0; i < times; i++) fn(r * inner, (r * times + i) * inner, inner);
    }
  });
}
template <typename real>
void repeat(const Call<real>& c) {
  each_repeated(c, [&](int64_t x, int64_t y, int64_t n) { std::copy_n(c.x(0) + x, n, c.y() + y); });
}
template <typename real>
void repeat_back(const Call<real>& c, int, real* dx, bool add) {
  if (!add) std::fill_n(dx, count(c.x_dims(0)), real(0));
  each_repeated(c, [&](int64_t x, int64_t y, int64_t n) { c.k->add(dx + x, c.dy() + y, n); });
}

}  // namespace

template <typename real>
const Run<real>* place_runs() {
  static constexpr Run<real> runs[] = {
      {"gather", keeps_second, 2, true, gather, gather_back, nullptr},
      {"pick", keeps_second, 2, true, pick, pick_back, nullptr},
      {"one_hot", keeps_nothing, 1, false, one_hot, nullptr, nullptr},
      {"concat", keeps_nothing, 0, true, concat, concat_back, nullptr},
      {"slice", keeps_nothing, 0, true, slice, slice_back, nullptr},
      {"full", keeps_nothing, 1, false, full, nullptr, nullptr},
      {"reshape", keeps_nothing, 0, true, same, same_back, nullptr},
      {"stop_gradient", keeps_nothing, 1, false, same, nullptr, nullptr},
      {"permute", keeps_nothing, 0, true, permute, permute_back, nullptr},
      {"broadcast", keeps_nothing, 2, true, broadcast, broadcast_back, nullptr},
      {"repeat", keeps_nothing, 0, true, repeat, repeat_back, nullptr},
      {nullptr, nullptr, 0, false, nullptr, nullptr, nullptr},
  };
  return runs;
}
template const Run<float>* place_runs<float>();
template const Run<double>* place_runs<double>();

}  // namespace hs
