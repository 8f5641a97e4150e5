// A cell that is not shipped, for the tests of the seam of cells (kernels/cell.h).
#pragma once
#include "device/cpu/kernels/cell.h"

namespace hs {
namespace test {

const CellKernels<double>& peephole_cell();
const FusedCell<double>& peephole_fused();

}  // namespace test
}  // namespace hs
