// RMSprop, Tieleman & Hinton 2012, lecture 6.5. Keras 1.2.2 optimizers.py:231-254: epsilon outside
// the root, no iterations saved.
//   a = rho * a + (1 - rho) * g^2
//   p = p - lr_t * g / (sqrt(a) + epsilon)
#include "formulas/optimizers/rule.h"

namespace hs {
namespace HS_ISA {

template <class real>
struct RmsProp {
  using V = Vec<real>;
  V rho, one_minus_rho, lr, epsilon;
  explicit RmsProp(const Hyper& h)
      : rho(V::set1(real(h.rho))),
        one_minus_rho(V::set1(real(1) - real(h.rho))),
        lr(V::set1(real(h.lr_t))),
        epsilon(V::set1(real(h.epsilon))) {}
  HS_INLINE void step(V& p, V g, V* m) const {
    m[0] = fma(one_minus_rho * g, g, rho * m[0]);
    p = p - lr * g / (root(m[0]) + epsilon);
  }
};

template <class real>
static bool skip_rmsprop(real* const* moments, int64_t n, int64_t steps, const Hyper& hyper) {
  decay(moments[0], n, steps, hyper.rho);
  return true;
}

HS_OPTIMIZER(RmsProp, rmsprop, 1, false, skip_rmsprop)

}  // namespace HS_ISA
}  // namespace hs
