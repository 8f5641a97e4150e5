// Activations over arrays and rows; the functions are in activation.h.
#include "device/cpu/kernels/entries.h"
#include "formulas/activation.h"

namespace hs {
namespace HS_ISA {

template <class real, class F>
static HS_INLINE void map1(real* y, const real* x, int64_t n, F f) {
  using V = Vec<real>;
  int64_t i = 0;
  for (; i + V::lanes <= n; i += V::lanes) f(V::load(x + i)).store(y + i);
  if (i < n) {
    const int left = static_cast<int>(n - i);
    f(V::load_n(x + i, left)).store_n(y + i, left);
  }
}

template <class real, Activation kind>
static void activate_as(real* y, const real* x, int64_t n) {
  map1(y, x, n, [](Vec<real> v) { return activate(kind, v); });
}

template <class real, Activation kind>
static void backward_as(real* dx, const real* kept, const real* dy, int64_t n) {
  using V = Vec<real>;
  int64_t i = 0;
  for (; i + V::lanes <= n; i += V::lanes)
    (V::load(dy + i) * activate_slope(kind, V::load(kept + i))).store(dx + i);
  if (i < n) {
    const int left = static_cast<int>(n - i);
    (V::load_n(dy + i, left) * activate_slope(kind, V::load_n(kept + i, left)))
        .store_n(dx + i, left);
  }
}

// The kind becomes a constant, so that the switch stays outside the loop.
template <class real>
void activate_array(Activation kind, real* y, const real* x, int64_t n) {
  switch (kind) {
#define HS_CASE(name, keras, from) \
  case Activation::name: return activate_as<real, Activation::name>(y, x, n);
    HS_ELEMENTWISE_ACTIVATIONS(HS_CASE)
#undef HS_CASE
    case Activation::kSoftmax: return softmax(y, x, 1, n);
  }
}

template <class real>
void activate_backward(Activation kind, real* dx, const real* kept, const real* dy, int64_t n) {
  switch (kind) {
#define HS_CASE(name, keras, from) \
  case Activation::name: return backward_as<real, Activation::name>(dx, kept, dy, n);
    HS_ELEMENTWISE_ACTIVATIONS(HS_CASE)
#undef HS_CASE
    case Activation::kSoftmax: return softmax_backward(dx, kept, dy, 1, n);
  }
}

template <class real>
static void softmax_row(real* y, const real* x, int64_t K) {
  using V = Vec<real>;
  V high = V::set1(x[0]);
  int64_t k = 0;
  for (; k + V::lanes <= K; k += V::lanes) high = max(high, V::load(x + k));
  real top = reduce_max(high);
  for (; k < K; k++) top = top > x[k] ? top : x[k];
  V sum = V::zero();
  for (k = 0; k + V::lanes <= K; k += V::lanes) {
    V e = exp_(V::load(x + k) - V::set1(top));
    sum = sum + e;
    e.store(y + k);
  }
  if (k < K) {
    const int left = static_cast<int>(K - k);
    exp_(V::load_n(x + k, left) - V::set1(top)).store_n(y + k, left);
    sum = sum + V::load_n(y + k, left);
  }
  const V total = V::set1(reduce_add(sum));
  map1(y, y, K, [total](V e) { return e / total; });
}

template <class real>
void softmax(real* y, const real* x, int64_t rows, int64_t K) {
  if (K == 0) return;
  for (int64_t r = 0; r < rows; r++) softmax_row(y + r * K, x + r * K, K);
}

// dx = y (dy - sum(y dy))
template <class real>
void softmax_backward(real* dx, const real* y, const real* dy, int64_t rows, int64_t K) {
  using V = Vec<real>;
  for (int64_t r = 0; r < rows; r++, dx += K, y += K, dy += K) {
    V sum = V::zero();
    int64_t k = 0;
    for (; k + V::lanes <= K; k += V::lanes) sum = fma(V::load(y + k), V::load(dy + k), sum);
    const int left = static_cast<int>(K - k);
    if (left > 0) sum = fma(V::load_n(y + k, left), V::load_n(dy + k, left), sum);
    const V dot = V::set1(reduce_add(sum));
    for (k = 0; k + V::lanes <= K; k += V::lanes)
      (V::load(y + k) * (V::load(dy + k) - dot)).store(dx + k);
    if (left > 0) (V::load_n(y + k, left) * (V::load_n(dy + k, left) - dot)).store_n(dx + k, left);
  }
}

#define HS_INSTANTIATE(real)                                                                   \
  template void activate_array<real>(Activation, real*, const real*, int64_t);                 \
  template void activate_backward<real>(Activation, real*, const real*, const real*, int64_t); \
  template void softmax<real>(real*, const real*, int64_t, int64_t);                           \
  template void softmax_backward<real>(real*, const real*, const real*, int64_t, int64_t);
HS_INSTANTIATE(float)
HS_INSTANTIATE(double)
#undef HS_INSTANTIATE

}  // namespace HS_ISA
}  // namespace hs
