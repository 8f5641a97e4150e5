// What native code has, by name: made from file names and tables, never written down twice.
#pragma once
#include <string>
#include <vector>

namespace hs {

struct CellEntry {
  std::string name;
  std::string gates;                // "ifgo": order of the columns of W, U, b
  std::vector<std::string> states;  // "h", "c"
};

struct OptimizerEntry {
  std::string name;
  int moments;
  bool saves_iterations;
};

struct Registry {
  std::vector<std::string> layers;
  std::vector<CellEntry> cells;
  std::vector<OptimizerEntry> optimizers;
  std::vector<std::string> objectives, metrics, activations, constraints;
};

Registry registry();  // Throws Error(kInternal) when a name has no kernels.

}  // namespace hs
