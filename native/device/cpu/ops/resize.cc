// Zeros added at the ends of rows and columns, steps cut off there, or each step repeated: [T, D]
// or [rows, columns, D].
//   y[i] = x[(i - before) / repeat] where that is inside, else 0; out = before + in * repeat +
//   after; negative ends cut off.
//   backward: dx[j] = sum over the places of j that are left
// Keras 1.2.2 convolutional.py:1290 (UpSampling1D), :1360, :1488 (ZeroPadding1D), :1594, :1710
// (Cropping1D).
#include <algorithm>

#include "base/arena.h"
#include "device/cpu/ops/parts/cpu_layer.h"
#include "device/cpu/ops/parts/matmul.h"
#include "ops/resize.h"

namespace hs {
namespace {

template <typename real>
class Resize final : public ResizeShape, public CpuLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  Resize(const Config& options, const OpContext& context, const Table<real>& k)
      : ResizeShape(options, context), CpuLayer<real>(k) {}

  void forward(Pass<real>& p) override {
    const ResizeAxis rows = axis(p.x_extent[0], 0), columns = axis(p.x_extent[0], 1);
    const int64_t B = p.y_extent.rows, D = p.y_extent.last(), wide = columns.out;
    for_rows(rows.out * B, wide * D, [&](int64_t i0, int64_t i1) {
      for (int64_t i = i0; i < i1; i++) {
        const int64_t r = rows.source(i / B);
        for (int64_t c = 0; c < wide; c++) {
          const int64_t j = r < 0 ? -1 : columns.source(c);
          real* y = p.y + (i * wide + c) * D;  // [D]
          if (j < 0) {
            std::fill_n(y, D, real(0));
          } else {
            std::copy_n(p.x[0] + ((r * B + i % B) * columns.in + j) * D, D, y);
          }
        }
      }
    });
  }

  void backward(Pass<real>& p) override {
    if (!p.dx[0]) return;
    const ResizeAxis rows = axis(p.x_extent[0], 0), columns = axis(p.x_extent[0], 1);
    const int64_t B = p.y_extent.rows, D = p.y_extent.last(), wide = columns.out;
    for_rows(rows.in * B, columns.in * D * rows.repeat * columns.repeat,
             [&](int64_t i0, int64_t i1) {
               for (int64_t i = i0; i < i1; i++) {
                 for (int64_t j = 0; j < columns.in; j++) {
                   real* dx = p.dx[0] + (i * columns.in + j) * D;  // [D]
                   this->k->fill(dx, 0, D);
                   for (int64_t r = rows.first(i / B); r < rows.end(i / B); r++) {
                     for (int64_t c = columns.first(j); c < columns.end(j); c++)
                       this->k->add(dx, p.dy + ((r * B + i % B) * wide + c) * D, D);
                   }
                 }
               }
             });
  }
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_resize(const Config& options, const OpContext& context,
                                         const Table<real>& k) {
  return std::make_unique<Resize<real>>(options, context, k);
}

HS_REGISTER_LAYER(resize)

}  // namespace hs
