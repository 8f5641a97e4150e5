#include "device/cpu/registry.h"

#include <iterator>

#include "base/error.h"
#include "device/cpu/kernels/cell.h"
#include "device/cpu/kernels/optimizer.h"
#include "device/cpu/objectives/objective.h"
#include "device/param.h"
#include "ops/activation_name.h"
#include "registry.inc"

namespace hs {
namespace {

#define HS_NAME(name) #name,
const char* const kLayers[] = {HS_OPS(HS_NAME)};
const char* const kCells[] = {HS_CELLS(HS_NAME)};
const char* const kOptimizers[] = {HS_OPTIMIZERS(HS_NAME)};
#undef HS_NAME

std::vector<std::string> texts(const char* const* names) {  // ended by nullptr
  std::vector<std::string> list;
  for (; *names; names++) list.push_back(*names);
  return list;
}

}  // namespace

Registry registry() {
  const Table<float>& k = kernels<float>();
  Registry all;
  all.layers.assign(std::begin(kLayers), std::end(kLayers));
  for (const char* name : kCells) {
    const CellKernels<float>* cell = k.cell(name);
    if (!cell) throw Error(Code::kInternal, name, "this cell has no kernels.");
    CellEntry entry{name, cell->gates, {}};
    for (const char* state = cell->states; *state; state++) entry.states.emplace_back(1, *state);
    all.cells.push_back(entry);
  }
  for (const char* name : kOptimizers) {
    const OptimizerKernels<float>* optimizer = k.optimizer(name);
    if (!optimizer) throw Error(Code::kInternal, name, "this optimizer has no kernels.");
    all.optimizers.push_back({name, optimizer->moments, optimizer->saves_iterations});
  }
  all.objectives = texts(objective_names());
  all.metrics = texts(metric_names());
  all.activations.assign(std::begin(kActivationNames), std::end(kActivationNames));
  all.constraints = texts(constraint_names());
  return all;
}

}  // namespace hs
