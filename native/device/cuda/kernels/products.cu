// What ops do around their products: Highway, Maxout, products of samples and their cosines.
#include "device/cuda/kernels/card.h"

HS_KERNELS_BEGIN
#include "device/cuda/kernels/layer_args.h"
#include "formulas/bfloat16.h"
#include "formulas/vec.h"

namespace hs {
namespace HS_ISA {

template <class real>
static inline void to_bfloat16(const ToBfloat16Args<real>& a, int64_t i) {
  a.to[i] = uint16_t(bfloat16_bits(float(a.x[i])) >> 16);
}
HS_KERNEL(to_bfloat16, ToBfloat16Args)

template <class real>
static inline void highway(const HighwayArgs<real>& a, int64_t i) {
  a.y[i] = a.h[i] * a.t[i] + (1 - a.t[i]) * a.x[i];
}
HS_KERNEL(highway, HighwayArgs)

template <class real>
static inline void highway_slope(const HighwaySlopeArgs<real>& a, int64_t i) {
  const real dy = a.dy[i], t = a.t[i];
  if (a.dx) a.dx[i] = dy * (1 - t);
  a.dh[i] = dy * t;
  a.dt[i] = dy * (a.h[i] - a.x[i]);
}
HS_KERNEL(highway_slope, HighwaySlopeArgs)

template <class real>
static inline void maxout(const MaxoutArgs<real>& a, int64_t i) {
  real y = a.z[i];
  for (int64_t f = 1; f < a.F; f++) {
    const real z = a.z[f * a.n + i];
    y = z <= y ? y : z;
  }
  a.y[i] = y;
}
HS_KERNEL(maxout, MaxoutArgs)

template <class real>
static inline void maxout_slope(const MaxoutSlopeArgs<real>& a, int64_t i) {
  a.dz[i] = a.z[i] == a.y[i] ? a.dy[i] : real(0);
}
HS_KERNEL(maxout_slope, MaxoutSlopeArgs)

template <class real>
static inline real& element(const SampleMatrix<real>& m, int64_t b, int64_t i, int64_t j) {
  return m.data[b * m.sample + m.row[i] + m.column[j]];
}

template <class real>
static inline void sample_product(const SampleProductArgs<real>& p, int64_t at) {
  const int64_t b = at / p.J / p.I, i = at / p.J % p.I, j = at % p.J;
  const auto operand = [&](real x) { return p.rounds ? real(bfloat16(float(x))) : x; };
  real sum = 0;
  for (int64_t l = 0; l < p.L; l++)
    sum += operand(element(p.a, b, i, l)) * operand(element(p.b, b, j, l));
  real& c = element(p.c, b, i, j);
  c = p.adds ? c + sum : sum;
}
HS_KERNEL(sample_product, SampleProductArgs)

template <class real>
static inline real cosine_root(real G1, real G2) {
  const real square = G1 * G2;
  return sqrt(Vec<real>{square < 0 ? real(0) : square}).v;
}

template <class real>
static inline void cosine(const CosineArgs<real>& a, int64_t at) {
  const real r = cosine_root(a.G1[at], a.G2[at]);
  element(a.y, at / a.J / a.I, at / a.J % a.I, at % a.J) =
      a.C[at] / (r < a.epsilon ? a.epsilon : r);
}
HS_KERNEL(cosine, CosineArgs)

template <class real>
static inline void cosine_slope(const CosineSlopeArgs<real>& a, int64_t at) {
  const real G1 = a.G1[at], G2 = a.G2[at], r = cosine_root(G1, G2);
  const real d = r < a.epsilon ? a.epsilon : r;
  const real dy = element(a.dy, at / a.J / a.I, at / a.J % a.I, at % a.J);
  const real h = r >= a.epsilon ? -dy * a.C[at] / (d * d * 2 * r) : real(0);
  a.G1[at] = h * G2, a.G2[at] = h * G1;
  a.dC[at] = dy / d;
}
HS_KERNEL(cosine_slope, CosineSlopeArgs)

}  // namespace HS_ISA
}  // namespace hs
HS_KERNELS_END
