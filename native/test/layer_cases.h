// The list of cases of every layer: gradient checks, the comparison of instruction sets and of
// thread counts run over it.
#pragma once
#include <string>
#include <vector>

#include "test/layer_rig.h"

namespace hs {
namespace test {

struct LayerCase {
  std::string layer;  // registered name
  std::string name;   // "dense/softmax"
  Options options;
  std::vector<Extent> x;
  bool masked = false;
  bool indices = false;                 // inputs are word indices: 0 .. 6, no gradient
  bool extent_only = false;             // the second input gives its extent only
  std::vector<std::string> fixed = {};  // parameters that no gradient reaches; positive
  double size = 1;                      // of inputs, parameters and states
};

std::vector<LayerCase> layer_cases();
std::vector<LayerCase> recurrence_cases();
std::vector<LayerCase> window_cases();           // window_cases.cc
std::vector<LayerCase> conv_recurrence_cases();  // window_cases.cc
std::vector<LayerCase> large_window_cases();     // enough work for several threads

// A rig with random parameters, inputs, projection (dy), carried states and mask; the same numbers
// for every real. layer: instead of the registered one that the case names.
template <typename real>
Rig<real> make_rig(const LayerCase&, bool training = true, unsigned seed = 1,
                   std::unique_ptr<Layer<real>> layer = nullptr);

}  // namespace test
}  // namespace hs
