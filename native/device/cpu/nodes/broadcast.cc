#include "device/cpu/nodes/broadcast.h"

#include <algorithm>

#include "device/cpu/threads/chunks.h"

namespace hs {

template <int kOperands>
BroadcastLoop<kOperands>::BroadcastLoop(const Dims& y, const Dims* const (&x)[kOperands]) {
  int64_t after[kOperands];  // numbers of an operand behind the axis at hand
  std::fill(after, after + kOperands, 1);
  for (size_t i = 1; i <= y.size(); i++) {
    const int64_t n = y[y.size() - i];
    if (n == 1) continue;
    int64_t step[kOperands];
    for (int o = 0; o < kOperands; o++) {
      const bool there = i <= x[o]->size() && (*x[o])[x[o]->size() - i] != 1;
      step[o] = there ? after[o] : 0;
      if (there) after[o] *= n;
    }
    // from the last axis on: axis 0 is the innermost
    bool joins = axes_ > 0;
    for (int o = 0; joins && o < kOperands; o++)
      joins = step[o] == step_[axes_ - 1][o] * size_[axes_ - 1];
    if (joins) {
      size_[axes_ - 1] *= n;
    } else {
      size_[axes_] = n;
      std::copy_n(step, kOperands, step_[axes_]);
      axes_++;
    }
  }
  if (axes_ == 0) size_[0] = 1, std::fill_n(step_[0], kOperands, 0), axes_ = 1;
}

template <int kOperands>
void BroadcastLoop<kOperands>::run(
    bool in_order, FunctionRef<void(int64_t at, int64_t n, const int64_t* from)> fn) const {
  const int64_t n = inner();
  const auto rows = [&](int64_t r0, int64_t r1) {
    int64_t count[kMost] = {}, from[kOperands] = {};
    int64_t rest = r0;
    for (int a = 1; a < axes_; rest /= size_[a], a++) {
      count[a] = rest % size_[a];
      for (int o = 0; o < kOperands; o++) from[o] += count[a] * step_[a][o];
    }
    for (int64_t r = r0; r < r1; r++) {
      fn(r * n, n, from);
      for (int a = 1; a < axes_; a++) {
        for (int o = 0; o < kOperands; o++) from[o] += step_[a][o];
        if (++count[a] < size_[a]) break;
        for (int o = 0; o < kOperands; o++) from[o] -= size_[a] * step_[a][o];
        count[a] = 0;
      }
    }
  };
  if (in_order) {
    rows(0, outer());
  } else if (outer() == 1) {
    for_elements(n, [&](int64_t begin, int64_t end) {
      int64_t from[kOperands];
      for (int o = 0; o < kOperands; o++) from[o] = one(o) ? 0 : begin;
      fn(begin, end - begin, from);
    });
  } else {
    for_rows(outer(), n, rows);
  }
}

template <typename real>
void copy_broadcast(const Table<real>* k, real* y, const Dims& y_dims, const real* x,
                    const Dims& x_dims) {
  const BroadcastLoop<1> loop(y_dims, {&x_dims});
  if (!loop.one(0) && count(x_dims) == loop.inner()) {  // one row, repeated
    const int64_t n = loop.inner();
    return for_rows(loop.outer(), n,
                    [&](int64_t r0, int64_t r1) { k->broadcast_rows(y + r0 * n, x, r1 - r0, n); });
  }
  loop.run(false, [&](int64_t at, int64_t n, const int64_t* from) {
    if (loop.one(0)) {
      k->fill(y + at, x[from[0]], n);
    } else {
      std::copy_n(x + from[0], n, y + at);
    }
  });
}

template <typename real>
void add_broadcast(const Table<real>* k, real* x, const Dims& x_dims, real a, const real* y,
                   const Dims& y_dims) {
  const BroadcastLoop<1> loop(y_dims, {&x_dims});
  loop.run(true, [&](int64_t at, int64_t n, const int64_t* from) {
    if (!loop.one(0)) return k->axpy(x + from[0], a, y + at, n);
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += double(y[at + i]);
    x[from[0]] += real(a * sum);
  });
}

template <typename real>
void sum_columns(const Table<real>* k, real* s, const real* x, int64_t ldx, int64_t rows, int64_t K,
                 bool add) {
  constexpr int64_t kColumns = 64;  // that a thread sums at a time
  for_chunks(K, kColumns, rows, [&](int64_t k0, int64_t k1) {
    k->column_sums(s + k0, x + k0, ldx, rows, k1 - k0, add);
  });
}

#define HS_INSTANTIATE(real)                                                                   \
  template void copy_broadcast<real>(const Table<real>*, real*, const Dims&, const real*,      \
                                     const Dims&);                                             \
  template void add_broadcast<real>(const Table<real>*, real*, const Dims&, real, const real*, \
                                    const Dims&);                                              \
  template void sum_columns<real>(const Table<real>*, real*, const real*, int64_t, int64_t,    \
                                  int64_t, bool);
HS_INSTANTIATE(float)
HS_INSTANTIATE(double)
#undef HS_INSTANTIATE

template class BroadcastLoop<1>;
template class BroadcastLoop<2>;
template class BroadcastLoop<3>;

}  // namespace hs
