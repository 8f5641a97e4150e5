// What a card makes of a cell: kernels for each phase, forward and backward, a thread for each unit
// of each row; and for the host its shape. Included by formulas/cells/compile.h.
#pragma once
#include "formulas/cells/step.h"

#if defined(HS_CUDA_HOST)
namespace hs {
namespace HS_ISA {

#define HS_CELL(Cell, id)                                                               \
  extern constexpr CellShape id##_cuda = {                                              \
      Cell::name,  Cell::gates,   Cell::states,       Cell::kPhases,       Cell::phase, \
      Cell::auxes, Cell::vectors, Cell::vector_names, Cell::recurrent_bias};

}  // namespace HS_ISA
}  // namespace hs

#else
#include "device/cuda/kernels/args.h"
#include "device/cuda/kernels/card.h"

namespace hs {
namespace HS_ISA {

// A masked step keeps every state, as on the CPU (cell_kernels.h: hold).
template <class Cell, class real, int phase>
static HS_INLINE void forward_unit(const CellArgs<real>& a, int64_t i) {
  const int64_t row = i / a.H, unit = i % a.H;
  if (a.mask && a.mask[row] == 0) {
    for (int k = 0; phase == 0 && k < Cell::auxes; k++) a.aux[k * a.aux_stride + i] = 0;
    if (phase == Cell::kPhases - 1) {
      a.h[i] = a.h_prev[i];
      if (a.c) a.c[i] = a.c_prev[i];
    }
    return;
  }
  constexpr int first = Cell::phase[phase].first, count = Cell::phase[phase].count;
  // With a recurrent bias the product lies apart [B, count*H], else in the gates.
  const real* const products = Cell::recurrent_bias
                                   ? a.product + row * count * a.H + unit
                                   : a.gates + (row * Cell::kGates + first) * a.H + unit;
  PanelStep<Cell, real, false> s{a, i,        row * Cell::kGates * a.H + unit, unit,
                                 1, products, static_cast<int>(a.H),           first};
  Cell::template forward<phase>(s);
}

template <class Cell, class real, int phase>
static HS_INLINE void backward_unit(const CellArgs<real>& a, int64_t i) {
  const int64_t row = i / a.H, unit = i % a.H, gate0 = row * Cell::kGates * a.H + unit;
  if (a.mask && a.mask[row] == 0) {
    if (phase != Cell::kPhases - 1) return;
    if (a.dy) a.dh[i] += a.dy[i];
    for (int q = 0; q < Cell::kGates; q++) {
      a.gates[gate0 + q * a.H] = 0;
      if (Cell::recurrent_bias) a.drec[gate0 + q * a.H] = 0;
    }
    for (int k = 0; k < Cell::vectors; k++) a.dvectors[k * a.dvector_stride + i] = 0;
    return;
  }
  PanelStep<Cell, real, false> s{a, i, gate0, unit, 1, nullptr, 0, 0};
  Cell::template backward<phase>(s);
}

// f(arguments with the cell's vectors in them)
template <class Cell, class real, class F>
static HS_INLINE void with_vectors(const CellStepArgs<real>& args, const F& f) {
  if constexpr (Cell::vectors > 0) {
    CellArgs<real> a = args.step;
    a.vectors = args.vectors;
    f(a);
  } else {
    f(args.step);
  }
}

// Beyond the phases of a cell: nothing, and nobody asks for it.
#define HS_CELL_STEP(Cell, id, way, phase)                                                       \
  template <class real>                                                                          \
  static HS_INLINE void id##_##way##_##phase(const CellStepArgs<real>& args, int64_t i) {        \
    if constexpr (phase < Cell::kPhases) {                                                       \
      with_vectors<Cell>(args,                                                                   \
                         [&](const CellArgs<real>& a) { way##_unit<Cell, real, phase>(a, i); }); \
    }                                                                                            \
  }                                                                                              \
  HS_KERNEL(id##_##way##_##phase, CellStepArgs)
#define HS_CELL(Cell, id)             \
  HS_CELL_STEP(Cell, id, forward, 0)  \
  HS_CELL_STEP(Cell, id, forward, 1)  \
  HS_CELL_STEP(Cell, id, backward, 0) \
  HS_CELL_STEP(Cell, id, backward, 1)

}  // namespace HS_ISA
}  // namespace hs
#endif
