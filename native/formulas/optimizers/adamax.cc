// Adamax, Kingma & Ba 2014 (arXiv:1412.6980), algorithm 2. Keras 1.2.2 optimizers.py:485-518, which
// adds epsilon to u. Moments: m, u. t counts from 1.
//   rate = lr_t / (1 - beta_1^t)
//   m = beta_1 * m + (1 - beta_1) * g       u = max(beta_2 * u, |g|)
//   p = p - rate * m / (u + epsilon)
#include "formulas/optimizers/rule.h"

namespace hs {
namespace HS_ISA {

template <class real>
struct Adamax {
  using V = Vec<real>;
  V beta_1, rest_1, beta_2, rate, epsilon;
  explicit Adamax(const Hyper& h)
      : beta_1(V::set1(real(h.beta_1))),
        rest_1(V::set1(real(1) - real(h.beta_1))),
        beta_2(V::set1(real(h.beta_2))),
        rate(V::set1(real(h.lr_t / one_minus_power<real>(h.beta_1, h.t)))),
        epsilon(V::set1(real(h.epsilon))) {}
  HS_INLINE void step(V& p, V g, V* m) const {
    m[0] = fma(rest_1, g, beta_1 * m[0]);
    m[1] = max(beta_2 * m[1], abs(g));  // this order lets a NaN gradient through
    p = p - rate * m[0] / (m[1] + epsilon);
  }
};

HS_OPTIMIZER(Adamax, adamax, 2, true, no_skip)

}  // namespace HS_ISA
}  // namespace hs
