// The step of a cell over a whole row (the plain path): see formulas/cells/step.h.
#pragma once
#include <cassert>

#include "device/cpu/kernels/cell.h"
#include "device/cpu/kernels/entries.h"
#include "formulas/cells/step.h"

namespace hs {
namespace HS_ISA {

// A row of H numbers in memory that is used from its beginning again for every row of the batch.
template <class real>
struct Row {
  real* p = nullptr;  // [H]
  int64_t n = 0;
  real** top = nullptr;       // the first number of that memory that is free
  const real* end = nullptr;  // of that memory
  Row fresh() const {
    assert(*top + n <= end);
    Row r{*top, n, top, end};
    *top += n;
    return r;
  }
};

template <class real, class F>
static inline Row<real> map_row(const Row<real>& x, F f) {
  Row<real> y = x.fresh();
  for (int64_t i = 0; i < x.n; i++) y.p[i] = f(i);
  return y;
}
template <class real>
HS_SELDOM Row<real> operator+(Row<real> x, Row<real> y) {
  return map_row(x, [&](int64_t i) { return x.p[i] + y.p[i]; });
}
template <class real>
HS_SELDOM Row<real> operator-(Row<real> x, Row<real> y) {
  return map_row(x, [&](int64_t i) { return x.p[i] - y.p[i]; });
}
template <class real>
HS_SELDOM Row<real> operator*(Row<real> x, Row<real> y) {
  return map_row(x, [&](int64_t i) { return x.p[i] * y.p[i]; });
}
template <class real>
HS_SELDOM Row<real> fma(Row<real> x, Row<real> y, Row<real> z) {
  return map_row(x, [&](int64_t i) { return x.p[i] * y.p[i] + z.p[i]; });
}

// An activation's value over a row, and what its slope is made from: the value too, or the input.
template <class real>
struct ActivatedRow : Row<real> {
  Row<real> kept;
};

// The part of a RowStep that is the same for all cells.
template <class real>
struct Rows {
  using R = Row<real>;
  const CellArgs<real>& a;
  real* top;  // see Row
  const real* end;

  R none() { return {top, a.H, &top, end}; }
  HS_SELDOM R load(const real* p) {
    return map_row(none(), [&](int64_t i) { return p[i]; });
  }
  HS_SELDOM void store(real* p, R v) {
    for (int64_t i = 0; i < a.H; i++) p[i] = v.p[i];
  }
  HS_SELDOM R zero() {
    return map_row(none(), [](int64_t) { return real(0); });
  }
  HS_SELDOM ActivatedRow<real> act(Activation kind, R v) {
    R y = v.fresh();
    activate_array(kind, y.p, v.p, v.n);
    return {y, slope_from_input(kind) ? v : y};
  }
  // What act() gave, from what was kept of it.
  HS_SELDOM ActivatedRow<real> again(Activation kind, R kept) {
    return slope_from_input(kind) ? act(kind, kept) : ActivatedRow<real>{kept, kept};
  }
  HS_SELDOM R back(Activation kind, const ActivatedRow<real>& y, R d) {
    R x = y.fresh();
    activate_backward(kind, x.p, y.kept.p, d.p, y.n);
    return x;
  }
};

template <class Cell, class real>
struct RowStep : Rows<real> {
  using R = Row<real>;
  using A = ActivatedRow<real>;
  using Rows<real>::a, Rows<real>::load, Rows<real>::store;
  using Rows<real>::act, Rows<real>::again, Rows<real>::back;
  int64_t row;
  int first, count;

  A inner(R v) { return act(a.inner, v); }
  A outer(R v) { return act(a.outer, v); }
  R inner_back(const A& y, R d) { return back(a.inner, y, d); }
  R outer_back(const A& y, R d) { return back(a.outer, y, d); }

  real* gate_at(real* g, int q) const { return g + (row * Cell::kGates + q) * a.H; }
  int64_t at() const { return row * a.H; }
  R projection(int q) { return load(gate_at(a.gates, q)); }
  R product(int q) { return load(a.product + (row * count + q - first) * a.H); }
  R pre(int q) { return projection(q) + product(q); }
  A inner_gate(int q) { return again(a.inner, load(gate_at(a.gates, q))); }
  A outer_gate(int q) { return again(a.outer, load(gate_at(a.gates, q))); }
  void gate(int q, const A& v) { store(gate_at(a.gates, q), v.kept); }
  R h_prev() { return load(a.h_prev + at()); }
  R c_prev() { return load(a.c_prev + at()); }
  R vector(int k) { return load(a.vectors[k]); }
  R aux(int i = 0) { return load(a.aux + i * a.aux_stride + at()); }
  A outer_aux(int i = 0) { return again(a.outer, aux(i)); }
  void aux(R v, int i = 0) { store(a.aux + i * a.aux_stride + at(), v); }
  void aux(const A& v, int i = 0) { store(a.aux + i * a.aux_stride + at(), v.kept); }
  void h(R v) { store(a.h + at(), v); }
  void c(R v) { store(a.c + at(), v); }
  R dh() { return a.dy ? load(a.dh + at()) + load(a.dy + at()) : load(a.dh + at()); }
  R dh_prev() { return load(a.dh + at()); }
  void dh_prev(R v) { store(a.dh + at(), v); }
  R dc() { return load(a.dc + at()); }
  void dc(R v) { store(a.dc + at(), v); }
  void dc_prev(R v) { store(a.dc + at(), v); }
  R daux(int i = 0) { return load(a.daux + i * a.daux_stride + at()); }
  void dvector(int k, R v) { store(a.dvectors + k * a.dvector_stride + at(), v); }
  void dgate(int q, R v) { store(gate_at(a.gates, q), v); }
  void dproduct(int q, R v) { store(gate_at(a.drec, q), v); }
};

}  // namespace HS_ISA
}  // namespace hs
