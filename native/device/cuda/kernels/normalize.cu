// Normalizations over channels and over rows (device/cpu/ops/{batch,sample}_normalization.cc).
#include "device/cuda/kernels/card.h"

HS_KERNELS_BEGIN
#include "device/cuda/kernels/layer_args.h"

namespace hs {
namespace HS_ISA {

template <class real>
static inline void channel_sums(const ChannelSumsArgs<real>& a, int64_t i) {
  const int64_t c = i % a.C, first = i / a.C * a.each, after = first + a.each;
  const real mean = a.mean ? a.mean[c] : real(0), inverse = a.inverse ? a.inverse[c] : real(0);
  real sum = 0, more = 0;
  for (int64_t e = first; e < after && e < a.count; e++) {
    const int64_t at = (e / a.inner * a.C + c) * a.inner + e % a.inner;
    const real d = a.x[at] - mean;
    if (a.dy) {
      sum += a.dy[at];
      more += a.dy[at] * (d * inverse);
    } else {
      sum += a.mean ? d * d : d;
    }
  }
  a.parts[i] = sum;
  if (a.dy) a.more_parts[i] = more;
}
HS_KERNEL(channel_sums, ChannelSumsArgs)

template <class real>
static inline double sum_of_parts(const real* parts, int64_t blocks, int64_t C, int64_t c) {
  double sum = 0;
  for (int64_t b = 0; b < blocks; b++) sum += double(parts[b * C + c]);
  return sum;
}

template <class real>
static inline void channel_mean(const ChannelMeanArgs<real>& a, int64_t c) {
  a.y[c] = real(a.factor * sum_of_parts(a.parts, a.blocks, a.n, c));
}
HS_KERNEL(channel_mean, ChannelMeanArgs)

template <class real>
static inline void channel_spread(const ChannelSpreadArgs<real>& a, int64_t c) {
  const real variance = real(sum_of_parts(a.parts, a.blocks, a.n, c) / a.count);
  a.inverse[c] = real(1 / ::sqrt(double(variance) + a.epsilon));
  if (!a.next_mean) return;
  const real rest = 1 - a.momentum;
  a.next_mean[c] = a.momentum * a.running_mean[c] + rest * a.mean[c];
  a.next_std[c] = a.momentum * a.running_std[c] + rest * real(double(variance) + a.epsilon);
}
HS_KERNEL(channel_spread, ChannelSpreadArgs)

template <class real>
static inline void normalize(const NormalizeArgs<real>& a, int64_t i) {
  const int64_t c = i / a.inner % a.C;
  const real inverse =
      a.inverse ? a.inverse[c] : real(1 / ::sqrt(double(a.variance[c]) + a.epsilon));
  a.y[i] = (a.x[i] - a.mean[c]) * (a.gamma[c] * inverse) + a.beta[c];
}
HS_KERNEL(normalize, NormalizeArgs)

template <class real>
static inline void normalize_slope(const NormalizeSlopeArgs<real>& a, int64_t i) {
  const int64_t c = i / a.inner % a.C;
  const real inverse = a.inverse[c], beta = real(double(a.dbeta[c]) / a.count),
             gamma = real(double(a.dgamma[c]) / a.count * double(inverse));
  a.dx[i] = a.gamma[c] * inverse * (a.dy[i] - beta - (a.x[i] - a.mean[c]) * gamma);
}
HS_KERNEL(normalize_slope, NormalizeSlopeArgs)

template <class real>
static inline void row_norm(const RowNormArgs<real>& a, int64_t row) {
  const int64_t at = row * a.K;
  double mean = 0, variance = 0;
  for (int64_t k = 0; k < a.K; k++) mean += double(a.x[at + k]);
  mean /= double(a.K);
  for (int64_t k = 0; k < a.K; k++) {
    const double d = double(a.x[at + k]) - mean;
    variance += d * d;
  }
  const double s = ::sqrt(variance / double(a.K) + a.epsilon), q = s + a.epsilon;
  for (int64_t k = 0; k < a.K; k++) {
    const real h = real((double(a.x[at + k]) - mean) / q);
    a.h[at + k] = h;
    a.y[at + k] = a.gamma[k] * h + a.beta[k];
  }
  if (a.s) a.s[row] = real(s);
}
HS_KERNEL(row_norm, RowNormArgs)

template <class real>
static inline void row_norm_slope(const RowNormSlopeArgs<real>& a, int64_t row) {
  const int64_t at = row * a.K;
  const double s = double(a.s[row]), q = s + a.epsilon;
  double g = 0, gh = 0;
  for (int64_t k = 0; k < a.K; k++) {
    const double dh = double(a.gamma[k]) * double(a.dy[at + k]);
    g += dh;
    gh += dh * double(a.h[at + k]);
  }
  g /= double(a.K), gh /= double(a.K);
  for (int64_t k = 0; k < a.K; k++) {
    const double dh = double(a.gamma[k]) * double(a.dy[at + k]);
    a.dx[at + k] = real((dh - g) / q - double(a.h[at + k]) * gh / s);
  }
}
HS_KERNEL(row_norm_slope, RowNormSlopeArgs)

}  // namespace HS_ISA
}  // namespace hs
HS_KERNELS_END
