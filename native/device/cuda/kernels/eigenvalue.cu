// Eigenvalue penalties: device/cpu/penalties.cc has the formulas. In double.
#include "device/cuda/kernels/card.h"

HS_KERNELS_BEGIN
#include "device/cuda/kernels/args.h"

namespace hs {
namespace HS_ISA {

template <class real>
static inline void eigen_times(const EigenTimesArgs<real>& a, int64_t r) {
  double sum = 0;
  for (int64_t c = 0; c < a.C; c++) sum += double(a.w[r * a.C + c]) * a.v[c];
  a.out[r] = sum;
}
HS_KERNEL(eigen_times, EigenTimesArgs)

template <class real>
static inline void eigen_back(const EigenBackArgs<real>& a, int64_t c) {
  double sum = 0;
  for (int64_t r = 0; r < a.R; r++) sum += double(a.w[r * a.n + c]) * a.u[r];
  if (a.less) sum -= *a.less * a.v[c];
  a.out[c] = a.scale ? sum * *a.scale : sum;
}
HS_KERNEL(eigen_back, EigenBackArgs)

template <class real>
static inline void eigen_scale(const EigenScaleArgs<real>& a, int64_t) {
  double squares = 0;
  for (int64_t c = 0; c < a.C; c++) squares += a.v[c] * a.v[c];
  const double length = ::sqrt(squares);
  *a.scale = length == 0 ? 0 : 1 / length;
}
HS_KERNEL(eigen_scale, EigenScaleArgs)

template <class real>
static inline void eigen_scaled(const EigenScaledArgs<real>& a, int64_t i) {
  a.y[i] = a.x[i] * *a.scale;
}
HS_KERNEL(eigen_scaled, EigenScaledArgs)

template <class real>
static inline void eigen_value(const EigenValueArgs<real>& a, int64_t) {
  double lambda = 0;
  for (int64_t r = 0; r < a.R; r++) lambda += a.last[r] * a.last[r];
  const double root = ::sqrt(lambda);
  *a.sum += a.k * root;
  *a.twice_g = lambda == 0 ? 0 : a.k / root;
  *a.less = *a.twice_g * lambda;
}
HS_KERNEL(eigen_value, EigenValueArgs)

template <class real>
static inline void eigen_gradient(const EigenGradientArgs<real>& a, int64_t at) {
  const int64_t r = at / a.C, c = at % a.C;
  double sum = a.du[(kPowerSteps + 1) * a.R + r] * a.v[kPowerSteps * a.C + c];
  for (int i = kPowerSteps; i >= 1; i--) {
    sum += a.u[i * a.R + r] * a.dv[i * a.C + c];
    sum += a.du[i * a.R + r] * a.v[(i - 1) * a.C + c];
  }
  a.dw[at] += real(sum);
}
HS_KERNEL(eigen_gradient, EigenGradientArgs)

}  // namespace HS_ISA
}  // namespace hs
HS_KERNELS_END
