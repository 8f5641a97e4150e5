// Zeros added at the ends of rows and columns, steps cut off there, or each step repeated: [T, D] or [rows, columns, D].
//   y[i] = x[(i - before) / repeat] where that is inside, else 0; out = before + in * repeat + after; negative ends cut off.
//   backward: dx[j] = sum over the places of j that are left
// Keras 1.2.2 convolutional.py:1290 (UpSampling1D), :1360, :1488 (ZeroPadding1D), :1594, :1710 (Cropping1D).
#include <algorithm>

#include "base/arena.h"
#include "layers/cpu_layer.h"
#include "layers/matmul.h"

namespace hs {
namespace {

struct ResizeAxis {
  int64_t in, before, after, repeat;

  int64_t out() const { return before + checked_count({in, repeat}, "resize") + after; }
  int64_t source(int64_t i) const {  // -1: none
    const int64_t j = i - before;
    return j >= 0 && j < in * repeat ? j / repeat : -1;
  }
  int64_t first(int64_t j) const { return std::max<int64_t>(0, j * repeat + before); }
  int64_t end(int64_t j) const { return std::min(out(), (j + 1) * repeat + before); }
};

template <typename real>
class Resize final : public OpShape, public CpuLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  Resize(const Config& options, const OpContext& context, const Table<real>& k)
      : OpShape(context),
        CpuLayer<real>(k),
        before_(options.dims("before")),
        after_(options.dims("after")),
        repeat_(options.dims("repeat")) {}

  Extent output(const std::vector<Extent>& x) const override {
    const size_t axes = x[0].dims.size();
    if (axes != 2 && axes != 3) {
      fail(Code::kShape, this->where(), "input", "[B, T, D] or [B, rows, columns, D]", x[0].text());
    }
    const int64_t rows = axis(x[0], 0).out(), columns = axis(x[0], 1).out();
    if (rows < 1 || columns < 1) {
      fail(Code::kShape, this->where(), "input", "longer than what is cut off", x[0].text());
    }
    if (axes == 2) return {x[0].rows, {rows, x[0].dims[1]}};
    return {x[0].rows, {rows, columns, x[0].dims[2]}};
  }

  void forward(Pass<real>& p) override {
    const ResizeAxis rows = axis(p.x_extent[0], 0), columns = axis(p.x_extent[0], 1);
    const int64_t B = p.y_extent.rows, D = p.y_extent.last(), wide = columns.out();
    for_rows(rows.out() * B, wide * D, [&](int64_t i0, int64_t i1) {
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
    const int64_t B = p.y_extent.rows, D = p.y_extent.last(), wide = columns.out();
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

 private:
  ResizeAxis axis(const Extent& x, size_t i) const {
    const int64_t extent = i == 0 ? x.dims[0] : x.dims.size() == 3 ? x.dims[1] : 1;
    return {extent, before_[i], after_[i], repeat_[i]};
  }

  Dims before_, after_, repeat_;  // along rows and columns
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_resize(const Config& options, const OpContext& context,
                                         const Table<real>& k) {
  return std::make_unique<Resize<real>>(options, context, k);
}

HS_REGISTER_LAYER(resize)

}  // namespace hs
