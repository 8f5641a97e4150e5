// The optimizer seam: one file per optimizer, compiled once per instruction set; the file name is
// the registered name.
#pragma once
#include <cstdint>

namespace hs {

// Everything a step needs beside the arrays; computed once per batch by the plan from the options
// of lib/optimizers/classes.ts.
struct Hyper {
  double lr = 0;  // as set by the user; lr_t below has decay applied: lr / (1 + decay * iterations)
  double lr_t = 0;
  double momentum = 0, rho = 0, beta_1 = 0, beta_2 = 0, epsilon = 1e-8, schedule_decay = 0;
  bool nesterov = false;
  double t = 1;                                                                  // iterations + 1
  double m_schedule = 1, m_schedule_next = 1, momentum_t = 0, momentum_t_1 = 0;  // Nadam
};

template <typename real>
struct OptimizerKernels {
  const char* name;
  int moments;            // arrays of the parameter's size kept between steps
  bool saves_iterations;  // whether Keras' optimizer_weights begin with `iterations`
  // p, g, moments[i]: n elements each, all updated in place except g
  void (*update)(real* p, const real* g, real* const* moments, int64_t n, const Hyper& hyper);
  // What `steps` updates with gradients of zero make of the moments, n elements each, where such
  // leave p as it is. False, with nothing done: here they do not. nullptr: they never do. For all
  // of them zero moments and a zero gradient change nothing.
  bool (*rest)(real* const* moments, int64_t n, int64_t steps, const Hyper& hyper) = nullptr;
};

}  // namespace hs
