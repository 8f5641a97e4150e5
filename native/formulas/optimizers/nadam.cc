// Nadam, Dozat 2015 (CS229 report 054), Adam with Nesterov momentum and a warming schedule. Keras
// 1.2.2 optimizers.py:561-600. Moments: m, v. t counts from 1. The plan keeps the schedule (Hyper):
// momentum_t = mu_t, momentum_t_1 = mu_(t+1), m_schedule = M_t, m_schedule_next = M_(t+1).
//   mu_t = beta_1 * (1 - 0.5 * 0.96^(t * schedule_decay))      M_t = mu_1 * ... * mu_t
//   m = beta_1 * m + (1 - beta_1) * g       v = beta_2 * v + (1 - beta_2) * g^2
//   n = (1 - mu_t) * g / (1 - M_t) + mu_(t+1) * m / (1 - M_(t+1))
//   p = p - lr * n / (sqrt(v / (1 - beta_2^t)) + epsilon)      lr without decay
#include "formulas/optimizers/rule.h"

namespace hs {
namespace HS_ISA {

template <class real>
struct Nadam {
  using V = Vec<real>;
  V beta_1, rest_1, beta_2, rest_2, of_g, of_m, unbias, lr, epsilon;
  explicit Nadam(const Hyper& h)
      : beta_1(V::set1(real(h.beta_1))),
        rest_1(V::set1(real(1) - real(h.beta_1))),
        beta_2(V::set1(real(h.beta_2))),
        rest_2(V::set1(real(1) - real(h.beta_2))),
        of_g(V::set1(real((1 - h.momentum_t) / (1 - h.m_schedule)))),
        of_m(V::set1(real(h.momentum_t_1 / (1 - h.m_schedule_next)))),
        unbias(V::set1(real(1 / one_minus_power<real>(h.beta_2, h.t)))),
        lr(V::set1(real(h.lr))),
        epsilon(V::set1(real(h.epsilon))) {}
  HS_INLINE void step(V& p, V g, V* m) const {
    m[0] = fma(rest_1, g, beta_1 * m[0]);
    m[1] = fma(rest_2 * g, g, beta_2 * m[1]);
    const V n = fma(of_m, m[0], of_g * g);
    p = p - lr * n / (root(m[1] * unbias) + epsilon);
  }
};

HS_OPTIMIZER(Nadam, nadam, 2, true, no_skip)

}  // namespace HS_ISA
}  // namespace hs
