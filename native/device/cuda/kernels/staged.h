// The formulas of a cell (formulas/cells/step.h) where activations need whole rows, or keep
// something else than their value: softmax, swish. An activation is then a kernel of its own, over
// rows of the batch, and the formulas run in rounds, a thread for each unit of each row: in round r
// they write down the arguments of activations that r others come before; in the last one all
// activations are known, and they write what the step gives.
#pragma once
#include "device/cuda/kernels/sites.h"
#include "formulas/cells/step.h"

namespace hs {
namespace HS_ISA {

// A number, and how many activations come before it.
template <class real>
struct Staged {
  real v;
  int round;
};
template <class real>
struct StagedActivation : Staged<real> {
  real kept;  // what its slope is made from
};

static inline int later(int a, int b) { return a > b ? a : b; }
template <class real>
static HS_INLINE Staged<real> operator+(Staged<real> x, Staged<real> y) {
  return {x.v + y.v, later(x.round, y.round)};
}
template <class real>
static HS_INLINE Staged<real> operator-(Staged<real> x, Staged<real> y) {
  return {x.v - y.v, later(x.round, y.round)};
}
template <class real>
static HS_INLINE Staged<real> operator*(Staged<real> x, Staged<real> y) {
  return {x.v * y.v, later(x.round, y.round)};
}
template <class real>
static HS_INLINE Staged<real> fma(Staged<real> x, Staged<real> y, Staged<real> z) {
  return {fma(Vec<real>{x.v}, Vec<real>{y.v}, Vec<real>{z.v}).v,
          later(x.round, later(y.round, z.round))};
}

template <class Cell, class real>
struct StagedStep {
  using S = Staged<real>;
  using A = StagedActivation<real>;
  const CellArgs<real>& a;
  int64_t at, gate0, unit;  // as those of PanelStep
  const real* products;
  int first;
  const Sites<real>& sites;
  int site = 0;

  S asked(Activation kind, bool slope, S x, real kept) {
    const int64_t to = site * sites.size + at;
    (void)kind, (void)kept;
#if defined(HS_CUDA_HOST)
    sites.found[site] = {kind, slope, x.round};
#else
    if (x.round == sites.round) {
      sites.values[to] = x.v;
      if (slope) sites.kept[to] = kept;
    }
#endif
    site++;
    return {x.round < sites.round ? sites.values[to] : real(0), x.round + 1};
  }
  A act(Activation kind, S x) {
    const S y = asked(kind, false, x, 0);
    return {{y.v, y.round}, slope_from_input(kind) ? x.v : y.v};
  }
  A again(Activation kind, const real* kept) {
    if (slope_from_input(kind)) return act(kind, load(kept));
    return {{*kept, 0}, *kept};
  }
  S back(Activation kind, const A& y, S d) {
    return asked(kind, true, {d.v, later(d.round, y.round)}, y.kept);
  }

  S load(const real* p) const { return {*p, 0}; }
  void store(real* p, real v) const {
    if (sites.last) *p = v;
  }
  S zero() const { return {0, 0}; }
  A inner(S v) { return act(a.inner, v); }
  A outer(S v) { return act(a.outer, v); }
  S inner_back(const A& y, S d) { return back(a.inner, y, d); }
  S outer_back(const A& y, S d) { return back(a.outer, y, d); }

  S projection(int q) const { return load(a.gates + gate0 + q * a.H); }
  S product(int q) const { return load(products + (q - first) * a.H); }
  S pre(int q) const {
    if constexpr (Cell::recurrent_bias) return projection(q) + product(q);
    return product(q);
  }
  A inner_gate(int q) { return again(a.inner, a.gates + gate0 + q * a.H); }
  A outer_gate(int q) { return again(a.outer, a.gates + gate0 + q * a.H); }
  void gate(int q, const A& v) { store(a.gates + gate0 + q * a.H, v.kept); }
  S h_prev() const { return load(a.h_prev + at); }
  S c_prev() const { return load(a.c_prev + at); }
  S vector(int k) const { return load(a.vectors[k] + unit); }
  S aux(int i = 0) const { return load(a.aux + i * a.aux_stride + at); }
  A outer_aux(int i = 0) { return again(a.outer, a.aux + i * a.aux_stride + at); }
  void aux(S v, int i = 0) { store(a.aux + i * a.aux_stride + at, v.v); }
  void aux(const A& v, int i = 0) { store(a.aux + i * a.aux_stride + at, v.kept); }
  void h(S v) { store(a.h + at, v.v); }
  void c(S v) { store(a.c + at, v.v); }
  S dh() const { return a.dy ? load(a.dh + at) + load(a.dy + at) : load(a.dh + at); }
  S dh_prev() const { return load(a.dh + at); }
  void dh_prev(S v) { store(a.dh + at, v.v); }
  S dc() const { return load(a.dc + at); }
  void dc(S v) { store(a.dc + at, v.v); }
  void dc_prev(S v) { store(a.dc + at, v.v); }
  S daux(int i = 0) const { return load(a.daux + i * a.daux_stride + at); }
  void dvector(int k, S v) { store(a.dvectors + k * a.dvector_stride + at, v.v); }
  void dgate(int q, S v) { store(a.gates + gate0 + q * a.H, v.v); }
  void dproduct(int q, S v) { store(a.drec + gate0 + q * a.H, v.v); }
};

}  // namespace HS_ISA
}  // namespace hs
