// Adagrad, Duchi, Hazan & Singer 2011, fig. 1 (diagonal). Keras 1.2.2 optimizers.py:288-309:
// epsilon outside the root, no iterations saved.
//   a = a + g^2
//   p = p - lr_t * g / (sqrt(a) + epsilon)
#include "formulas/optimizers/rule.h"

namespace hs {
namespace HS_ISA {

template <class real>
struct Adagrad {
  using V = Vec<real>;
  V lr, epsilon;
  explicit Adagrad(const Hyper& h) : lr(V::set1(real(h.lr_t))), epsilon(V::set1(real(h.epsilon))) {}
  HS_INLINE void step(V& p, V g, V* m) const {
    m[0] = fma(g, g, m[0]);
    p = p - lr * g / (root(m[0]) + epsilon);
  }
};

template <class real>
static bool skip_adagrad(real* const*, int64_t, int64_t, const Hyper&) {
  return true;  // a + 0
}

HS_OPTIMIZER(Adagrad, adagrad, 1, false, skip_adagrad)

}  // namespace HS_ISA
}  // namespace hs
