// What a card makes of a cell: kernels for each phase, forward and backward, a thread for each unit
// of each row, and the same in rounds (staged.h); and for the host its shape, and what activations
// it asks for. Included by formulas/cells/compile.h.
#pragma once
#include "device/cuda/kernels/staged.h"
#include "formulas/cells/step.h"

namespace hs {
namespace HS_ISA {

template <class Cell, int phase, bool forward, class Step>
static HS_INLINE void run_formulas(Step& s) {
  if constexpr (forward) {
    Cell::template forward<phase>(s);
  } else {
    Cell::template backward<phase>(s);
  }
}

}  // namespace HS_ISA
}  // namespace hs

#if defined(HS_CUDA_HOST)
#include "device/cuda/rules.h"

namespace hs {
namespace HS_ISA {

// Runs the formulas over one unit of one row.
template <class Cell, int phase = 0>
static int staged_sites(bool forward, int wanted, Activation inner, Activation outer,
                        StagedSite* sites) {
  if constexpr (phase < Cell::kPhases) {
    if (wanted != phase) return staged_sites<Cell, phase + 1>(forward, wanted, inner, outer, sites);
    float numbers[kMostSites] = {};
    const float* const vectors[kMostSites] = {numbers, numbers, numbers, numbers};
    CellArgs<float> a;
    a.H = 1, a.inner = inner, a.outer = outer;
    a.h_prev = a.c_prev = a.dy = a.daux = numbers, a.vectors = vectors;
    a.gates = a.aux = a.h = a.c = a.dh = a.dc = a.dvectors = a.drec = numbers;
    const Sites<float> known = {numbers, numbers, 0, 0, false, sites};
    StagedStep<Cell, float> s{a, 0, 0, 0, numbers, Cell::phase[phase].first, known};
    forward ? run_formulas<Cell, phase, true>(s) : run_formulas<Cell, phase, false>(s);
    return s.site;
  }
  return 0;
}

#define HS_CELL(Cell, id)                                                              \
  extern constexpr CudaCell id##_cuda = {                                              \
      {Cell::name, Cell::gates, Cell::states, Cell::kPhases, Cell::phase, Cell::auxes, \
       Cell::vectors, Cell::vector_names, Cell::recurrent_bias},                       \
      staged_sites<Cell>};

}  // namespace HS_ISA
}  // namespace hs

#else
#include "device/cuda/kernels/args.h"
#include "device/cuda/kernels/card.h"

namespace hs {
namespace HS_ISA {

// A masked step keeps every state, as on the CPU (cell_kernels.h: hold).
template <class Cell, class real, int phase>
static HS_INLINE void hold(const CellArgs<real>& a, int64_t i) {
  for (int k = 0; phase == 0 && k < Cell::auxes; k++) a.aux[k * a.aux_stride + i] = 0;
  if (phase == Cell::kPhases - 1) {
    a.h[i] = a.h_prev[i];
    if (a.c) a.c[i] = a.c_prev[i];
  }
}
template <class Cell, class real, int phase>
static HS_INLINE void hold_backward(const CellArgs<real>& a, int64_t i, int64_t gate0) {
  if (phase != Cell::kPhases - 1) return;
  if (a.dy) a.dh[i] += a.dy[i];
  for (int q = 0; q < Cell::kGates; q++) {
    a.gates[gate0 + q * a.H] = 0;
    if (Cell::recurrent_bias) a.drec[gate0 + q * a.H] = 0;
  }
  for (int k = 0; k < Cell::vectors; k++) a.dvectors[k * a.dvector_stride + i] = 0;
}

// Unit i % H of row i / H; sites: nullptr, or of a step in rounds.
template <class Cell, class real, int phase, bool forward>
static HS_INLINE void run_unit(const CellArgs<real>& a, int64_t i, const Sites<real>* sites) {
  const int64_t row = i / a.H, unit = i % a.H, gate0 = row * Cell::kGates * a.H + unit;
  if (a.mask && a.mask[row] == 0) {
    if (sites && !sites->last) return;
    forward ? hold<Cell, real, phase>(a, i) : hold_backward<Cell, real, phase>(a, i, gate0);
    return;
  }
  constexpr int first = Cell::phase[phase].first, count = Cell::phase[phase].count;
  // With a recurrent bias the product lies apart [B, count*H], else in the gates.
  const real* const products = !forward               ? nullptr
                               : Cell::recurrent_bias ? a.product + row * count * a.H + unit
                                                      : a.gates + gate0 + first * a.H;
  if (sites) {
    StagedStep<Cell, real> s{a, i, gate0, unit, products, first, *sites};
    run_formulas<Cell, phase, forward>(s);
  } else {
    PanelStep<Cell, real, false> s{a, i, gate0, unit, 1, products, static_cast<int>(a.H), first};
    run_formulas<Cell, phase, forward>(s);
  }
}

// Beyond the phases of a cell: nothing, and nobody asks for it.
template <class Cell, class real, int phase, bool forward>
static HS_INLINE void run_step(const CellStepArgs<real>& args, int64_t i,
                               const Sites<real>* sites) {
  if constexpr (phase < Cell::kPhases) {
    if constexpr (Cell::vectors > 0) {
      CellArgs<real> a = args.step;
      a.vectors = args.vectors;
      run_unit<Cell, real, phase, forward>(a, i, sites);
    } else {
      run_unit<Cell, real, phase, forward>(args.step, i, sites);
    }
  }
}

#define HS_CELL_STEP(Cell, id, way, phase, forward)                                                \
  template <class real>                                                                            \
  static HS_INLINE void id##_##way##_##phase(const CellStepArgs<real>& args, int64_t i) {          \
    run_step<Cell, real, phase, forward>(args, i, nullptr);                                        \
  }                                                                                                \
  template <class real>                                                                            \
  static HS_INLINE void id##_staged_##way##_##phase(const StagedStepArgs<real>& args, int64_t i) { \
    run_step<Cell, real, phase, forward>(args.cell, i, &args.sites);                               \
  }                                                                                                \
  HS_KERNEL(id##_##way##_##phase, CellStepArgs)                                                    \
  HS_KERNEL(id##_staged_##way##_##phase, StagedStepArgs)
#define HS_CELL(Cell, id)                    \
  HS_CELL_STEP(Cell, id, forward, 0, true)   \
  HS_CELL_STEP(Cell, id, forward, 1, true)   \
  HS_CELL_STEP(Cell, id, backward, 0, false) \
  HS_CELL_STEP(Cell, id, backward, 1, false)

}  // namespace HS_ISA
}  // namespace hs
#endif
