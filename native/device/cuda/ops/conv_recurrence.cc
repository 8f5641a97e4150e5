// As device/cpu/ops/conv_recurrence.cc: a recurrence whose two products are convolutions. What does
// not depend on states is done for all steps at once: x * W, and after the loop dW, dU, db and dx.
// A phase of a step is the patches of its operand, a product, the cell's formulas: 3T launches for
// each phase, forward and backward.
#include "ops/conv_recurrence.h"

#include "device/cuda/ops/parts/cell_steps.h"
#include "device/cuda/ops/parts/convolve.h"
#include "device/cuda/ops/parts/rows.h"

namespace hs {
namespace {

template <typename real>
class CudaConvRecurrence final : public ConvRecurrenceShape, public CudaLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  CudaConvRecurrence(const Config& options, const OpContext& context, CardQueue& queue)
      : ConvRecurrenceShape(options, context, cuda_cell(options.str("cell").c_str())),
        CudaLayer<real>(queue),
        steps_(queue, cuda_cell(options.str("cell").c_str()), inner_, outer_) {}

  void prepare(Declaration& d) override {
    const int64_t T = T_, P = P_, H = H_, GH = G_ * H, taps = window_x_.taps();
    conv_x_ = CudaConvolution<real>(this->q, steps_of(window_x_, T), D_, GH);
    conv_h_ = CudaConvolution<real>(this->q, window_h_, H, GH);
    conv_h_all_ = CudaConvolution<real>(this->q, steps_of(window_h_, T - skipped()), H, GH);
    conv_x_.declare(d);
    conv_h_.declare(d);
    matrix_W_ = d.scratch("W as a matrix", {taps * D_, GH});
    matrix_U_ = d.scratch("U as a matrix", {taps * H, GH});
    row_b_ = d.scratch("b as a row", {GH});
    if (backwards_) x_run_ = d.scratch("x reversed", {T, X_});
    if (drop_W_) x_drop_ = d.scratch("x dropped", {T, X_});
    if (drop_U_) h_drop_ = d.scratch("operand dropped", {P, H});
    if (late_) seen_ = d.saved("seen", {T, P});
    if (late_ || !sequences_) shown_ = d.scratch("h as it is shown", {sequences_ ? T : 1, P, H});
    steps_.declare(d, P, H);
    if (!d.training()) return;
    conv_h_all_.declare(d);
    turned_W_ = d.scratch("W turned", {taps * GH, D_});
    turned_U_ = d.scratch("U turned", {taps * GH, H});
    dh_ = d.scratch("dh", {P, H});
    dc_ = d.scratch("dc", {P, H});
    daux_ = d.scratch("daux", {P, H});
    if (drop_U_) sequence_drop_ = d.scratch("operands dropped", {T, P, H});
    if (backwards_) dx_run_ = d.scratch("dx reversed", {T, X_});
  }

  void forward(Pass<real>& p) override {
    const int64_t T = T_, P = P_, H = H_, GH = G_ * H;
    draw(p, drop_W_, drop_W_mask_, p_W_, 0);
    draw(p, drop_U_, drop_U_mask_, p_U_, 1);
    if (masked_) spread_mask(p);
    lay_out(p);
    begin(p, h_, carry_h_);
    if (two_states_) begin(p, c_, carry_c_);
    real* const gates = p.at(gates_);  // [T, P, G*H]
    this->q.launch("broadcast_rows", RowsArgs<real>{T * P * GH, GH, gates, GH, p.at(row_b_)});
    const real* const x = running_input(p);
    for (int g = 0; g < products_W(); g++) {
      conv_x_.forward(p, gates + g * H, GH, dropped_input(p, x, g), p.at(matrix_W_) + g * H, GH,
                      drop_W_ ? H : GH, true);
    }
    for (int64_t s = 0; s < T; s++) {
      for (int phase = 0; phase < cell_->phases; phase++) step_forward(p, s, phase);
    }
    show(p);
  }

  void backward(Pass<real>& p) override {
    const int64_t PH = P_ * H_;
    const real* const dy = shown_dy(p);  // [T, P, H], or [P, H] of the last step
    lay_out(p);
    turn(p);
    clear(p.at(dh_), PH), clear(p.at(dc_), PH);
    for (int64_t s = T_ - 1; s >= 0; s--) {
      for (int phase = cell_->phases - 1; phase >= 0; phase--) {
        CellStepArgs<real> args = step(p, s);
        CellArgs<real>& a = args.step;
        a.dy = sequences_ ? dy + s * PH : s == T_ - 1 ? dy : nullptr;
        a.dh = p.at(dh_), a.dc = p.at(dc_), a.daux = p.at(daux_), a.daux_stride = PH;
        steps_.run(p, false, phase, args);
        operand_backward(p, s, phase);
      }
    }
    if (p.dx[0]) input_backward(p);
    if (trainable()) weights_backward(p);
  }

  void commit(Pass<real>& p) override {
    if (!stateful_) return;
    const int64_t PH = P_ * H_;
    const auto keep = [&](const Tensor& carry, const Tensor& states) {
      this->q.launch("commit", CommitArgs<real>{PH, p.at(carry), p.at(states) + T_ * PH, p.finite});
    };
    keep(carry_h_, h_);
    if (two_states_) keep(carry_c_, c_);
  }

 private:
  // The same window over each of n steps, which lie one after the other.
  static Window steps_of(Window w, int64_t n) {
    w.outer *= n;
    return w;
  }
  // First steps of which no gradient reaches U: their state is zero.
  int64_t skipped() const { return stateful_ ? 0 : 1; }
  int products_W() const { return drop_W_ ? G_ : 1; }

  void clear(real* to, int64_t n) { this->q.zero(to, n * int64_t(sizeof(real))); }

  // y (+)= x times mask, n times over.
  void times_mask(real* y, const real* x, const real* mask, int64_t n, int64_t width, bool adds) {
    this->q.launch("multiply", ProductArgs<real>{n * width, width, y, x, mask, adds});
  }

  void draw(const Pass<real>& p, bool drops, const Tensor& mask, double rate, uint32_t which) {
    if (!drops) return;
    if (p.training) {
      dropout_mask(this->q, p.at(mask), mask.size, rate, p.dropout, stream() * 16 + which);
    } else {
      this->q.launch("fill", FillArgs<real>{mask.size, p.at(mask), 1});
    }
  }

  // The mask [T, B] of each place, in running order, and which steps one has seen a real one by.
  void spread_mask(const Pass<real>& p) {
    const int64_t T = T_, B = B_, places = P_ / B_;
    const real* const mask = p.mask + (backwards_ ? (T - 1) * B : 0);
    rearrange(this->q, p.at(mask_), mask,
              {{T, P_, backwards_ ? -B : B}, {B, places, 1}, {places, 1, 0}});
    if (late_) this->q.launch("seen_steps", SeenArgs<real>{P_, T, p.at(seen_), p.at(mask_)});
  }

  // The gates' kernels side by side in matrix_W and matrix_U.
  void lay_out(const Pass<real>& p) {
    const int64_t taps = window_x_.taps(), H = H_, GH = G_ * H;
    for (int g = 0; g < G_; g++) {
      const size_t i = size_t(g);
      kernel_to_matrix(this->q, p.at(matrix_W_) + g * H, GH, p.at(W_[i]), th_, taps, D_, H);
      kernel_to_matrix(this->q, p.at(matrix_U_) + g * H, GH, p.at(U_[i]), th_, taps, H, H);
      this->q.copy(p.at(row_b_) + g * H, p.at(b_[i]), H * int64_t(sizeof(real)));
    }
  }

  // Products of a phase: one, or with dropout of its operand one for each gate.
  int products_U(const Phase& phase) const { return drop_U_ ? phase.count : 1; }
  const real* turned_U(const Pass<real>& p, int gate) const {
    return p.at(turned_U_) + window_h_.taps() * gate * H_ * H_;
  }

  void turn(const Pass<real>& p) {
    const int64_t taps = window_x_.taps(), H = H_, GH = G_ * H;
    for (int g = 0; g < products_W(); g++) {
      turned_kernel(this->q, p.at(turned_W_) + taps * g * H * D_,
                    static_cast<const real*>(p.at(matrix_W_)) + g * H, GH, taps, D_,
                    drop_W_ ? H : GH);
    }
    for (int i = 0; i < cell_->phases; i++) {
      const Phase& phase = cell_->phase[i];
      for (int g = 0; g < products_U(phase); g++) {
        const int gate = phase.first + g;
        turned_kernel(this->q, p.at(turned_U_) + taps * gate * H * H,
                      static_cast<const real*>(p.at(matrix_U_)) + gate * H, GH, taps, H,
                      drop_U_ ? H : phase.count * H);
      }
    }
  }

  void begin(const Pass<real>& p, const Tensor& states, const Tensor& carry) {
    const int64_t PH = P_ * H_;
    if (!stateful_) return clear(p.at(states), PH);
    this->q.copy(p.at(states), p.at(carry), PH * int64_t(sizeof(real)));
  }

  const real* running_input(const Pass<real>& p) {  // [T, B, rows, columns, D]
    if (!backwards_) return p.x[0];
    this->q.launch("reverse_steps", ReverseArgs<real>{T_ * X_, T_, X_, p.at(x_run_), p.x[0]});
    return p.at(x_run_);
  }

  const real* dropped_input(const Pass<real>& p, const real* x, int g) {
    if (!drop_W_) return x;
    times_mask(p.at(x_drop_), x, p.at(drop_W_mask_) + g * X_, T_, X_, false);
    return p.at(x_drop_);
  }

  const real* operand_at(const Pass<real>& p, const Phase& phase, int64_t s) const {
    return p.at(phase.on_state() ? h_ : aux_) + s * P_ * H_;
  }

  CellStepArgs<real> step(const Pass<real>& p, int64_t s) const {
    const int64_t PH = P_ * H_;
    CellStepArgs<real> args = {};
    args.n = PH;
    CellArgs<real>& a = args.step;
    a.r1 = P_, a.H = H_, a.u1 = H_;
    a.inner = inner_, a.outer = outer_;
    if (masked_) a.mask = p.at(mask_) + s * P_;
    a.h_prev = p.at(h_) + s * PH;
    if (two_states_) a.c_prev = p.at(c_) + s * PH;
    a.gates = p.at(gates_) + s * PH * G_;
    if (cell_->auxes > 0) a.aux = p.at(aux_) + s * PH, a.aux_stride = T_ * PH;
    return args;
  }

  void step_forward(const Pass<real>& p, int64_t s, int i) {
    const Phase& phase = cell_->phase[i];
    const int64_t H = H_, GH = G_ * H, PH = P_ * H;
    CellStepArgs<real> args = step(p, s);
    args.step.h = p.at(h_) + (s + 1) * PH;
    if (two_states_) args.step.c = p.at(c_) + (s + 1) * PH;
    const real* const operand = operand_at(p, phase, s);
    for (int g = 0; s >= skipped() && g < products_U(phase); g++) {
      const int gate = phase.first + g;
      if (drop_U_) times_mask(p.at(h_drop_), operand, p.at(drop_U_mask_) + gate * PH, 1, PH, false);
      conv_h_.forward(p, args.step.gates + gate * H, GH, drop_U_ ? p.at(h_drop_) : operand,
                      p.at(matrix_U_) + gate * H, GH, drop_U_ ? H : phase.count * H, true);
    }
    steps_.run(p, true, i, args);
  }

  // d operand += d gates * U turned, through the operand's dropout mask; into dh or daux.
  void operand_backward(const Pass<real>& p, int64_t s, int i) {
    const Phase& phase = cell_->phase[i];
    const bool adds = phase.on_state();
    if (s == 0 && adds) return;  // nobody wants the gradient of the first state
    const int64_t H = H_, GH = G_ * H, PH = P_ * H;
    const real* const dgates = p.at(gates_) + s * P_ * GH;  // [P, G*H]
    real* const out = p.at(adds ? dh_ : daux_);             // [P, H]
    for (int g = 0; g < products_U(phase); g++) {
      const int gate = phase.first + g;
      if (!drop_U_) {
        conv_h_.input(p, out, dgates + gate * H, GH, turned_U(p, gate), phase.count * H, adds);
        continue;
      }
      conv_h_.input(p, p.at(h_drop_), dgates + gate * H, GH, turned_U(p, gate), H, false);
      times_mask(out, p.at(h_drop_), p.at(drop_U_mask_) + gate * PH, 1, PH, adds || g > 0);
    }
  }

  void weights_backward(const Pass<real>& p) {
    const int64_t T = T_, H = H_, GH = G_ * H, PH = P_ * H, taps = window_x_.taps();
    const int64_t n = T - skipped();         // steps whose states reach U
    const real* const gates = p.at(gates_);  // [T, P, G*H]
    const real* const x = running_input(p);
    real *const dW = p.at(matrix_W_), *const dU = p.at(matrix_U_);
    for (int g = 0; g < products_W(); g++)
      conv_x_.weights(p, dW + g * H, GH, dropped_input(p, x, g), gates + g * H, GH,
                      drop_W_ ? H : GH, false);
    if (n == 0) clear(dU, taps * H * GH);
    for (int i = 0; i < cell_->phases; i++) {
      const Phase& phase = cell_->phase[i];
      const real* const operands = operand_at(p, phase, skipped());  // [n, P, H]
      for (int g = 0; n > 0 && g < products_U(phase); g++) {
        const int gate = phase.first + g;
        if (drop_U_)
          times_mask(p.at(sequence_drop_), operands, p.at(drop_U_mask_) + gate * PH, n, PH, false);
        conv_h_all_.weights(p, dU + gate * H, GH, drop_U_ ? p.at(sequence_drop_) : operands,
                            gates + skipped() * P_ * GH + gate * H, GH,
                            drop_U_ ? H : phase.count * H, false);
      }
    }
    row_sums(this->q, p.at(row_b_), gates, GH, T * P_, GH);
    for (int g = 0; g < G_; g++) {
      const size_t i = size_t(g);
      matrix_to_kernel(this->q, p.grad(W_[i]), dW + g * H, GH, th_, taps, D_, H);
      matrix_to_kernel(this->q, p.grad(U_[i]), dU + g * H, GH, th_, taps, H, H);
      this->q.copy(p.grad(b_[i]), p.at(row_b_) + g * H, H * int64_t(sizeof(real)));
    }
  }

  void input_backward(const Pass<real>& p) {
    const int64_t H = H_, GH = G_ * H, taps = window_x_.taps();
    real* const dx = backwards_ ? p.at(dx_run_) : p.dx[0];  // [T, B, rows, columns, D]
    for (int g = 0; g < products_W(); g++) {
      conv_x_.input(p, drop_W_ ? p.at(x_drop_) : dx, p.at(gates_) + g * H, GH,
                    p.at(turned_W_) + taps * g * H * D_, drop_W_ ? H : GH, false);
      if (drop_W_) times_mask(dx, p.at(x_drop_), p.at(drop_W_mask_) + g * X_, T_, X_, g > 0);
    }
    if (backwards_)
      this->q.launch("reverse_steps", ReverseArgs<real>{T_ * X_, T_, X_, p.dx[0], dx});
  }

  // Between the last step's y [rows, B, columns, H] and h [B, rows, columns, H].
  std::vector<CopyAxis> last_axes(bool to_y) const {
    const int64_t run = columns_ * H_;
    std::vector<CopyAxis> axes = {{B_, run, rows_ * run}, {rows_, B_ * run, run}, {run, 1, 1}};
    for (CopyAxis& axis : axes)
      if (!to_y) std::swap(axis.to, axis.from);
    return axes;
  }

  // to = from, 0 where a sample has not seen a real step; of all steps, or of the last one.
  void select_seen(const Pass<real>& p, real* to, const real* from) {
    const int64_t n = sequences_ ? T_ * P_ : P_;
    this->q.launch("select", SelectArgs<real>{n * H_, H_, to, from,
                                              p.at(seen_) + (sequences_ ? 0 : (T_ - 1) * P_)});
  }

  void show(const Pass<real>& p) {
    if (!late_ && sequences_) return;
    const real* h = p.at(h_) + (sequences_ ? 1 : T_) * P_ * H_;
    if (sequences_) return select_seen(p, p.y, h);
    if (late_) {
      select_seen(p, p.at(shown_), h);
      h = p.at(shown_);
    }
    rearrange(this->q, p.y, h, last_axes(true));
  }

  const real* shown_dy(const Pass<real>& p) {
    if (!late_ && sequences_) return p.dy;
    real* const dy = p.at(shown_);
    if (!sequences_) rearrange(this->q, dy, p.dy, last_axes(false));
    if (late_) select_seen(p, dy, sequences_ ? p.dy : dy);
    return dy;
  }

  CellSteps<real> steps_;
  CudaConvolution<real> conv_x_, conv_h_, conv_h_all_;
  Tensor matrix_W_, matrix_U_, row_b_;  // [taps*D, G*H] [taps*H, G*H] [G*H]
  Tensor turned_W_, turned_U_;          // [taps*G*H, D] [taps*G*H, H], part after part
  Tensor x_run_, dx_run_, x_drop_;      // [T, X]
  Tensor h_drop_, dh_, dc_, daux_;      // [P, H]
  Tensor sequence_drop_;                // [T, P, H]
  Tensor seen_;                         // [T, P]
  Tensor shown_;                        // [T or 1, P, H]
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_cuda_conv_recurrence(const Config& options,
                                                       const OpContext& context, CardQueue& queue) {
  return std::make_unique<CudaConvRecurrence<real>>(options, context, queue);
}

HS_REGISTER_CUDA_LAYER(conv_recurrence)

}  // namespace hs
