// The cell seam. A cell is data and two pointwise functions for each phase, forward and backward;
// the recurrence (device/cpu/ops/recurrence.cc) does everything else: the time loop, the input
// projection, masks, dropout, direction, carried states, deferred weight gradients.
//
// A file of formulas/cells/ is the cell of its name. Its formulas are written once, over a Step
// (step.h). That is either one vector of units in registers (the fused path, cell_kernels.h), or a
// whole row (the plain path, for activations that need_rows: softmax, which looks at the whole row,
// and those whose slope is made from their input).
#pragma once
#include <cstddef>
#include <cstdint>

#include "device/cpu/kernels/table.h"
#include "formulas/cells/args.h"

namespace hs {

// The functions of a cell that are the same for all kinds of operands (operands.h). Each is given
// `self`.
template <typename real>
struct CellKernels : CellShape {
  const void* self;  // data of the functions; nullptr where they need none
  int row_scratch;   // rows of H elements that the plain path needs
  void (*backward)(const void* self, int phase, const CellArgs<real>&);  // pointwise
  // The plain path, over whole rows: for activations that need_rows, and cells that are not fused.
  void (*forward_rows)(const void* self, int phase, const CellArgs<real>&);
  void (*backward_rows)(const void* self, int phase, const CellArgs<real>&);
};

// The fused forward of a cell. It multiplies, so it depends on the operands: part of Products
// (table.h).
template <typename real>
struct FusedCell {
  const void* self;                                 // as in CellKernels
  int (*panel_units)(const void* self, int phase);  // units in one packed panel
  size_t (*packed_size)(const void* self, int phase, int64_t D, int64_t H);  // elements
  // packed [panels][1 + D + H][count][panel units] (D and H in elements, operands.h): the bias row,
  // the rows of W, the rows of U. bias [G*H], W [D, G*H], U [H, G*H]. D = 0 where x W is
  // made elsewhere. Units u0..u1 only, multiples of panel_units or H: the panels may be shared out.
  void (*pack)(const void* self, int phase, real* packed, const real* bias, const real* W,
               int64_t D, const real* U, int64_t H, int64_t u0, int64_t u1);
  // Product, activations and states in one pass over the panels; gate math on the accumulators.
  void (*forward)(const void* self, int phase, const CellArgs<real>&);
  int64_t most_units;  // a layer of more units takes the plain path
};

// One phase of a cell in panels, for products that are not compiled with its formulas.
struct PhasePanels {
  int units, width;         // of a panel: units of a gate, numbers of one k
  int gates, first, count;  // of the cell; of the phase
  bool with_bias;           // products begin with the bias even where x W is made elsewhere
  // The formulas over a row's products of one panel, [count][units]; units u0..u1 of a masked step.
  void (*finish)(const CellArgs<float>&, int64_t row, int64_t unit, const float* product);
  void (*hold)(const CellArgs<float>&, int64_t row, int64_t u0, int64_t u1);
};

}  // namespace hs
