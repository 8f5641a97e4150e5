// Adam, Kingma & Ba 2014 (arXiv:1412.6980), in the form at the end of section 2: the corrections
// are in the rate, epsilon is outside the root of the uncorrected v. Keras 1.2.2
// optimizers.py:415-446. Moments: m, v. t counts from 1.
//   rate = lr_t * sqrt(1 - beta_2^t) / (1 - beta_1^t)
//   m = beta_1 * m + (1 - beta_1) * g       v = beta_2 * v + (1 - beta_2) * g^2
//   p = p - rate * m / (sqrt(v) + epsilon)
#include "formulas/optimizers/rule.h"

namespace hs {
namespace HS_ISA {

template <class real>
struct Adam {
  using V = Vec<real>;
  V beta_1, rest_1, beta_2, rest_2, rate, epsilon;
  explicit Adam(const Hyper& h)
      : beta_1(V::set1(real(h.beta_1))),
        rest_1(V::set1(real(1) - real(h.beta_1))),
        beta_2(V::set1(real(h.beta_2))),
        rest_2(V::set1(real(1) - real(h.beta_2))),
        rate(V::set1(real(h.lr_t * ::sqrt(one_minus_power<real>(h.beta_2, h.t)) /
                          one_minus_power<real>(h.beta_1, h.t)))),
        epsilon(V::set1(real(h.epsilon))) {}
  HS_INLINE void step(V& p, V g, V* m) const {
    m[0] = fma(rest_1, g, beta_1 * m[0]);
    m[1] = fma(rest_2 * g, g, beta_2 * m[1]);
    p = p - rate * m[0] / (root(m[1]) + epsilon);
  }
};

HS_OPTIMIZER(Adam, adam, 2, true, no_skip)

}  // namespace HS_ISA
}  // namespace hs
