// The shape of `convolution`; its formulas stand in device/cpu/ops/convolution.cc.
#pragma once
#include <string>

#include "base/error.h"
#include "ops/op.h"
#include "ops/row_activation.h"
#include "ops/window.h"

namespace hs {

class ConvolutionLayerShape : public OpShape {
 public:
  Extent output(const std::vector<Extent>& x) const override {
    const size_t axes = x[0].dims.size();
    if (axes != 2 && axes != 3) {
      fail(Code::kShape, where(), "input", "[B, T, D] or [B, rows, columns, D]", x[0].text());
    }
    checked_count({taps_[0], taps_[1], x[0].last(), N_}, where());
    const Window w = window(x[0]);
    if (w.rows.out < 1 || w.columns.out < 1) {
      fail(Code::kShape, where(), "input",
           "at least as long as the filter, " +
               to_string({reach(taps_[0], dilation_[0]), reach(taps_[1], dilation_[1])}),
           x[0].text());
    }
    if (axes == 2) return {x[0].rows, {w.rows.out, N_}};
    return {x[0].rows, {w.rows.out, w.columns.out, N_}};
  }

  void declare(Declaration& d, const std::vector<Extent>& x, const Extent&, bool) override {
    D_ = x[0].last();
    window_ = window(x[0]);
    W_ = d.param("W", kernel_dims(th_, taps_[0], taps_[1], D_, N_));
    if (bias_) b_ = d.param("b", {N_});
    activation_.declare(d, window_.positions(), N_);
  }

 protected:
  ConvolutionLayerShape(const Config& options, const OpContext& context)
      : OpShape(context),
        N_(options.integer("filters")),
        taps_(options.dims("size")),
        strides_(options.dims("strides")),
        dilation_(options.dims("dilation")),
        border_(options.str("border")),
        th_(options.on("th")),
        bias_(options.on("bias", true)),
        activation_(options.str("activation", "linear")) {}

  Window window(const Extent& x) const {
    const int64_t columns = x.dims.size() == 3 ? x.dims[1] : 1;
    return {1, x.rows, convolution_axis(x.dims[0], taps_[0], strides_[0], dilation_[0], border_),
            convolution_axis(columns, taps_[1], strides_[1], dilation_[1], border_)};
  }

  int64_t N_;
  Dims taps_, strides_, dilation_;  // along rows and columns
  std::string border_;
  bool th_, bias_;
  RowActivation activation_;
  int64_t D_ = 0;
  Window window_;
  Tensor W_, b_;  // kernel_dims [N]
};

}  // namespace hs
