// Optimizers and cells as the host knows them for a card: made from formulas/ (rules.cc).
#pragma once
#include <cstddef>

#include "formulas/cells/cell.h"
#include "formulas/optimizers/hyper.h"

namespace hs {

struct CudaOptimizer {
  const char* name;
  int moments;
  size_t rule_bytes;
  void (*make_rule)(const Hyper&, void* to);
};

template <typename real>
const CudaOptimizer* cuda_optimizer(const char* name);  // nullptr: there is none
const CellShape* cuda_cell(const char* name);

}  // namespace hs
