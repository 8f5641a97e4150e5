// From a cell's formulas to its kernels, once for all cells.
//
// The fused forward: bias, W and U lie in panels, [H / units][1 + D + H][count gates][units]; one
// call holds MR rows x (count gates x units) of accumulators in registers, runs over k of x and of
// h, and applies the gate formulas to the accumulators before anything is stored. A product element
// is one chain of multiply-adds: the bias, then x W, then h U, in rising k. How rows and panels are
// shared out cannot change its bits, nor can making x W + b beforehand (then the chain goes on from
// what lies in `gates`). Where products convert their operands (Operands: operands.h), D
// and H count elements in all of this, and rows of x and h are converted block by block on the
// stack. (Georganas et al. 2019, arXiv:1906.06440, on fused LSTM cells.)
#pragma once
#include <cassert>

#include "device/cpu/kernels/operands.h"
#include "device/cpu/kernels/row_step.h"

namespace hs {
namespace HS_ISA {

// Four vectors of B a row: with 32 registers 6 rows (24 accumulators; of double 4, which are as
// fast and less code), with 16 registers 3 (12; 2 of double cost 12 to 20 %).
template <class real>
static constexpr int kMaxRows = Vec<real>::registers < 32 ? 3
                                : sizeof(real) == 4       ? 6
                                                          : 4;

template <class Cell, int phase>
static constexpr int kUnitVectors = 4 / Cell::phase[phase].count;  // per gate: 4, 2, 1, 1

template <class Cell, class real, int phase>
static constexpr int kPanelUnits = kUnitVectors<Cell, phase> * Vec<real>::lanes;

// elements of one k in a panel
template <class Cell, class real, int phase>
static constexpr int kPanelRow = kPanelUnits<Cell, real, phase> * Cell::phase[phase].count;

template <class real>
static constexpr int kLineElements = 64 / sizeof(real);

// Rows of a panel: the bias, W, U.
template <class Operands>
static inline int64_t panel_rows(int64_t D, int64_t H) {
  return 1 + Operands::elements(D) + Operands::elements(H);
}

// A masked step keeps every state. Its aux is multiplied by gradients of zero, so it must be
// finite.
template <class Cell, class real, int phase>
HS_NOINLINE static void hold(const CellArgs<real>& a, int64_t row, int64_t u0, int64_t u1) {
  for (int64_t at = row * a.H + u0; at < row * a.H + u1; at++) {
    for (int i = 0; phase == 0 && i < Cell::auxes; i++) a.aux[i * a.aux_stride + at] = 0;
    if (phase == Cell::kPhases - 1) {
      a.h[at] = a.h_prev[at];
      if (a.c) a.c[at] = a.c_prev[at];
    }
  }
}

// The formulas over one row's recurrent products of one panel: product [count][U*lanes], bias
// included.
template <class Cell, class real, int phase>
static void finish_row(const CellArgs<real>& a, int64_t row, int64_t unit, const real* product) {
  constexpr int L = Vec<real>::lanes, U = kUnitVectors<Cell, phase>,
                first = Cell::phase[phase].first;
  for (int u = 0; u < U && unit < a.H; u++, unit += L) {
    const int64_t at = row * a.H + unit, gate0 = row * a.H * Cell::kGates + unit;
    if (a.H - unit >= L) {
      PanelStep<Cell, real, false> s{a, at, gate0, unit, L, product + u * L, U * L, first};
      Cell::template forward<phase>(s);
    } else {
      PanelStep<Cell, real, true> s{
          a, at, gate0, unit, static_cast<int>(a.H - unit), product + u * L, U * L, first};
      Cell::template forward<phase>(s);
    }
  }
}

// Whether the formulas of a cell are those of another set of instructions, whose vectors have the
// same width, and then which (cell_panels.h).
template <class Cell>
struct FormulasOf {
  static constexpr bool borrowed = false;
};

// Bytes of U that are thought to stay in L2 from step to step; beyond, each row block asks for its
// share of the next panel.
static constexpr int64_t kNearBytes = 1 << 20;

// acc += operand W over K rows of a panel, w before the first; returns the last row used, so that
// another operand can go on. operand: element k of row i at operand[gate * gate_stride + at[i] +
// k]. ahead: with each k, `lines` cache lines from here on are fetched: the same place of the next
// panel.
template <class Operands, class V, class real, int MR, int NV, int U, bool kShared>
static inline const real* multiply_elements(V (&acc)[MR][NV], const real* w, const real* operand,
                                            const int64_t (&at)[MR], int64_t gate_stride, int64_t K,
                                            const real*& ahead, int lines) {
  constexpr int L = V::lanes;
  for (int64_t k = 0; k < K; k++) {
    w += NV * L;
    for (int line = 0; line < lines; line++) prefetch(ahead + line * kLineElements<real>);
    ahead += NV * L;
    V b[NV];
#pragma GCC unroll 8
    for (int v = 0; v < NV; v++) b[v] = V::load(w + v * L);
#pragma GCC unroll 8
    for (int i = 0; i < MR; i++) {
      if constexpr (kShared) {
        V s = V::set1(operand[at[i] + k]);
#pragma GCC unroll 8
        for (int v = 0; v < NV; v++) acc[i][v] = Operands::multiply_add(s, b[v], acc[i][v]);
      } else {
#pragma GCC unroll 8
        for (int v = 0; v < NV; v++)
          acc[i][v] = Operands::multiply_add(V::set1(operand[(v / U) * gate_stride + at[i] + k]),
                                             b[v], acc[i][v]);
      }
    }
  }
  return w;
}

// How many elements of a row are converted at a time, on the stack: 6 KB for an operand of 6 rows.
static constexpr int64_t kConvertedElements = 256;

// The same over K numbers of rows `row` of an operand [B, width].
template <class Operands, class V, class real, int MR, int NV, int U, bool kShared>
static inline const real* multiply(V (&acc)[MR][NV], const real* w, const real* operand,
                                   const int64_t (&row)[MR], int64_t gate_stride, int64_t K,
                                   int64_t width, const real*& ahead, int lines) {
  int64_t at[MR];
#pragma GCC unroll 8
  for (int i = 0; i < MR; i++) at[i] = row[i] * width;
  if constexpr (!Operands::converts) {
    return multiply_elements<Operands, V, real, MR, NV, U, kShared>(acc, w, operand, at,
                                                                    gate_stride, K, ahead, lines);
  } else {
    constexpr int operands = kShared ? 1 : NV / U;
    constexpr int64_t block = kConvertedElements * Operands::per;
    alignas(64) real converted[operands][MR][kConvertedElements];
    int64_t converted_at[MR];
    for (int i = 0; i < MR; i++) converted_at[i] = i * kConvertedElements;
    for (int64_t k0 = 0; k0 < K; k0 += block) {
      const int64_t count = K - k0 < block ? K - k0 : block;
      for (int q = 0; q < operands; q++)
        for (int i = 0; i < MR; i++)
          Operands::row(converted[q][i], operand + q * gate_stride + at[i] + k0, count);
      w = multiply_elements<Operands, V, real, MR, NV, U, kShared>(
          acc, w, converted[0][0], converted_at, MR * kConvertedElements, Operands::elements(count),
          ahead, lines);
    }
    return w;
  }
}

// The bias and x W of one row of a panel, w its first row: x has n numbers that are not zero, in
// these columns.
template <class V, class real, int NV>
HS_NOINLINE static void start_row(real* product, const real* w, const real* x,
                                  const int32_t* columns, int64_t n) {
  constexpr int L = V::lanes;
  V acc[NV];
  for (int v = 0; v < NV; v++) acc[v] = V::load(w + v * L);
  for (int64_t i = 0; i < n; i++) {
    const V s = V::set1(x[columns[i]]);
    for (int v = 0; v < NV; v++)
      acc[v] = fma(s, V::load(w + (1 + columns[i]) * NV * L + v * L), acc[v]);
  }
  for (int v = 0; v < NV; v++) acc[v].store(product + v * L);
}

// What the products start from: x W + b, with zeros beyond the last unit.
template <class Cell, class real, int phase>
static inline Vec<real> projection(const CellArgs<real>& a, int64_t row, int64_t unit, int gate) {
  using V = Vec<real>;
  const real* at = a.gates + (row * Cell::kGates + Cell::phase[phase].first + gate) * a.H + unit;
  if (a.H - unit >= V::lanes) return V::load(at);
  return a.H > unit ? V::load_n(at, static_cast<int>(a.H - unit)) : V::zero();
}

template <class Cell, class Operands, int phase, int MR, bool kShared, class real>
static inline void forward_block(const CellArgs<real>& a, int64_t first, int64_t panel,
                                 const real* ahead, int lines) {
  using V = Vec<real>;
  constexpr int U = kUnitVectors<Cell, phase>, NV = Cell::phase[phase].count * U, L = V::lanes;
  // [1 + D + H][count][U*L]
  const real* w = a.packed + panel * panel_rows<Operands>(a.D, a.H) * NV * L;
  int64_t row[MR];
  for (int i = 0; i < MR; i++) row[i] = a.real_rows ? a.real_rows[first + i] : a.r0 + first + i;
  V acc[MR][NV];
  alignas(64) real product[MR][NV * L];
  const bool sparse = !Operands::converts && a.x_from;
  if (sparse) {
    for (int i = 0; i < MR; i++) {
      const int64_t from = a.x_from[row[i]], n = a.x_from[row[i] + 1] - from;
      start_row<V, real, NV>(product[i], w, a.x + row[i] * a.D, a.x_columns + from, n);
    }
#pragma GCC unroll 8
    for (int i = 0; i < MR; i++)
#pragma GCC unroll 8
      for (int v = 0; v < NV; v++) acc[i][v] = V::load(product[i] + v * L);
    w += a.D * NV * L, ahead += a.D * NV * L;
  } else if (Cell::recurrent_bias || a.x) {
    for (int v = 0; v < NV; v++) {
      V b = V::load(w + v * L);
#pragma GCC unroll 8
      for (int i = 0; i < MR; i++) acc[i][v] = b;
    }
  } else {
#pragma GCC unroll 8
    for (int i = 0; i < MR; i++)
#pragma GCC unroll 8
      for (int v = 0; v < NV; v++)
        acc[i][v] = projection<Cell, real, phase>(a, row[i], (panel * U + v % U) * L, v / U);
  }
  if (a.x && !sparse)
    w = multiply<Operands, V, real, MR, NV, U, true>(acc, w, a.x, row, 0, a.D, a.D, ahead, lines);
  multiply<Operands, V, real, MR, NV, U, kShared>(acc, w, a.operand, row, a.operand_gate, a.K, a.H,
                                                  ahead, lines);
  // Through memory, so that the formulas are compiled once, not MR times.
#pragma GCC unroll 8
  for (int i = 0; i < MR; i++)
#pragma GCC unroll 8
    for (int v = 0; v < NV; v++) acc[i][v].store(product[i] + v * L);
  for (int i = 0; i < MR; i++) {
    if constexpr (FormulasOf<Cell>::borrowed) {
      FormulasOf<Cell>::panels()[phase].finish(a, row[i], panel * U * L, product[i]);
    } else {
      finish_row<Cell, real, phase>(a, row[i], panel * U * L, product[i]);
    }
  }
}

template <class Cell, class Operands, int phase, bool kShared, class real>
static inline void forward_panels(const CellArgs<real>& a) {
  constexpr int units = kPanelUnits<Cell, real, phase>, MR = kMaxRows<real>;
  constexpr int width = kPanelRow<Cell, real, phase>, lines = width / kLineElements<real>;
  const int64_t first = a.u0 / units, panels = (a.u1 + units - 1) / units - first,
                rows = a.real_rows ? a.real_count : a.r1 - a.r0, blocks = (rows + MR - 1) / MR;
  const int64_t used = Operands::elements(a.D) + Operands::elements(a.K);
  const bool far =
      panels > 1 && panels * used * width * static_cast<int64_t>(sizeof(real)) > kNearBytes;
  // A single block reads the panels once, in order, which the processor foresees better by itself.
  const int share = far && blocks > 1 ? static_cast<int>((lines + blocks - 1) / blocks) : 0;
  for (int64_t panel = first; panel < first + panels; panel++) {
    // After the last panel comes the first one again, for the next step.
    const real* next = a.packed + (panel + 1 < first + panels ? panel + 1 : first) *
                                      panel_rows<Operands>(a.D, a.H) * width;
    int fetched = 0;
    for (int64_t row = 0; row < rows;) {
      const int64_t left = rows - row;
      const int n = fetched + share <= lines ? share : lines - fetched;
      const real* ahead = next + fetched * kLineElements<real>;
      fetched += n;
      if (left >= MR && !(MR == 6 && left == 8)) {  // 8 rows go better as 4 + 4
        forward_block<Cell, Operands, phase, MR, kShared>(a, row, panel, ahead, n), row += MR;
      } else if (MR > 4 && left >= 4) {
        forward_block<Cell, Operands, phase, 4, kShared>(a, row, panel, ahead, n), row += 4;
      } else if (left >= 2) {
        forward_block<Cell, Operands, phase, 2, kShared>(a, row, panel, ahead, n), row += 2;
      } else {
        forward_block<Cell, Operands, phase, 1, kShared>(a, row, panel, ahead, n), row += 1;
      }
    }
  }
}

// What every kernel of a step counts on, in debug builds.
template <class Cell, class real>
static inline void check_args(const CellArgs<real>& a) {
  assert(a.H > 0 && 0 <= a.r0 && a.r0 <= a.r1 && 0 <= a.u0 && a.u0 <= a.u1 && a.u1 <= a.H);
  assert(a.gates && a.h_prev && (Cell::auxes == 0 || a.aux));
  assert((Cell::states[1] != 0) == (a.c_prev != nullptr));
  assert(Cell::vectors == 0 || a.vectors);
  assert(!a.real_rows || (a.mask && 0 <= a.real_count && a.real_count <= a.r1 - a.r0));
  (void)a;
}

template <class Cell, class real>
static inline void check_backward(const CellArgs<real>& a) {
  check_args<Cell>(a);
  assert(a.dh && (!a.c_prev || a.dc) && (!Cell::recurrent_bias || a.drec));
  assert(Cell::phase[0].on_state() && (Cell::vectors == 0 || a.dvectors));
  assert(Cell::auxes == 0 || a.daux);
}

template <class Cell, class Operands, int phase, class real>
static void forward_phase(const CellArgs<real>& a) {
  check_args<Cell>(a);
  assert(a.h && a.packed && a.operand && (a.K == 0 || a.K == a.H));
  assert((a.x != nullptr) == (a.D > 0));
  assert(!a.x_from || (a.x && a.x_columns && !Operands::converts));
  assert((a.c_prev != nullptr) == (a.c != nullptr));
  assert((a.u0 % kPanelUnits<Cell, real, phase> == 0));
  assert((a.u1 == a.H || a.u1 % kPanelUnits<Cell, real, phase> == 0));
  if (a.real_rows)
    for (int64_t row = a.r0; row < a.r1; row++)
      if (a.mask[row] == 0) hold<Cell, real, phase>(a, row, a.u0, a.u1);
  if constexpr (Cell::phase[phase].count > 1) {
    if (a.operand_gate != 0) return forward_panels<Cell, Operands, phase, false>(a);
  }
  forward_panels<Cell, Operands, phase, true>(a);
}

// Backward of a masked step: the gates get no gradient; dh goes on, and dy of the output, which
// repeats that of the step before, is added to it.
template <class Cell, class real>
HS_NOINLINE static void hold_backward(const CellArgs<real>& a, int64_t row) {
  for (int64_t u = a.u0; u < a.u1; u++) {
    if (a.dy) a.dh[row * a.H + u] += a.dy[row * a.H + u];
    for (int q = 0; q < Cell::kGates; q++) {
      a.gates[(row * Cell::kGates + q) * a.H + u] = 0;
      if (Cell::recurrent_bias) a.drec[(row * Cell::kGates + q) * a.H + u] = 0;
    }
    for (int i = 0; i < Cell::vectors; i++) a.dvectors[i * a.dvector_stride + row * a.H + u] = 0;
  }
}

template <class Cell, class real, int phase>
static void backward_phase(const CellArgs<real>& a) {
  check_backward<Cell>(a);
  constexpr int L = Vec<real>::lanes;
  for (int64_t r = a.r0; r < a.r1; r++) {
    if (a.mask && a.mask[r] == 0) {
      if (phase == Cell::kPhases - 1) hold_backward<Cell, real>(a, r);
      continue;
    }
    for (int64_t unit = a.u0; unit < a.u1; unit += L) {
      int64_t at = r * a.H + unit, gate0 = r * a.H * Cell::kGates + unit;
      if (a.u1 - unit >= L) {
        PanelStep<Cell, real, false> s{a, at, gate0, unit, L, nullptr, 0, 0};
        Cell::template backward<phase>(s);
      } else {
        const int left = static_cast<int>(a.u1 - unit);
        PanelStep<Cell, real, true> s{a, at, gate0, unit, left, nullptr, 0, 0};
        Cell::template backward<phase>(s);
      }
    }
  }
}

template <class Cell, class real, int phase>
static inline RowStep<Cell, real> row_step(const CellArgs<real>& a, int64_t row) {
  constexpr Phase ph = Cell::phase[phase];
  return {{a, a.scratch, a.scratch + Cell::row_scratch * a.H}, row, ph.first, ph.count};
}

template <class Cell, class real, int phase>
static void forward_rows_phase(const CellArgs<real>& a) {
  check_args<Cell>(a);
  assert(a.h && a.product && a.scratch && a.u0 == 0 && a.u1 == a.H);
  for (int64_t r = a.r0; r < a.r1; r++) {
    if (a.mask && a.mask[r] == 0) {
      hold<Cell, real, phase>(a, r, 0, a.H);
    } else {
      auto s = row_step<Cell, real, phase>(a, r);
      Cell::template forward<phase>(s);
    }
  }
}

template <class Cell, class real, int phase>
static void backward_rows_phase(const CellArgs<real>& a) {
  check_backward<Cell>(a);
  assert(a.scratch && a.u0 == 0 && a.u1 == a.H);
  for (int64_t r = a.r0; r < a.r1; r++) {
    if (a.mask && a.mask[r] == 0) {
      if (phase == Cell::kPhases - 1) hold_backward<Cell, real>(a, r);
    } else {
      auto s = row_step<Cell, real, phase>(a, r);
      Cell::template backward<phase>(s);
    }
  }
}

template <class Cell, class Operands, int phase, class real>
static void pack_phase(real* packed, const real* bias, const real* W, int64_t D, const real* U,
                       int64_t H, int64_t u0, int64_t u1) {
  constexpr int units = kPanelUnits<Cell, real, phase>, count = Cell::phase[phase].count,
                first = Cell::phase[phase].first, width = kPanelRow<Cell, real, phase>;
  const int64_t GH = Cell::kGates * H;
  packed += u0 / units * panel_rows<Operands>(D, H) * width;
  for (int64_t unit = u0; unit < u1; unit += units) {
    const int64_t n = H - unit < units ? H - unit : units, at = first * H + unit;
    for (int q = 0; q < count; q++) {
      real* column = packed + q * units;  // [1 + D + H], every `width`-th row of `units`
      Exact<real>::rows(column, width, units, bias + at + q * H, GH, 1, n, nullptr);
      Operands::rows(column + width, width, units, W + at + q * H, GH, D, n, nullptr);
      Operands::rows(column + (1 + Operands::elements(D)) * width, width, units, U + at + q * H, GH,
                     H, n, nullptr);
    }
    packed += panel_rows<Operands>(D, H) * width;
  }
}

template <int n>
struct Constant {
  constexpr operator int() const { return n; }
};

// f(the phase as a constant).
template <class Cell, int phase = 0, class F>
static inline void at_phase(int wanted, const F& f) {
  if constexpr (phase < Cell::kPhases) {
    if (wanted == phase) return f(Constant<phase>());
    at_phase<Cell, phase + 1>(wanted, f);
  }
}

// The functions of a cell with the phase as an argument.
template <class Cell, class Operands>
struct FusedFunctions {
  using real = typename Operands::real;
  static int panel_units(const void*, int phase) {
    int units = 0;
    at_phase<Cell>(phase, [&](auto i) { units = kPanelUnits<Cell, real, i>; });
    return units;
  }
  static size_t packed_size(const void*, int phase, int64_t D, int64_t H) {
    int64_t size = 0;
    at_phase<Cell>(phase, [&](auto i) {
      constexpr int units = kPanelUnits<Cell, real, i>;
      size = (H + units - 1) / units * panel_rows<Operands>(D, H) * kPanelRow<Cell, real, i>;
    });
    return static_cast<size_t>(size);
  }
  static void pack(const void*, int phase, real* packed, const real* bias, const real* W, int64_t D,
                   const real* U, int64_t H, int64_t u0, int64_t u1) {
    at_phase<Cell>(
        phase, [&](auto i) { pack_phase<Cell, Operands, i>(packed, bias, W, D, U, H, u0, u1); });
  }
  static void forward(const void*, int phase, const CellArgs<real>& a) {
    at_phase<Cell>(phase, [&](auto i) { forward_phase<Cell, Operands, i>(a); });
  }
};

template <class Cell, class real>
struct CellFunctions {
  static void backward(const void*, int phase, const CellArgs<real>& a) {
    at_phase<Cell>(phase, [&](auto i) { backward_phase<Cell, real, i>(a); });
  }
  static void forward_rows(const void*, int phase, const CellArgs<real>& a) {
    at_phase<Cell>(phase, [&](auto i) { forward_rows_phase<Cell, real, i>(a); });
  }
  static void backward_rows(const void*, int phase, const CellArgs<real>& a) {
    at_phase<Cell>(phase, [&](auto i) { backward_rows_phase<Cell, real, i>(a); });
  }
};

template <class Cell, class Operands>
constexpr FusedCell<typename Operands::real> fused_cell() {
  using F = FusedFunctions<Cell, Operands>;
  return {nullptr, F::panel_units, F::packed_size, F::pack, F::forward, INT64_MAX};
}

template <class Cell, class real>
constexpr CellKernels<real> cell_kernels() {
  using F = CellFunctions<Cell, real>;
  return {{Cell::name, Cell::gates, Cell::states, Cell::kPhases, Cell::phase, Cell::auxes,
           Cell::vectors, Cell::vector_names, Cell::recurrent_bias},
          nullptr,
          Cell::row_scratch,
          F::backward,
          F::forward_rows,
          F::backward_rows};
}

// The file of a cell ends with this: its kernels under its registered name, that of the file.
// HS_EXACT, HS_BF16, HS_PANELS (cell_panels.h): which operands this instruction set has kernels for
// (hs_isa in CMakeLists.txt).
#if HS_EXACT
#define HS_CELL_EXACT(Cell, name)                                                        \
  extern constexpr CellKernels<float> name##_f32 = cell_kernels<Cell, float>();          \
  extern constexpr CellKernels<double> name##_f64 = cell_kernels<Cell, double>();        \
  extern constexpr FusedCell<float> name##_fused_f32 = fused_cell<Cell, Exact<float>>(); \
  extern constexpr FusedCell<double> name##_fused_f64 = fused_cell<Cell, Exact<double>>();
#else
#define HS_CELL_EXACT(Cell, name)
#endif
#if HS_BF16
#define HS_CELL_BF16(Cell, name) \
  extern constexpr FusedCell<float> name##_fused_bf16 = fused_cell<Cell, Bf16>();
#else
#define HS_CELL_BF16(Cell, name)
#endif
#define HS_CELL(Cell, name) \
  HS_CELL_PANELS(Cell, name) HS_CELL_EXACT(Cell, name) HS_CELL_BF16(Cell, name)

}  // namespace HS_ISA
}  // namespace hs
