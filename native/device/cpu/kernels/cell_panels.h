// A cell's formulas over products that were made elsewhere: by products_int8.cc, or by a set of
// instructions that has none of its own. HS_PANELS: sets that have them. HS_BORROWS: those that use
// the ones of HS_CELLS_OF, whose vectors have the same width.
#pragma once
#include "device/cpu/kernels/cell_kernels.h"

#if HS_BORROWS
#include "device/cpu/kernels/panels_of.h"
#endif

namespace hs {
namespace HS_ISA {

template <class Cell, int phase>
constexpr PhasePanels phase_panels() {
  constexpr Phase ph = Cell::phase[phase];
  return {kPanelUnits<Cell, float, phase>,
          kPanelRow<Cell, float, phase>,
          Cell::kGates,
          ph.first,
          ph.count,
          Cell::recurrent_bias,
          finish_row<Cell, float, phase>,
          hold<Cell, float, phase>};
}

template <class Cell>
struct CellPanels {
  static_assert(Cell::kPhases <= 2, "a cell of one phase or two");
  static constexpr PhasePanels phases[] = {phase_panels<Cell, 0>(),
                                           phase_panels<Cell, Cell::kPhases - 1>()};
};

#if HS_PANELS
#define HS_CELL_PANELS(Cell, name) \
  extern constexpr const PhasePanels* name##_panels = CellPanels<Cell>::phases;
#elif HS_BORROWS
#define HS_CELL_PANELS(Cell, name)                                            \
  template <>                                                                 \
  struct FormulasOf<Cell> {                                                   \
    static constexpr bool borrowed = true;                                    \
    static const PhasePanels* panels() { return HS_CELLS_OF::name##_panels; } \
  };
#else
#define HS_CELL_PANELS(Cell, name)
#endif

}  // namespace HS_ISA
}  // namespace hs
