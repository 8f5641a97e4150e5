// A cell that is not shipped, for the tests of the seam of cells (cells/cell.h).
#pragma once
#include "cells/cell.h"

namespace hs {
namespace test {

const CellKernels<double>& peephole_cell();
const FusedCell<double>& peephole_fused();

}  // namespace test
}  // namespace hs
