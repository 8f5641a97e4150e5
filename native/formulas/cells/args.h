// What one time step of a cell reads and writes, on any device.
#pragma once
#include <cstdint>

#include "formulas/activation.h"
#include "formulas/cells/cell.h"

namespace hs {

// One time step, all tensors at row 0. H units, G gates. Leading dimension of [B, X] is X.
template <typename real>
struct CellArgs {
  int64_t r0 = 0, r1 = 0;  // rows to do
  int64_t u0 = 0, u1 = 0;  // units to do: multiples of FusedCell::panel_units(phase), or H
  int64_t H = 0;
  Activation inner = Activation::kSigmoid, outer = Activation::kTanh;
  const real* mask = nullptr;  // [B] of this step, 1 = real; nullptr: all real
  // forward: the real rows among r0..r1, rising; nullptr: all of them are
  const int32_t* real_rows = nullptr;
  int64_t real_count = 0;
  const real* h_prev = nullptr;  // [B, H]
  const real* c_prev = nullptr;  // [B, H], cells with two states
  // [B, G*H] forward: in x W + b (unless x is given), out activated gates. backward: in those, out
  // their gradients
  real* gates = nullptr;
  // [B, H] what the cell keeps for a later phase or for backward; the next aux lies `aux_stride`
  // elements further on
  real* aux = nullptr;
  int64_t aux_stride = 0;
  const real* const* vectors = nullptr;  // [CellShape::vectors] parameters [H]
  // forward
  const real* packed = nullptr;  // this phase's bias, W and U, as FusedCell::pack laid them
  const real* x = nullptr;       // [B, D] folded into the product; nullptr: x W + b lies in `gates`
  int64_t D = 0;                 // rows of W in `packed`: 0 without x
  // Of an x of mostly zeros: the columns of row b that are not zero are x_columns[x_from[b]] up to,
  // not including, x_columns[x_from[b + 1]]. No x_from: all columns count.
  const int64_t* x_from = nullptr;  // [B + 1]
  const int32_t* x_columns = nullptr;
  // [B, H], or [count, B, H] with operand_gate = B*H (dropout: an operand for each gate)
  const real* operand = nullptr;
  int64_t operand_gate = 0;  // 0: one operand for all gates of the phase
  int64_t K = 0;             // H, or 0 where the operand is known to be zero
  // [B, count*H] plain path: operand U + bias, made by the recurrence
  const real* product = nullptr;
  real* h = nullptr;  // [B, H]
  real* c = nullptr;  // [B, H]
  // backward
  const real* dy = nullptr;  // [B, H] gradient of this step's output; nullptr: none
  real* dh = nullptr;  // [B, H] in: gradient of h. out: of h_prev, but for what goes through U
  real* dc = nullptr;  // [B, H] in: of c, out: of c_prev
  // [B, H] gradient of an aux that a later phase has used; that of the next aux lies `daux_stride`
  // elements further on
  const real* daux = nullptr;
  int64_t daux_stride = 0;
  // [B, H] what this step adds to the gradient of vector 0, row by row; that of the next vector
  // lies `dvector_stride` elements further on
  real* dvectors = nullptr;
  int64_t dvector_stride = 0;
  real* drec = nullptr;  // [B, G*H] cells with recurrent_bias: gradients of the recurrent products
  real* scratch = nullptr;  // plain path: CellKernels::row_scratch * H elements
};

}  // namespace hs
