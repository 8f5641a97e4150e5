// The shape of `dot`; its formulas stand in device/cpu/ops/dot.cc.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "ops/op.h"

namespace hs {

// Where the elements of a value lie, seen as [free, summed] of each sample.
struct Side {
  int64_t sample = 0, step = 0, K = 1;  // from one sample, or summed index, to the next
  std::vector<int64_t> free;            // offset of each free element, in C order

  Side() = default;
  // axis: of dims, summed over; -1: none
  Side(const Extent& e, int64_t axis) {
    const int64_t axes = static_cast<int64_t>(e.dims.size());
    std::vector<int64_t> stride(e.dims.size(), 1);
    for (int64_t i = axes - 2; i >= 0; i--)
      stride[size_t(i)] = stride[size_t(i + 1)] * e.dims[size_t(i + 1)];
    sample = e.sequence() ? stride[0] : count(e.dims);
    if (e.sequence()) stride[0] *= e.rows;  // [T, B, ...]
    free.push_back(0);
    for (int64_t i = 0; i < axes; i++) {
      if (i == axis) {
        K = e.dims[size_t(i)], step = stride[size_t(i)];
        continue;
      }
      std::vector<int64_t> longer;
      for (int64_t from : free) {
        for (int64_t d = 0; d < e.dims[size_t(i)]; d++)
          longer.push_back(from + d * stride[size_t(i)]);
      }
      free = std::move(longer);
    }
  }

  int64_t size() const { return static_cast<int64_t>(free.size()); }
};

class DotShape : public OpShape {
 public:
  Extent output(const std::vector<Extent>& x) const override {
    if (x.size() != 2 || axes_.size() != 2)
      fail(Code::kInternal, where(), "inputs", "two", std::to_string(x.size()));
    Dims y;
    if (cosine_) y.push_back(1);
    for (size_t i = 0; i < 2; i++) {
      const int64_t n = static_cast<int64_t>(x[i].dims.size());
      if (axes_[i] < 0 || axes_[i] >= n) {
        fail(Code::kOption, where(), "axis of input " + std::to_string(i),
             "within the " + std::to_string(n) + " axes of " + to_string(x[i].dims),
             std::to_string(axes_[i]));
      }
      for (int64_t d = 0; d < n; d++)
        if (d != axes_[i]) y.push_back(x[i].dims[size_t(d)]);
    }
    if (y.size() == (cosine_ ? 1 : 0)) y.push_back(1);
    const bool fits = x[0].dims[size_t(axes_[0])] == x[1].dims[size_t(axes_[1])] &&
                      x[0].rows == x[1].rows && (!cosine_ || x[0].dims == x[1].dims);
    if (!fits) {
      fail(Code::kShape, where(), "inputs",
           cosine_ ? "of the same shape" : "as long along the axes summed over",
           x[0].text() + " and " + x[1].text());
    }
    return {x[0].rows, y};
  }

  void declare(Declaration& d, const std::vector<Extent>& x, const Extent& y, bool) override {
    for (size_t i = 0; i < 2; i++) {
      P_[i] = Side(x[i], axes_[cosine_ ? 0 : i]);
      Q_[i] = Side(x[i], axes_[cosine_ ? 1 : i]);
    }
    y_ = Side(y, -1);
    B_ = y.rows, F1_ = P_[0].size(), F2_ = Q_[1].size(), K_ = P_[0].K;
    for (int i = 0; i < 3 && cosine_ && d.training(); i++)
      products_[i] = d.saved(kNames[i], {B_, F1_, F2_});
  }

 protected:
  DotShape(const Config& options, const OpContext& context)
      : OpShape(context), axes_(options.dims("axes")), cosine_(options.on("cosine")) {}

  static constexpr const char* kNames[] = {"products", "squares of 0", "squares of 1"};

  Dims axes_;
  bool cosine_;
  Side P_[2], Q_[2], y_;
  int64_t B_ = 0, F1_ = 0, F2_ = 0, K_ = 0;
  Tensor products_[3];  // [B, F1, F2]; saved in training, else the device's
};

}  // namespace hs
