// The loop that all optimizers share on the CPU. Included by formulas/optimizers/rule.h.
#pragma once
#include "device/cpu/kernels/optimizer.h"

namespace hs {
namespace HS_ISA {

template <template <class> class Rule, class real, int kMoments>
static void update(real* p, const real* g, real* const* moments, int64_t n, const Hyper& hyper) {
  using V = Vec<real>;
  const Rule<real> rule(hyper);
  V m[kMoments];
  int64_t i = 0;
  for (; i + V::lanes <= n; i += V::lanes) {
    V x = V::load(p + i);
    for (int k = 0; k < kMoments; k++) m[k] = V::load(moments[k] + i);
    rule.step(x, V::load(g + i), m);
    for (int k = 0; k < kMoments; k++) m[k].store(moments[k] + i);
    x.store(p + i);
  }
  if (i < n) {
    const int left = static_cast<int>(n - i);
    V x = V::load_n(p + i, left);
    for (int k = 0; k < kMoments; k++) m[k] = V::load_n(moments[k] + i, left);
    rule.step(x, V::load_n(g + i, left), m);
    for (int k = 0; k < kMoments; k++) m[k].store_n(moments[k] + i, left);
    x.store_n(p + i, left);
  }
}

#define HS_OPTIMIZER(Rule, name, moments, saves_iterations, skip)                   \
  extern constexpr OptimizerKernels<float> name##_f32 = {                           \
      #name, moments, saves_iterations, update<Rule, float, moments>, skip<float>}; \
  extern constexpr OptimizerKernels<double> name##_f64 = {                          \
      #name, moments, saves_iterations, update<Rule, double, moments>, skip<double>};

}  // namespace HS_ISA
}  // namespace hs
