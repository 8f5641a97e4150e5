// SGD with momentum. Keras 1.2.2 optimizers.py:162-190; Nesterov's form as Sutskever et al. 2013,
// eq. 3-4, seen from the looked-ahead point.
//   v = momentum * v - lr_t * g
//   p = p + v                               nesterov: p = p + momentum * v - lr_t * g
#include "formulas/optimizers/rule.h"

namespace hs {
namespace HS_ISA {

template <class real>
struct Sgd {
  using V = Vec<real>;
  V momentum, lr;
  bool nesterov;
  explicit Sgd(const Hyper& h)
      : momentum(V::set1(real(h.momentum))), lr(V::set1(real(h.lr_t))), nesterov(h.nesterov) {}
  HS_INLINE void step(V& p, V g, V* m) const {
    m[0] = fnma(lr, g, momentum * m[0]);
    p = nesterov ? fnma(lr, g, fma(momentum, m[0], p)) : p + m[0];
  }
};

template <class real>
static bool skip_sgd(real* const* moments, int64_t n, int64_t, const Hyper& hyper) {
  if (hyper.momentum != 0) return false;  // p goes on with v
  decay(moments[0], n, 1, 0);
  return true;
}

HS_OPTIMIZER(Sgd, sgd, 1, true, skip_sgd)

}  // namespace HS_ISA
}  // namespace hs
