// Adadelta, Zeiler 2012 (arXiv:1212.5701, algorithm 1), epsilon inside both roots; the learning
// rate is Keras' addition (1 is the paper). Keras 1.2.2 optimizers.py:346-377. Moments: a (squared
// gradients), then d (squared updates).
//   a = rho * a + (1 - rho) * g^2
//   u = g * sqrt(d + epsilon) / sqrt(a + epsilon)
//   p = p - lr_t * u
//   d = rho * d + (1 - rho) * u^2
#include "formulas/optimizers/rule.h"

namespace hs {
namespace HS_ISA {

template <class real>
struct Adadelta {
  using V = Vec<real>;
  V rho, one_minus_rho, lr, epsilon;
  explicit Adadelta(const Hyper& h)
      : rho(V::set1(real(h.rho))),
        one_minus_rho(V::set1(real(1) - real(h.rho))),
        lr(V::set1(real(h.lr_t))),
        epsilon(V::set1(real(h.epsilon))) {}
  HS_INLINE void step(V& p, V g, V* m) const {
    m[0] = fma(one_minus_rho * g, g, rho * m[0]);
    const V u = g * root(m[1] + epsilon) / root(m[0] + epsilon);
    p = fnma(lr, u, p);
    m[1] = fma(one_minus_rho * u, u, rho * m[1]);
  }
};

template <class real>
static bool skip_adadelta(real* const* moments, int64_t n, int64_t steps, const Hyper& hyper) {
  for (int i = 0; i < 2; i++) decay(moments[i], n, steps, hyper.rho);
  return true;
}

HS_OPTIMIZER(Adadelta, adadelta, 2, false, skip_adadelta)

}  // namespace HS_ISA
}  // namespace hs
