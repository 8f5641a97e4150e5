// The numbers that an optimizer's formulas are given.
#pragma once

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

}  // namespace hs
