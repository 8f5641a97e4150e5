// The shape of `conv_recurrence`; its formulas stand in device/cpu/ops/conv_recurrence.cc.
#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "ops/cell_op.h"
#include "ops/window.h"

namespace hs {

class ConvRecurrenceShape : public CellOp {
 public:
  // Whether a cell is one that this op can step: its products are of h or of its one aux.
  static bool convolves(const CellShape& cell) {
    const auto on_c = [](const Phase& phase) { return phase.operand == Operand::kC; };
    return !cell.recurrent_bias && cell.vectors == 0 && cell.auxes <= 1 &&
           std::none_of(cell.phase, cell.phase + cell.phases, on_c);
  }

  Extent output(const std::vector<Extent>& x) const override {
    if (x[0].dims.size() != 4)
      fail(Code::kShape, where(), "input", "[B, T, rows, columns, D]", x[0].text());
    check_steps(x[0]);
    const Window w = input_window(x[0]);
    if (w.rows.out < 1 || w.columns.out < 1) {
      fail(Code::kShape, where(), "input", "at least as large as the filter, " + to_string(taps_),
           x[0].text());
    }
    checked_count({taps_[0], taps_[1], std::max(x[0].last(), H_), G_ * H_}, where());
    Extent y{x[0].rows, {w.rows.out, w.columns.out, H_}};
    if (sequences_) y.dims.insert(y.dims.begin(), x[0].dims[0]);
    return y;
  }

  void declare(Declaration& d, const std::vector<Extent>& x, const Extent&, bool masked) override {
    take_extent(d, x[0], masked);
    window_x_ = input_window(x[0]);
    rows_ = window_x_.rows.out, columns_ = window_x_.columns.out;
    window_h_ = {B_, 1, convolution_axis(rows_, taps_[0], 1, 1, inner_border_),
                 convolution_axis(columns_, taps_[1], 1, 1, inner_border_)};
    P_ = B_ * rows_ * columns_;
    X_ = x[0].size() / T_;
    const int64_t T = T_, P = P_, H = H_;
    W_.clear(), U_.clear(), b_.clear();
    for (const char* gate = cell_->gates; *gate; gate++) {
      const std::string of(1, *gate);
      W_.push_back(d.param(("W_" + of).c_str(), kernel_dims(th_, taps_[0], taps_[1], D_, H)));
      U_.push_back(d.param(("U_" + of).c_str(), kernel_dims(th_, taps_[0], taps_[1], H, H)));
      b_.push_back(d.param(("b_" + of).c_str(), {H}));
    }
    h_ = d.saved("h", {T + 1, P, H});
    if (two_states_) c_ = d.saved("c", {T + 1, P, H});
    gates_ = d.saved("gates", {T, P, G_ * H});
    if (cell_->auxes > 0) aux_ = d.saved("aux", {T, P, H});
    if (masked) mask_ = d.saved("mask of places", {T, P});
    if (drop_W_) drop_W_mask_ = d.saved("dropout W", {G_, X_});
    if (drop_U_) drop_U_mask_ = d.saved("dropout U", {G_, P, H});
    if (stateful_) {
      carry_h_ = d.carry("h", {P, H});
      if (two_states_) carry_c_ = d.carry("c", {P, H});
    }
    if (sequences_ && !late_) d.output_is(h_, P * H);
  }

 protected:
  ConvRecurrenceShape(const Config& options, const OpContext& context, const CellShape* cell)
      : CellOp(options, context, cell),
        taps_(options.dims("size")),
        strides_(options.dims("strides")),
        border_(options.str("border")),
        inner_border_(options.str("innerBorder", "same")),
        th_(options.on("th")) {
    if (!convolves(*cell_)) {
      throw Error(Code::kUnknownName, where(),
                  "there is no cell named '" + options.str("cell") + "' that convolves.");
    }
    if (inner_ == Activation::kSoftmax || outer_ == Activation::kSoftmax)
      throw Error(Code::kOption, where(), "softmax has no meaning for places.");
  }

  Window input_window(const Extent& x) const {
    return {x.rows, 1, convolution_axis(x.dims[1], taps_[0], strides_[0], 1, border_),
            convolution_axis(x.dims[2], taps_[1], strides_[1], 1, border_)};
  }

  Dims taps_, strides_;                // along rows and columns
  std::string border_, inner_border_;  // of the windows over the input and over the states
  bool th_;

  // of the extent declared last; P places of all samples of a step, X elements of x of a step
  Window window_x_, window_h_;
  int64_t rows_ = 0, columns_ = 0, P_ = 0, X_ = 0;
  std::vector<Tensor> W_, U_, b_;  // a gate each
  Tensor h_, c_;                   // [T+1, P, H]
  Tensor gates_;                   // [T, P, G*H]
  Tensor aux_;                     // [T, P, H]
  Tensor mask_;                    // [T, P]
  Tensor drop_W_mask_;             // [G, B, rows, columns, D]
  Tensor drop_U_mask_;             // [G, P, H]
  Tensor carry_h_, carry_c_;       // [P, H]
};

}  // namespace hs
