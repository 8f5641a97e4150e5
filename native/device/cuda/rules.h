// Optimizers and cells as the host knows them for a card: made from formulas/ (rules.cc).
#pragma once
#include <cstddef>

#include "device/cuda/kernels/sites.h"
#include "formulas/cells/cell.h"
#include "formulas/optimizers/hyper.h"

namespace hs {

struct CudaOptimizer {
  const char* name;
  int moments;
  size_t rule_bytes;
  void (*make_rule)(const Hyper&, void* to);
};

struct CudaCell : CellShape {
  // Where a phase asks for activations, in the order of its formulas: into `sites` [kMostSites];
  // returns how many there are.
  int (*sites)(bool forward, int phase, Activation inner, Activation outer, StagedSite* sites);
};

template <typename real>
const CudaOptimizer* cuda_optimizer(const char* name);  // nullptr: there is none
const CudaCell* cuda_cell(const char* name);

}  // namespace hs
