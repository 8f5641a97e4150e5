// Windows over steps or over rows and columns (formulas/window.h). Backward, too, a place gathers
// from the positions that look at it: no two threads write one number.
#include "device/cuda/kernels/card.h"

HS_KERNELS_BEGIN
#include "device/cuda/kernels/layer_args.h"

namespace hs {
namespace HS_ISA {

template <class real>
static inline void patches(const PatchesArgs<real>& a, int64_t i) {
  const Window& w = a.window;
  const int64_t k = i % a.width, tap = i / a.width % w.taps();
  const int64_t position = a.first + i / a.width / w.taps();
  const int64_t c = position % w.columns.out, rest = position / w.columns.out;
  const int64_t b = rest % w.inner, r = rest / w.inner % w.rows.out;
  const int64_t o = rest / w.inner / w.rows.out;
  const int64_t row = w.rows.at(r, tap / w.columns.taps);
  const int64_t column = w.columns.at(c, tap % w.columns.taps);
  const int64_t line = ((o * w.rows.in + row) * w.inner + b) * w.columns.in;
  a.to[i] = row < 0 || column < 0 ? real(0) : a.from[(line + column) * a.ld + k];
}
HS_KERNEL(patches, PatchesArgs)

template <class real>
static inline void unpatch(const UnpatchArgs<real>& a, int64_t i) {
  const int64_t s = i / a.D / a.B, b = i / a.D % a.B, d = i % a.D;
  real sum = 0;
  for (int64_t j = a.length - 1; j >= 0; j--) {
    const int64_t t = (s - j) / a.stride;
    if (s < j || (s - j) % a.stride != 0 || t >= a.out) continue;
    sum += a.patches[((t * a.B + b) * a.length + j) * a.D + d];
  }
  a.dx[i] = sum;
}
HS_KERNEL(unpatch, UnpatchArgs)

// Place i of a value [rows, B, columns, D].
struct Spot {
  int64_t r, b, c, d;
};
template <class Args>
static inline Spot spot_of(const Args& a, int64_t i, int64_t columns) {
  const int64_t rest = i / a.D;
  return {rest / columns / a.B, rest / columns % a.B, rest % columns, i % a.D};
}
template <class Args>
static inline int64_t place(const Args& a, const Spot& s, int64_t r, int64_t c, int64_t columns) {
  return ((r * a.B + s.b) * columns + c) * a.D + s.d;
}

template <class real>
static inline bool counts(const PoolArgs<real>& a, int64_t step, int64_t b) {
  return !a.mask || a.mask[step * a.B + b] != 0;
}
template <class real>
static inline int64_t real_steps_of(const PoolArgs<real>& a, const Span& steps, int64_t b) {
  if (!a.mask) return steps.size();
  int64_t n = 0;
  for (int64_t t = steps.from; t < steps.to; t++) n += counts(a, t, b);
  return n;
}

template <class real>
static inline void pool(const PoolArgs<real>& a, int64_t i) {
  const Spot s = spot_of(a, i, a.columns.out);
  const Span rs = a.rows.window(s.r), cs = a.columns.window(s.c);
  real y = 0;
  bool first = true;
  for (int64_t r = rs.from; r < rs.to; r++) {
    if (!counts(a, r, s.b)) continue;
    for (int64_t c = cs.from; c < cs.to; c++, first = false) {
      const real x = a.x[place(a, s, r, c, a.columns.in)];
      y = first ? x : !a.max ? y + x : x > y || x != x ? x : y;
    }
  }
  if (!a.max) y *= real(1) / real(real_steps_of(a, rs, s.b) * cs.size());
  a.to[i] = y;
}
HS_KERNEL(pool, PoolArgs)

template <class real>
static inline void pool_slope(const PoolArgs<real>& a, int64_t i) {
  const Spot s = spot_of(a, i, a.columns.in);
  const Span qs = a.rows.seers(s.r), vs = a.columns.seers(s.c);
  real dx = 0;
  for (int64_t q = qs.from; q < qs.to && counts(a, s.r, s.b); q++) {
    const real n = a.max ? real(1) : real(real_steps_of(a, a.rows.window(q), s.b));
    for (int64_t v = vs.from; v < vs.to; v++) {
      const int64_t at = place(a, s, q, v, a.columns.out);
      if (a.max) {
        dx += a.x[i] == a.y[at] ? a.dy[at] : real(0);
      } else {
        dx += real(1) / (n * real(a.columns.window(v).size())) * a.dy[at];
      }
    }
  }
  a.to[i] = dx;
}
HS_KERNEL(pool_slope, PoolArgs)

template <class real>
static inline void resize(const ResizeArgs<real>& a, int64_t i) {
  const Spot s = spot_of(a, i, a.columns.out);
  const int64_t r = a.rows.source(s.r), c = a.columns.source(s.c);
  a.to[i] = r < 0 || c < 0 ? real(0) : a.from[place(a, s, r, c, a.columns.in)];
}
HS_KERNEL(resize, ResizeArgs)

template <class real>
static inline void resize_slope(const ResizeArgs<real>& a, int64_t i) {
  const Spot s = spot_of(a, i, a.columns.in);
  real dx = 0;
  for (int64_t r = a.rows.first(s.r); r < a.rows.end(s.r); r++) {
    for (int64_t c = a.columns.first(s.c); c < a.columns.end(s.c); c++)
      dx += a.from[place(a, s, r, c, a.columns.out)];
  }
  a.to[i] = dx;
}
HS_KERNEL(resize_slope, ResizeArgs)

}  // namespace HS_ISA
}  // namespace hs
HS_KERNELS_END
