// The panels of every cell, as the set of instructions HS_CELLS_OF has them (cell_panels.h).
#pragma once
#include "device/cpu/kernels/cell.h"
#include "registry.inc"  // made by CMakeLists.txt: HS_CELLS

namespace hs {
namespace HS_CELLS_OF {
#define HS_DECLARE(name) extern const PhasePanels* const name##_panels;
HS_CELLS(HS_DECLARE)
#undef HS_DECLARE
}  // namespace HS_CELLS_OF
}  // namespace hs
