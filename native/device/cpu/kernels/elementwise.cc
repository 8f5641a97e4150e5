// Elementwise work: whole vectors, then one partial vector. Every element is computed alike
// wherever it lies.
#include "device/cpu/kernels/entries.h"
#include "formulas/vec.h"

namespace hs {
namespace HS_ISA {

// y[i] = f(loads...) for all i; f gets a loader, so that one loop serves any number of inputs.
template <class real, class F>
static HS_INLINE void map(real* y, int64_t n, F f) {
  using V = Vec<real>;
  int64_t i = 0;
  for (; i + V::lanes <= n; i += V::lanes)
    f([i](const real* p) { return V::load(p + i); }).store(y + i);
  if (i < n) {
    const int left = static_cast<int>(n - i);
    f([i, left](const real* p) { return V::load_n(p + i, left); }).store_n(y + i, left);
  }
}

template <class real>
void fill(real* y, real a, int64_t n) {
  map(y, n, [a](auto) { return Vec<real>::set1(a); });
}

template <class real>
void add(real* y, const real* x, int64_t n) {
  map(y, n, [=](auto at) { return at(y) + at(x); });
}

template <class real>
void axpy(real* y, real a, const real* x, int64_t n) {
  map(y, n, [=](auto at) { return fma(Vec<real>::set1(a), at(x), at(y)); });
}

template <class real>
void scale(real* y, real a, int64_t n) {
  map(y, n, [=](auto at) { return at(y) * Vec<real>::set1(a); });
}

template <class real>
void multiply(real* z, const real* x, const real* y, int64_t n) {
  map(z, n, [=](auto at) { return at(x) * at(y); });
}

template <class real>
void multiply_add(real* z, const real* x, const real* y, int64_t n) {
  map(z, n, [=](auto at) { return fma(at(x), at(y), at(z)); });
}

template <class real>
void broadcast_rows(real* y, const real* b, int64_t rows, int64_t K) {
  for (int64_t r = 0; r < rows; r++) map(y + r * K, K, [=](auto at) { return at(b); });
}

template <class real, class F>
static HS_INLINE void map_two(real* y, const real* a, const real* b, bool one, int64_t n, F f) {
  if (one) {
    const Vec<real> number = Vec<real>::set1(*b);
    map(y, n, [=](auto at) { return f(at(a), number); });
  } else {
    map(y, n, [=](auto at) { return f(at(a), at(b)); });
  }
}

template <class real>
void binary(Binary kind, real* y, const real* a, const real* b, bool one, int64_t n) {
  using V = Vec<real>;
  switch (kind) {
    case Binary::kAdd: return map_two(y, a, b, one, n, [](V x, V z) { return x + z; });
    case Binary::kSub: return map_two(y, a, b, one, n, [](V x, V z) { return x - z; });
    case Binary::kMul: return map_two(y, a, b, one, n, [](V x, V z) { return x * z; });
    case Binary::kDiv: return map_two(y, a, b, one, n, [](V x, V z) { return x / z; });
    case Binary::kMax: return map_two(y, a, b, one, n, [](V x, V z) { return max(x, z); });
    case Binary::kMin: return map_two(y, a, b, one, n, [](V x, V z) { return min(x, z); });
  }
}

template <class real>
void clip(real* y, real low, real high, int64_t n) {  // a NaN stays one
  using V = Vec<real>;
  map(y, n, [=](auto at) { return min(V::set1(high), max(V::set1(low), at(y))); });
}

#define HS_INSTANTIATE(real)                                                          \
  template void fill<real>(real*, real, int64_t);                                     \
  template void add<real>(real*, const real*, int64_t);                               \
  template void axpy<real>(real*, real, const real*, int64_t);                        \
  template void scale<real>(real*, real, int64_t);                                    \
  template void multiply<real>(real*, const real*, const real*, int64_t);             \
  template void multiply_add<real>(real*, const real*, const real*, int64_t);         \
  template void broadcast_rows<real>(real*, const real*, int64_t, int64_t);           \
  template void binary<real>(Binary, real*, const real*, const real*, bool, int64_t); \
  template void clip<real>(real*, real, real, int64_t);
HS_INSTANTIATE(float)
HS_INSTANTIATE(double)
#undef HS_INSTANTIATE

}  // namespace HS_ISA
}  // namespace hs
