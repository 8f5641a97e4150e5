// n inputs into one. Keras 1.2.2 topology.py:1373-1415 (Merge): sum, mul, ave, max elementwise;
// concat along an axis of dims (-1: the last; the batch axis is not counted). ('dot' and 'cos':
// dot.cc)
//   sum  dx_i = dy    ave  dx_i = dy / n    mul  dx_i = dy * product of the other x    concat
//     dx_i = its part of dy
//   max  dx_i = dy where x_i is the first of the largest (Theano's Maximum), else 0
// Masks pass by: the graph hands on what its layer says.
#include <algorithm>
#include <cmath>

#include "device/cpu/ops/parts/cpu_layer.h"
#include "device/cpu/ops/parts/matmul.h"
#include "ops/merge.h"

namespace hs {
namespace {

template <typename real>
class Merge final : public MergeShape, public CpuLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  Merge(const Config& options, const OpContext& context, const Table<real>& k)
      : MergeShape(options, context), CpuLayer<real>(k) {}

  void forward(Pass<real>& p) override {
    if (mode_ == MergeMode::kConcat) {
      size_t i = 0;
      parts(p, [&](int64_t outer, int64_t inner, int64_t whole, int64_t from) {
        const real* x = p.x[i++];
        for_rows(outer, inner, [&](int64_t o0, int64_t o1) {
          for (int64_t o = o0; o < o1; o++)
            std::copy_n(x + o * inner, inner, p.y + o * whole + from);
        });
      });
      return;
    }
    for_elements(p.y_extent.size(), [&](int64_t at, int64_t end) {
      const int64_t n = end - at;
      std::copy_n(p.x[0] + at, n, p.y + at);
      for (size_t i = 1; i < p.x.size(); i++) {
        if (mode_ == MergeMode::kMul) {
          this->k->multiply(p.y + at, p.y + at, p.x[i] + at, n);
        } else if (mode_ == MergeMode::kMax) {
          for (int64_t e = at; e < end; e++) {
            const real v = p.x[i][e];
            if (!(p.y[e] >= v)) p.y[e] = std::isnan(p.y[e]) ? p.y[e] : v;  // NaN stays
          }
        } else {
          this->k->add(p.y + at, p.x[i] + at, n);
        }
      }
      if (mode_ == MergeMode::kAve) this->k->scale(p.y + at, real(1) / real(p.x.size()), n);
    });
  }

  void backward(Pass<real>& p) override {
    if (mode_ == MergeMode::kConcat) {
      size_t i = 0;
      parts(p, [&](int64_t outer, int64_t inner, int64_t whole, int64_t from) {
        real* dx = p.dx[i++];
        if (!dx) return;
        for_rows(outer, inner, [&](int64_t o0, int64_t o1) {
          for (int64_t o = o0; o < o1; o++)
            std::copy_n(p.dy + o * whole + from, inner, dx + o * inner);
        });
      });
      return;
    }
    for_elements(p.y_extent.size(), [&](int64_t at, int64_t end) {
      for (size_t i = 0; i < p.x.size(); i++) {
        if (!p.dx[i]) continue;
        real* dx = p.dx[i] + at;
        if (mode_ == MergeMode::kMax) {
          for (int64_t e = at; e < end; e++) p.dx[i][e] = first_largest(p, e) == i ? p.dy[e] : 0;
          continue;
        }
        std::copy_n(p.dy + at, end - at, dx);
        if (mode_ == MergeMode::kAve) this->k->scale(dx, real(1) / real(p.x.size()), end - at);
        for (size_t j = 0; mode_ == MergeMode::kMul && j < p.x.size(); j++) {
          if (j != i) this->k->multiply(dx, dx, p.x[j] + at, end - at);
        }
      }
    });
  }

 private:
  static size_t first_largest(const Pass<real>& p, int64_t e) {
    size_t best = 0;
    for (size_t i = 1; i < p.x.size(); i++) {
      if (p.x[i][e] > p.x[best][e]) best = i;
    }
    return best;
  }

  // fn(outer, inner, whole, from) for each input in order: the input is [outer, inner] in memory,
  // its place in y is [outer, from : from + inner] of [outer, whole].
  template <typename Fn>
  void parts(const Pass<real>& p, const Fn& fn) const {
    const size_t a = axis(p.y_extent.dims);
    int64_t rest = 1;
    for (size_t i = a + 1; i < p.y_extent.dims.size(); i++) rest *= p.y_extent.dims[i];
    if (p.y_extent.sequence() && a == 0)
      rest *= p.y_extent.rows;  // [T, B, ...]: steps lie one after the other
    const int64_t whole = p.y_extent.dims[a] * rest, outer = whole ? p.y_extent.size() / whole : 0;
    int64_t from = 0;
    for (const Extent& x : p.x_extent) {
      const int64_t inner = x.dims[a] * rest;
      fn(outer, inner, whole, from);
      from += inner;
    }
  }
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_merge(const Config& options, const OpContext& context,
                                        const Table<real>& k) {
  return std::make_unique<Merge<real>>(options, context, k);
}

HS_REGISTER_LAYER(merge)

}  // namespace hs
