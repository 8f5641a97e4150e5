// What the CPU makes of an optimizer: one file of formulas/optimizers/ is one, compiled once per
// instruction set; the file name is the registered name.
#pragma once
#include <cstdint>

#include "formulas/optimizers/hyper.h"

namespace hs {

template <typename real>
struct OptimizerKernels {
  const char* name;
  int moments;            // arrays of the parameter's size kept between steps
  bool saves_iterations;  // whether Keras' optimizer_weights begin with `iterations`
  // p, g, moments[i]: n elements each, all updated in place except g
  void (*update)(real* p, const real* g, real* const* moments, int64_t n, const Hyper& hyper);
  // Applies `steps` updates with gradients of zero to the moments, n elements each; false, with
  // nothing done, where such updates would also change p. nullptr: they always would. No optimizer
  // changes moments of zero by gradients of zero.
  bool (*skip)(real* const* moments, int64_t n, int64_t steps, const Hyper& hyper) = nullptr;
};

}  // namespace hs
