// What the formulas of a cell are written over. PanelStep is one vector of units of one row, with
// the gates in registers; RowStep is one whole row. Both have
//   pre(q)                   x W + h U + b of gate q; with recurrent_bias also its two parts,
//                            projection(q) = x W + b and product(q) = h U + c
//   inner(v) outer(v)        the activations of the layer; inner_back(y, d) = d * f'(y), outer_back
//   h_prev() c_prev() ...    the tensors of the step by name; h(v) c(v) gate(q, v) ... write them
//   inner_gate(q) outer_gate(q) outer_aux()
//                            a gate or aux that was set to a value of that activation. Memory holds
//                            what the slope is made from, which need not be the value
//   vector(k) dvector(k, v)  a parameter [H], and what this row adds to its gradient
// A cell has the members of PlainCell and
//   name gates states        as in CellShape; name is that of the file
//   kGates kPhases phase     how many there are, and the phases
//   row_scratch              rows of H numbers that forward or backward of one phase needs over a
//                            RowStep at most: one for each tensor that is read, each zero(), each +
//                            - * fma, and each activation or slope; two for each inner_gate,
//                            outer_gate and outer_aux. Debug builds assert that it is enough.
#pragma once
#include <cassert>

#include "formulas/activation.h"
#include "formulas/cells/args.h"
#include "formulas/vec.h"

namespace hs {
namespace HS_ISA {

// What a cell has unless it says otherwise.
struct PlainCell {
  static constexpr int auxes = 0;
  static constexpr bool recurrent_bias = false;
  static constexpr int vectors = 0;
  static constexpr const char* const* vector_names = nullptr;  // [vectors]
};

// kTail: fewer than `lanes` units are left.
template <class Cell, class real, bool kTail>
struct PanelStep {
  using V = Vec<real>;
  const CellArgs<real>& a;
  int64_t at;     // row * H + unit, in [B, H]
  int64_t gate0;  // row * G*H + unit, in [B, G*H]
  int64_t unit;
  int n;  // units here, if kTail
  // forward: [count][products_step] the products of this phase with their bias, at this unit
  const real* products;
  int products_step, first;

  V load(const real* p) const {
    assert(kTail ? n > 0 && n < V::lanes : n == V::lanes);
    if constexpr (kTail) return V::load_n(p, n);
    return V::load(p);
  }
  void store(real* p, V v) const {
    if constexpr (kTail) {
      v.store_n(p, n);
    } else {
      v.store(p);
    }
  }
  V zero() const { return V::zero(); }
  V inner(V v) const { return activate(a.inner, v); }
  V outer(V v) const { return activate(a.outer, v); }
  V inner_back(V y, V d) const { return d * activate_slope(a.inner, y); }
  V outer_back(V y, V d) const { return d * activate_slope(a.outer, y); }

  V projection(int q) const { return load(a.gates + gate0 + q * a.H); }
  V product(int q) const { return V::load(products + (q - first) * products_step); }
  V pre(int q) const {
    if constexpr (Cell::recurrent_bias) return projection(q) + product(q);
    return product(q);  // the product has gone on from x W + b
  }
  V inner_gate(int q) const { return load(a.gates + gate0 + q * a.H); }
  V outer_gate(int q) const { return inner_gate(q); }
  void gate(int q, V v) { store(a.gates + gate0 + q * a.H, v); }
  V h_prev() const { return load(a.h_prev + at); }
  V c_prev() const { return load(a.c_prev + at); }
  V vector(int k) const { return load(a.vectors[k] + unit); }
  V aux(int i = 0) const { return load(a.aux + i * a.aux_stride + at); }
  V outer_aux(int i = 0) const { return aux(i); }
  void aux(V v, int i = 0) { store(a.aux + i * a.aux_stride + at, v); }
  void h(V v) { store(a.h + at, v); }
  void c(V v) { store(a.c + at, v); }

  V dh() const { return a.dy ? load(a.dh + at) + load(a.dy + at) : load(a.dh + at); }
  V dh_prev() const { return load(a.dh + at); }  // what a later phase has written
  void dh_prev(V v) { store(a.dh + at, v); }
  V dc() const { return load(a.dc + at); }
  void dc(V v) { store(a.dc + at, v); }  // for the phases before
  void dc_prev(V v) { store(a.dc + at, v); }
  V daux(int i = 0) const { return load(a.daux + i * a.daux_stride + at); }
  void dvector(int k, V v) { store(a.dvectors + k * a.dvector_stride + at, v); }
  void dgate(int q, V v) { store(a.gates + gate0 + q * a.H, v); }
  void dproduct(int q, V v) { store(a.drec + gate0 + q * a.H, v); }
};

}  // namespace HS_ISA
}  // namespace hs
