// What a card makes of an optimizer: a kernel, and for the host a function that makes the numbers
// of its rule from Hyper. Included by formulas/optimizers/rule.h.
#pragma once
#include "device/cuda/kernels/args.h"

#if defined(HS_CUDA_HOST)
#include "device/cuda/rules.h"

namespace hs {
namespace HS_ISA {

template <class Rule>
static void make_rule(const Hyper& hyper, void* to) {
  new (to) Rule(hyper);
}

#define HS_OPTIMIZER(Rule, name, moments, saves_iterations, skip)                         \
  extern constexpr CudaOptimizer name##_cuda_f32 = {#name, moments, sizeof(Rule<float>),  \
                                                    make_rule<Rule<float>>};              \
  extern constexpr CudaOptimizer name##_cuda_f64 = {#name, moments, sizeof(Rule<double>), \
                                                    make_rule<Rule<double>>};

}  // namespace HS_ISA
}  // namespace hs

#else
#include "device/cuda/kernels/card.h"

namespace hs {
namespace HS_ISA {

template <template <class> class Rule, class real, int kMoments>
static HS_INLINE void update(const UpdateArgs<real>& a, int64_t i) {
  using V = Vec<real>;
  const ParamChunk chunk = a.chunks[i / kChunkElements];
  if (*a.finite == 0 || i % kChunkElements >= chunk.count) return;
  const int64_t at = chunk.offset + i % kChunkElements;
  V x = {a.values[at]}, m[kMoments];
  for (int k = 0; k < kMoments; k++) m[k] = {a.moments[k * a.stride + at]};
  static_cast<const Rule<real>*>(a.rule)->step(x, V{a.grads[at]}, m);
  for (int k = 0; k < kMoments; k++) a.moments[k * a.stride + at] = m[k].v;
  a.values[at] = x.v;
}

#define HS_OPTIMIZER(Rule, name, moments, saves_iterations, skip)             \
  template <class real>                                                       \
  static HS_INLINE void update_##name(const UpdateArgs<real>& a, int64_t i) { \
    update<Rule, real, moments>(a, i);                                        \
  }                                                                           \
  HS_KERNEL(update_##name, UpdateArgs)

}  // namespace HS_ISA
}  // namespace hs
#endif
