// What an optimizer's file is written with. A rule is made of Hyper once an update, and updates one
// vector:
//   template <class real> struct Adam {
//     explicit Adam(const Hyper&);
//     void step(V& p, V g, V* m) const;  // m[i] is moment i
//   };
// It rounds hyperparameters to `real` first, as Keras keeps them in variables of floatx. The last
// line of the file is
//   HS_OPTIMIZER(Rule, name, moments, saves_iterations, skip)
// moments: arrays of a parameter's size; saves_iterations: whether Keras' optimizer_weights begin
// with `iterations`; skip: as OptimizerKernels::skip, or no_skip.
#pragma once
#include <cstdint>

#include "formulas/optimizers/hyper.h"
#include "formulas/vec.h"

namespace hs {
namespace HS_ISA {

template <class real>
constexpr bool (*no_skip)(real* const*, int64_t, int64_t, const Hyper&) = nullptr;

// x *= factor, `steps` times, as updates would.
template <class real>
static void decay(real* x, int64_t n, int64_t steps, double factor) {
  using V = Vec<real>;
  constexpr int kVectors = 4;
  const V f = V::set1(real(factor));
  int64_t i = 0;
  for (; i + kVectors * V::lanes <= n; i += kVectors * V::lanes) {
    V v[kVectors];
    for (int j = 0; j < kVectors; j++) v[j] = V::load(x + i + j * V::lanes);
    for (int64_t step = 0; step < steps; step++)
      for (int j = 0; j < kVectors; j++) v[j] = f * v[j];
    for (int j = 0; j < kVectors; j++) v[j].store(x + i + j * V::lanes);
  }
  while (i < n) {
    const int left = n - i < V::lanes ? static_cast<int>(n - i) : V::lanes;
    V v = V::load_n(x + i, left);
    for (int64_t step = 0; step < steps; step++) v = f * v;
    v.store_n(x + i, left);
    i += left;
  }
}

// Keras' K.sqrt: theano_backend.py:378 clips at 0. A NaN stays one.
template <class V>
static HS_INLINE V root(V x) {
  return sqrt(max(V::zero(), x));
}

// 1 - beta^t for a beta rounded to `real`, in double.
template <class real>
static inline double one_minus_power(double beta, double t) {
  return 1.0 - ::pow(static_cast<double>(static_cast<real>(beta)), t);
}

}  // namespace HS_ISA
}  // namespace hs

#if defined(HS_CUDA)
#include "device/cuda/kernels/optimizer.h"
#else
#include "device/cpu/kernels/optimizer_loop.h"
#endif
