// Noise, and activations with parameters.
#include "device/cuda/kernels/card.h"

HS_KERNELS_BEGIN
#include "device/cuda/kernels/layer_args.h"
#include "formulas/activation.h"
#include "formulas/parametric.h"
#include "formulas/philox.h"
#include "formulas/turn.h"

namespace hs {
namespace HS_ISA {

template <class real>
static inline void noise(const NoiseArgs<real>& a, int64_t i) {
  uint32_t word[4];
  philox(word, a.seed, *a.step, a.stream, uint64_t(i));
  double normal[4];
  two_normal(word[0], word[1], normal);
  two_normal(word[2], word[3], normal + 2);
  for (int j = 0; j < 4 && 4 * i + j < a.count; j++) {
    const int64_t at = 4 * i + j;
    const real drawn = a.sigma * real(normal[j]);
    if (a.noise) a.noise[at] = 1 + drawn;
    a.y[at] = a.noise ? a.x[at] * (1 + drawn) : a.x[at] + drawn;
  }
}
HS_KERNEL(noise, NoiseArgs)

// The place in a sample of element i.
template <class Args>
static inline int64_t in_sample(const Args& a, int64_t i) {
  return i / (a.R * a.B) * a.R + i % a.R;
}

template <class real>
static inline void bend(const BendArgs<real>& a, int64_t i) {
  const int64_t j = in_sample(a, i);
  const real x = a.x[i];
  switch (static_cast<Parametric>(a.kind)) {
    case Parametric::kLeakyRelu: a.y[i] = leaky_relu(x, a.a); break;
    case Parametric::kElu: a.y[i] = scaled_elu(x, a.a, elu_(Vec<real>{x}).v); break;
    case Parametric::kRelu: a.y[i] = bounded_relu(x, a.a, a.threshold, a.max); break;
    case Parametric::kThresholdedRelu: a.y[i] = thresholded_relu(x, a.a); break;
    case Parametric::kPrelu: a.y[i] = leaky_relu(x, a.p[0][j]); break;
    case Parametric::kParametricSoftplus:
      a.y[i] = a.p[0][j] * softplus_(Vec<real>{a.p[1][j] * x}).v;
      break;
    case Parametric::kSrelu: a.y[i] = srelu(x, a.p[0][j], a.p[1][j], a.p[2][j], a.p[3][j]); break;
  }
}
HS_KERNEL(bend, BendArgs)

template <class real>
static inline void bend_slope(const BendSlopeArgs<real>& a, int64_t i) {
  const int64_t j = in_sample(a, i);
  const real x = a.x[i], dy = a.dy[i];
  real dx = 0;
  switch (static_cast<Parametric>(a.kind)) {
    case Parametric::kLeakyRelu: dx = leaky_relu_dx(x, a.a, dy); break;
    case Parametric::kElu: dx = scaled_elu_dx(x, a.a, a.y[i], dy); break;
    case Parametric::kRelu: dx = bounded_relu_dx(x, a.a, a.threshold, a.max, dy); break;
    case Parametric::kThresholdedRelu: dx = thresholded_relu_dx(x, a.a, dy); break;
    case Parametric::kPrelu:
      dx = leaky_relu_dx(x, a.p[0][j], dy);
      a.dp[0][i] = prelu_dalpha(x, dy);
      break;
    case Parametric::kParametricSoftplus: {
      const Vec<real> s = softplus_(Vec<real>{a.p[1][j] * x});
      const real dz = dy * a.p[0][j] * activate_slope(Activation::kSoftplus, s).v;
      a.dp[0][i] = dy * s.v;
      a.dp[1][i] = dz * x;
      dx = dz * a.p[1][j];
      break;
    }
    case Parametric::kSrelu: {
      const SreluSlopes<real> d = srelu_slopes(x, a.p[0][j], a.p[1][j], a.p[2][j], a.p[3][j], dy);
      a.dp[0][i] = d.dt_left, a.dp[1][i] = d.da_left;
      a.dp[2][i] = d.dt_right, a.dp[3][i] = d.da_right;
      dx = d.dx;
      break;
    }
  }
  if (a.dx) a.dx[i] = dx;
}
HS_KERNEL(bend_slope, BendSlopeArgs)

}  // namespace HS_ISA
}  // namespace hs
HS_KERNELS_END
