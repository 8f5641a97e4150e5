// HS_CELL(Cell, name), the last line of a cell's file: what the device that compiles it makes of
// its formulas.
#pragma once

#if defined(HS_CUDA)
#include "device/cuda/kernels/cell.h"
#else
#include "device/cpu/kernels/cell_panels.h"
#endif
