// Regularizers, Keras 1.2.2 regularizers.py.
//   l1, l2       value l1 * sum|w| + l2 * sum(w^2)     dw += l1 * sign(w) + 2 * l2 * w
//     (no half, sign(0) = 0)
//   eigenvalue   C = w^T w   v_0 = 1, v_i = C v_{i-1}, i = 1..9   lambda = v_9^T C v_9 / v_9^T v_9
//     value = k * sqrt(lambda)
// C is never made: v_i = w^T u_i with u_i = w v_{i-1}. Backward through those steps, from g = d
// value / d lambda:
//   u = w v_9:   du = 2 g u / (v_9^T v_9)   dw += du v_9^T
//     dv_9 = w^T du - 2 g lambda v_9 / (v_9^T v_9)
//   v_i = w^T u_i:   dw += u_i dv_i^T   du_i = w dv_i   dw += du_i v_{i-1}^T   dv_{i-1} = w^T du_i
// lambda does not depend on the length of v_9, so each v_i is scaled to length 1 and the scale
// counts as a constant.
#include "device/cpu/penalties.h"

#include <cmath>

#include "device/cpu/threads/chunks.h"

namespace hs {
namespace {

constexpr int kPowerSteps = 9;  // regularizers.py: power = 9

// out[R] = w[R, C] v[C]
template <typename real>
void times(std::vector<double>& out, const real* w, const std::vector<double>& v, int64_t R,
           int64_t C) {
  out.assign(static_cast<size_t>(R), 0);
  for (int64_t r = 0; r < R; r++) {
    double sum = 0;
    for (int64_t c = 0; c < C; c++) sum += double(w[r * C + c]) * v[size_t(c)];
    out[size_t(r)] = sum;
  }
}

// out[C] = w[R, C]^T u[R]
template <typename real>
void times_transposed(std::vector<double>& out, const real* w, const std::vector<double>& u,
                      int64_t R, int64_t C) {
  out.assign(static_cast<size_t>(C), 0);
  for (int64_t r = 0; r < R; r++) {
    for (int64_t c = 0; c < C; c++) out[size_t(c)] += double(w[r * C + c]) * u[size_t(r)];
  }
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); i++) sum += a[i] * b[i];
  return sum;
}

// dw[R, C] += u[R] v[C]^T
void add_outer(std::vector<double>& dw, const std::vector<double>& u,
               const std::vector<double>& v) {
  for (size_t r = 0; r < u.size(); r++) {
    for (size_t c = 0; c < v.size(); c++) dw[r * v.size() + c] += u[r] * v[c];
  }
}

template <typename real>
double eigenvalue_penalty(double k, const real* w, real* dw, int64_t R, int64_t C) {
  std::vector<double> v[kPowerSteps + 1], u[kPowerSteps + 1];  // v [C], u [R]
  double scale[kPowerSteps + 1] = {};
  v[0].assign(size_t(C), 1.0);
  for (int i = 1; i <= kPowerSteps; i++) {
    times(u[i], w, v[i - 1], R, C);
    times_transposed(v[i], w, u[i], R, C);
    const double length = std::sqrt(dot(v[i], v[i]));
    if (length == 0) return 0;  // w v = 0: the value is 0, and 0 is a subgradient
    scale[i] = 1 / length;
    for (double& element : v[i]) element *= scale[i];
  }
  std::vector<double> last, du, dv;  // [R], [R], [C]
  times(last, w, v[kPowerSteps], R, C);
  const double lambda = dot(last, last);  // v_9 has length 1
  const double value = k * std::sqrt(lambda);
  if (!dw || lambda == 0) return value;

  std::vector<double> sum(size_t(R * C), 0.0);  // [R, C]
  const double g = 0.5 * k / std::sqrt(lambda);
  du = last;
  for (double& element : du) element *= 2 * g;
  add_outer(sum, du, v[kPowerSteps]);
  times_transposed(dv, w, du, R, C);
  for (size_t c = 0; c < dv.size(); c++) dv[c] -= 2 * g * lambda * v[kPowerSteps][c];
  for (int i = kPowerSteps; i >= 1; i--) {
    for (double& element : dv) element *= scale[i];
    add_outer(sum, u[i], dv);
    times(du, w, dv, R, C);
    add_outer(sum, du, v[i - 1]);
    times_transposed(dv, w, du, R, C);
  }
  for (int64_t i = 0; i < R * C; i++) dw[i] += static_cast<real>(sum[size_t(i)]);
  return value;
}

}  // namespace

template <typename real>
double penalize(const Penalty& p, const real* w, real* dw, const Dims& dims, const Table<real>* k) {
  const int64_t n = count(dims);
  double value = 0;
  if (p.l1 != 0)
    value += p.l1 * sum_elements(n, [&](int64_t begin, int64_t end) {
               return k->sum_abs(w + begin, end - begin);
             });
  if (p.l2 != 0)
    value += p.l2 * sum_elements(n, [&](int64_t begin, int64_t end) {
               return k->sum_squares(w + begin, end - begin);
             });
  if (dw && (p.l1 != 0 || p.l2 != 0)) {
    const real l1 = static_cast<real>(p.l1), twice_l2 = static_cast<real>(2 * p.l2);
    for_elements(n, [&](int64_t begin, int64_t end) {
      if (twice_l2 != 0) k->axpy(dw + begin, twice_l2, w + begin, end - begin);
      if (l1 == 0) return;
      for (int64_t i = begin; i < end; i++) dw[i] += w[i] > 0 ? l1 : w[i] < 0 ? -l1 : real(0);
    });
  }
  if (p.eigenvalue != 0) value += eigenvalue_penalty(p.eigenvalue, w, dw, dims[0], dims[1]);
  return value;
}

#define HS_INSTANTIATE(real)                                                      \
  template double penalize<real>(const Penalty&, const real*, real*, const Dims&, \
                                 const Table<real>*);
HS_INSTANTIATE(float)
HS_INSTANTIATE(double)
#undef HS_INSTANTIATE

}  // namespace hs
