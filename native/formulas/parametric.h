// Elementwise activations with a constant or with parameters, one element each
// (device/cpu/ops/parametric_activation.cc has the formulas as mathematics). x: the input, dy: the
// gradient of the output. NaN stays NaN.
#pragma once

namespace hs {

enum class Parametric : int {
  kLeakyRelu,
  kElu,
  kRelu,
  kThresholdedRelu,
  kPrelu,
  kParametricSoftplus,
  kSrelu,
};

template <class real>
inline real leaky_relu(real x, real a) {
  return x > 0 ? x : a * x;
}
template <class real>
inline real leaky_relu_dx(real x, real a, real dy) {
  return x > 0 ? dy : a * dy;
}

// e: e^x - 1 where x <= 0
template <class real>
inline real scaled_elu(real x, real a, real e) {
  return x > 0 ? e : a * e;
}
template <class real>
inline real scaled_elu_dx(real x, real a, real y, real dy) {
  return x > 0 ? dy : dy * (y + a);
}

// The comparisons are so that a NaN stays one.
template <class real>
inline real bounded_relu(real x, real a, real threshold, real max) {
  return !(x < threshold) ? (x >= max ? max : x) : a * (x - threshold);
}
template <class real>
inline real bounded_relu_dx(real x, real a, real threshold, real max, real dy) {
  const real slope = !(x <= threshold) ? real(!(x >= max)) : a;
  return slope * dy;
}

template <class real>
inline real thresholded_relu(real x, real theta) {
  return x * real(x > theta);
}
template <class real>
inline real thresholded_relu_dx(real x, real theta, real dy) {
  return dy * real(x > theta);
}

template <class real>
inline real prelu_dalpha(real x, real dy) {
  return x > 0 ? real(0) : dy * x;
}

template <class real>
inline real magnitude(real x) {
  return x > 0 ? x : 0 - x;
}

template <class real>
inline real srelu(real x, real t_left, real a_left, real t_right, real a_right) {
  const real r = t_left + magnitude(t_right), u = x - t_left, v = x - r, w = r - t_left;
  const real l = u > 0 ? u : a_left * u;
  return t_left + (w < l ? w : l) + (v <= 0 ? real(0) : v) * a_right;
}

template <class real>
struct SreluSlopes {
  real dx, dt_left, da_left, dt_right, da_right;
};
template <class real>
inline SreluSlopes<real> srelu_slopes(real x, real t_left, real a_left, real t_right, real a_right,
                                      real dy) {
  const real r = t_left + magnitude(t_right), w = r - t_left;
  const real u = x - t_left, v = x - r, l = u > 0 ? u : a_left * u;
  const real dl = l <= w ? dy : real(0), dw = l >= w ? dy : real(0);
  const real du = u > 0 ? dl : dl * a_left, dv = v > 0 ? dy * a_right : real(0);
  return {du + dv, dy - du - dv, u > 0 ? real(0) : dl * u,
          t_right > 0   ? dw - dv
          : t_right < 0 ? dv - dw
                        : real(0),
          v > 0 ? dy * v : real(0)};
}

}  // namespace hs
