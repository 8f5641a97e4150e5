// The shape of `locally_connected`; its formulas stand in device/cpu/ops/locally_connected.cc.
#pragma once
#include <string>

#include "base/arena.h"
#include "base/error.h"
#include "ops/op.h"
#include "ops/row_activation.h"
#include "ops/window.h"

namespace hs {

class LocallyConnectedShape : public OpShape {
 public:
  Extent output(const std::vector<Extent>& x) const override {
    if (x[0].dims.size() != 2) fail(Code::kShape, where(), "input", "[B, T, D]", x[0].text());
    if (x[0].dims[0] < length_) {
      fail(Code::kShape, where(), "the number of steps T", "at least " + std::to_string(length_),
           x[0].text());
    }
    const int64_t out = (x[0].dims[0] - length_) / stride_ + 1;
    checked_count({out, length_, x[0].dims[1], N_}, where());
    return {x[0].rows, {out, N_}};
  }

  void declare(Declaration& d, const std::vector<Extent>& x, const Extent& y, bool) override {
    B_ = x[0].rows, D_ = x[0].dims[1], T_ = x[0].dims[0], out_ = y.dims[0];
    window_ = Window{1, B_, {T_, out_, length_, stride_, 1, 0, 1}, {}};
    W_ = d.param("W", {out_, length_ * D_, N_});
    if (bias_) b_ = d.param("b", {out_, N_});
    activation_.declare(d, out_ * B_, N_);
  }

 protected:
  LocallyConnectedShape(const Config& options, const OpContext& context)
      : OpShape(context),
        N_(options.integer("filters")),
        length_(options.integer("length")),
        stride_(options.integer("stride", 1)),
        bias_(options.on("bias", true)),
        activation_(options.str("activation", "linear")) {}

  int64_t N_, length_, stride_;
  bool bias_;
  RowActivation activation_;
  int64_t B_ = 0, D_ = 0, T_ = 0, out_ = 0;
  Window window_;
  Tensor W_, b_;  // [T', length*D, N] [T', N]
};

}  // namespace hs
