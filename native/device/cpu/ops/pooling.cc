// The largest or the mean element under a window over [T, D] or [rows, columns, D]; a size of 0
// takes the whole axis. Keras 1.2.2 theano_backend.py:1718-1783 (pool2d on Theano), pooling.py.
//   'same' pads both sides by size - 2 (odd sizes above 2) or size - 1, and keeps ceil(T / stride)
//   windows from the left on.
//   'same_tf' pads as TensorFlow does (convolve.h)
//   ave
//     divides by the elements that are there, not by padding; with a mask, by the real steps alone
//     (none: 0/0)
//   max
//     backward: every element that equals the maximum gets the whole gradient (Theano's
//     MaxPoolGrad), ties included
#include <algorithm>
#include <initializer_list>
#include <string>

#include "device/cpu/ops/parts/convolve.h"
#include "device/cpu/ops/parts/cpu_layer.h"
#include "device/cpu/ops/parts/matmul.h"
#include "ops/pooling.h"

namespace hs {
namespace {

template <typename real>
class Pooling final : public PoolingShape, public CpuLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  Pooling(const Config& options, const OpContext& context, const Table<real>& k)
      : PoolingShape(options, context), CpuLayer<real>(k) {}

  void forward(Pass<real>& p) override {
    const PoolAxis rows = axis(p.x_extent[0], 0), columns = axis(p.x_extent[0], 1);
    const int64_t B = p.y_extent.rows, D = p.y_extent.last(), line = columns.out * D;
    for_rows(rows.out * B, line * rows.size * columns.size, [&](int64_t i0, int64_t i1) {
      for (int64_t i = i0; i < i1; i++) {
        const Span rs = rows.window(i / B);
        for (int64_t c = 0; c < columns.out; c++) {
          const Span cs = columns.window(c);
          real* y = p.y + i * line + c * D;  // [D]
          bool first = true;
          for (int64_t r = rs.from; r < rs.to; r++) {
            if (!counts(p, r, i % B)) continue;
            for (int64_t j = cs.from; j < cs.to; j++, first = false) {
              const real* x = p.x[0] + ((r * B + i % B) * columns.in + j) * D;  // [D]
              if (first) {
                std::copy_n(x, D, y);
              } else if (max_) {
                for (int64_t d = 0; d < D; d++) y[d] = x[d] > y[d] || x[d] != x[d] ? x[d] : y[d];
              } else {
                this->k->add(y, x, D);
              }
            }
          }
          if (first) this->k->fill(y, 0, D);
          if (!max_) this->k->scale(y, real(1) / real(count(p, rs, i % B) * cs.size()), D);
        }
      }
    });
  }

  void backward(Pass<real>& p) override {
    if (!p.dx[0]) return;
    const PoolAxis rows = axis(p.x_extent[0], 0), columns = axis(p.x_extent[0], 1);
    const int64_t B = p.y_extent.rows, D = p.y_extent.last(), line = columns.in * D;
    for_rows(rows.in * B, line * rows.size * columns.size, [&](int64_t i0, int64_t i1) {
      for (int64_t i = i0; i < i1; i++) {
        const Span qs = rows.seers(i / B);
        for (int64_t c = 0; c < columns.in; c++) {
          const Span vs = columns.seers(c);
          real* dx = p.dx[0] + i * line + c * D;      // [D]
          const real* x = p.x[0] + i * line + c * D;  // [D]
          this->k->fill(dx, 0, D);
          if (!counts(p, i / B, i % B)) continue;
          for (int64_t q = qs.from; q < qs.to; q++) {
            for (int64_t v = vs.from; v < vs.to; v++) {
              const int64_t at = ((q * B + i % B) * columns.out + v) * D;
              const real *y = p.y + at, *dy = p.dy + at;  // [D]
              if (max_) {
                for (int64_t d = 0; d < D; d++) dx[d] += x[d] == y[d] ? dy[d] : real(0);
              } else {
                const int64_t n = count(p, rows.window(q), i % B) * columns.window(v).size();
                this->k->axpy(dx, real(1) / real(n), dy, D);
              }
            }
          }
        }
      }
    });
  }

 private:
  // Whether a step of a sample is real.
  static bool counts(const Pass<real>& p, int64_t step, int64_t b) {
    return !p.mask || p.mask[step * p.y_extent.rows + b] != 0;
  }
  static int64_t count(const Pass<real>& p, const Span& steps, int64_t b) {
    if (!p.mask) return steps.size();
    int64_t n = 0;
    for (int64_t t = steps.from; t < steps.to; t++) n += counts(p, t, b);
    return n;
  }
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_pooling(const Config& options, const OpContext& context,
                                          const Table<real>& k) {
  return std::make_unique<Pooling<real>>(options, context, k);
}

HS_REGISTER_LAYER(pooling)

}  // namespace hs
