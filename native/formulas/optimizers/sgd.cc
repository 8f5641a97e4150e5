// SGD with momentum. Keras 1.2.2 optimizers.py:162-190; Nesterov's form as Sutskever et al. 2013,
// eq. 3-4, seen from the looked-ahead point.
//   v = momentum * v - lr_t * g
//   p = p + v                               nesterov: p = p + momentum * v - lr_t * g
#include "device/cpu/kernels/optimizer_loop.h"

namespace hs {
namespace HS_ISA {

template <class real, bool nesterov>
struct SgdRule {
  using V = Vec<real>;
  V momentum, lr;
  explicit SgdRule(const Hyper& h)
      : momentum(V::set1(real(h.momentum))), lr(V::set1(real(h.lr_t))) {}
  HS_INLINE void step(V& p, V g, V* m) const {
    m[0] = fnma(lr, g, momentum * m[0]);
    p = nesterov ? fnma(lr, g, fma(momentum, m[0], p)) : p + m[0];
  }
};
template <class real>
using Sgd = SgdRule<real, false>;
template <class real>
using SgdNesterov = SgdRule<real, true>;

template <class real>
static void update_sgd(real* p, const real* g, real* const* moments, int64_t n,
                       const Hyper& hyper) {
  if (hyper.nesterov) {
    update<SgdNesterov, real, 1>(p, g, moments, n, hyper);
  } else {
    update<Sgd, real, 1>(p, g, moments, n, hyper);
  }
}

template <class real>
static bool skip_sgd(real* const* moments, int64_t n, int64_t, const Hyper& hyper) {
  if (hyper.momentum != 0) return false;  // p goes on with v
  decay(moments[0], n, 1, 0);
  return true;
}

extern constexpr OptimizerKernels<float> sgd_f32 = {"sgd", 1, true, update_sgd<float>,
                                                    skip_sgd<float>};
extern constexpr OptimizerKernels<double> sgd_f64 = {"sgd", 1, true, update_sgd<double>,
                                                     skip_sgd<double>};

}  // namespace HS_ISA
}  // namespace hs
