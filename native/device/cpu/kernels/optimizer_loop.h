// The loop that all optimizers share. A rule is made of Hyper once a call, and updates one vector:
//   template <class real> struct Adam {
//     explicit Adam(const Hyper&);
//     void step(V& p, V g, V* m) const;  // m[i] is moment i
//   };
// It rounds hyperparameters to `real` first, as Keras keeps them in variables of floatx.
#pragma once
#include "device/cpu/kernels/optimizer.h"
#include "device/cpu/kernels/vec.h"

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
