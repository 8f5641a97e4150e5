// A recurrence whose two products are convolutions: [T, rows, columns, D] -> [T, rows', columns',
// H]. ConvLSTM, Shi et al. 2015 (arXiv:1506.04214) without its peepholes, as in Keras 1.2.2
// convolutional_recurrent.py:438-476; the cell is any of formulas/cells/.
//   gates = x * W + b + h * U     W with the layer's border and strides, U always 'same', stride 1
// To the cell a place of a sample is a row: its formulas run over B * rows' * columns' rows of H
// units, with the products made here and its own product left out (CellArgs::K = 0).
//   backward: t and phase from the last: gate gradients; dh += dgates * U turned; dU, dW, db, dx
// Masks, carried states, dropout (one mask a gate for all steps) as in recurrence.cc. Parameters
// are Keras' arrays, one of each a gate: W_i, U_i, b_i, ...; here they are columns of one matrix.
#include <algorithm>
#include <string>
#include <vector>

#include "device/cpu/kernels/cell.h"
#include "device/cpu/ops/parts/convolve.h"
#include "device/cpu/ops/parts/cpu_layer.h"
#include "device/cpu/ops/parts/matmul.h"
#include "device/cpu/ops/parts/place_mask.h"
#include "device/cpu/rng.h"
#include "ops/conv_recurrence.h"

namespace hs {
namespace {

template <typename real>
class ConvRecurrence final : public ConvRecurrenceShape, public CpuLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  ConvRecurrence(const Config& options, const OpContext& context, const Table<real>& k)
      : ConvRecurrenceShape(options, context, k.cell(options.str("cell").c_str())),
        CpuLayer<real>(k),
        kernels_(static_cast<const CellKernels<real>*>(cell_)),
        fused_(k.fused_cell(cell_->name)),
        plain_(needs_rows(inner_) || needs_rows(outer_)),
        packed_U_(size_t(cell_->phases)),
        packed_UT_(size_t(cell_->phases)) {}

  void prepare(Declaration& d) override {
    const int64_t T = T_, P = P_, H = H_, GH = G_ * H, taps = window_x_.taps();
    conv_x_ = Convolution<real>(this->k, window_x_, D_, GH);
    conv_h_ = Convolution<real>(this->k, window_h_, H, GH);
    if (masked_) real_.declare(T, P);
    packed_W_ = d.packed("W", {drop_W_ ? G_ * packed_size(this->k, taps * D_, H)
                                       : packed_size(this->k, taps * D_, GH)});
    for (int phase = 0; phase < cell_->phases; phase++) {
      const int64_t n = cell_->phase[phase].count;
      packed_U_[phase] = d.packed("U", {drop_U_ ? n * packed_size(this->k, taps * H, H)
                                                : packed_size(this->k, taps * H, n * H)});
      if (!d.training()) continue;
      packed_UT_[phase] = d.packed("U turned", {drop_U_ ? n * packed_size(this->k, taps * H, H)
                                                        : packed_size(this->k, taps * n * H, H)});
    }
    matrix_W_ = d.scratch("W as a matrix", {taps * D_, GH});
    matrix_U_ = d.scratch("U as a matrix", {taps * H, GH});
    row_b_ = d.scratch("b as a row", {GH});
    conv_x_.declare(d);
    conv_h_.declare(d);
    if (drop_W_) x_drop_ = d.scratch("x dropped", {X_});
    if (drop_U_) h_drop_ = d.scratch("operand dropped", {P, H});
    if (plain_) {
      no_product_ = d.scratch("no product", {P, GH});
      row_ = d.scratch("rows", {kernels_->row_scratch, H});
    }
    if (!d.training()) return;
    packed_WT_ = d.packed("W turned", {drop_W_ ? G_ * packed_size(this->k, taps * H, D_)
                                               : packed_size(this->k, taps * GH, D_)});
    turned_ = d.scratch("kernel turned", {taps * GH, std::max(D_, H)});
    dh_ = d.scratch("dh", {P, H});
    dc_ = d.scratch("dc", {P, H});
    daux_ = d.scratch("daux", {P, H});
    if (late_ || !sequences_) dy_ = d.scratch("dy", {sequences_ ? T : 1, P, H});
    sums_ = d.scratch("sums", {row_sums_scratch(T * P, GH)});
  }

  void forward(Pass<real>& p) override {
    const Table<real>* k = this->k;
    const int64_t T = T_, P = P_, H = H_, GH = G_ * H;
    real* h = p.at(h_);                          // [T+1, P, H]
    real* c = two_states_ ? p.at(c_) : nullptr;  // [T+1, P, H]
    draw(p, drop_W_, drop_W_mask_, p_W_, 0);
    draw(p, drop_U_, drop_U_mask_, p_U_, 1);
    if (masked_) real_.set(p.at(mask_), p.mask, B_, backwards_);
    if (p.repack) pack_forward(p);
    for (int q = 0; q < G_; q++) std::copy_n(p.at(b_[q]), H, p.at(row_b_) + q * H);
    if (plain_) k->fill(p.at(no_product_), 0, P * GH);
    for (auto [state, carry] : {std::pair{h, carry_h_}, std::pair{c, carry_c_}}) {
      if (!state) continue;
      if (stateful_) {
        std::copy_n(p.at(carry), P * H, state);
      } else {
        k->fill(state, 0, P * H);
      }
    }
    for (int64_t s = 0; s < T; s++) {
      real* gates = p.at(gates_) + s * P * GH;  // [P, G*H]
      for_rows(P, GH, [&](int64_t r0, int64_t r1) {
        k->broadcast_rows(gates + r0 * GH, p.at(row_b_), r1 - r0, GH);
      });
      const real* x = p.x[0] + step_of(s) * X_;
      if (drop_W_) {
        for (int q = 0; q < G_; q++) {
          conv_x_.forward(p, gates + q * H, GH, dropped(p, x_drop_, x, drop_W_mask_, q, X_), D_,
                          p.at(packed_W_) + q * packed_W_.size / G_, H, true);
        }
      } else {
        conv_x_.forward(p, gates, GH, x, D_, p.at(packed_W_), GH, true);
      }
      for (int phase = 0; phase < cell_->phases; phase++) {
        CellArgs<real> a = step(p, s);
        a.packed = p.at(packed_U_[phase]);  // not read: no x, and K = 0
        a.operand = a.h_prev;
        a.h = h + (s + 1) * P * H;
        if (c) a.c = c + (s + 1) * P * H;
        recur(p, s, phase, gates, cell_->phase[phase].on_state() ? a.h_prev : a.aux);
        if (plain_) {
          a.r1 = P;
          kernels_->forward_rows(kernels_->self, phase, a);
          continue;
        }
        for_rows(P, GH, [&](int64_t r0, int64_t r1) {
          CellArgs<real> part = a;
          part.r0 = r0, part.r1 = r1;
          if (masked_) real_.list_real(part, s);
          fused_->forward(fused_->self, phase, part);
        });
      }
    }
    if (late_ || !sequences_) move_output(p, p.y, h + P * H, true);
  }

  void backward(Pass<real>& p) override {
    const Table<real>* k = this->k;
    const int64_t T = T_, P = P_, H = H_, GH = G_ * H, PH = P * H;
    const real* dy = p.dy;  // [T, P, H], or [P, H] of the last step
    if (late_ || !sequences_) {
      move_output(p, const_cast<real*>(p.dy), p.at(dy_), false);
      dy = p.at(dy_);
    }
    if (p.repack) pack_backward(p);
    real *dW = p.at(matrix_W_), *dU = p.at(matrix_U_);  // [taps*D, G*H] [taps*H, G*H]
    k->fill(dW, 0, matrix_W_.size), k->fill(dU, 0, matrix_U_.size);
    k->fill(p.at(dh_), 0, PH), k->fill(p.at(dc_), 0, PH);
    for (int64_t s = T - 1; s >= 0; s--) {
      for (int phase = cell_->phases - 1; phase >= 0; phase--) {
        CellArgs<real> a = step(p, s);
        a.dy = sequences_ ? dy + s * PH : s == T - 1 ? dy : nullptr;
        a.dh = p.at(dh_), a.dc = p.at(dc_), a.daux = p.at(daux_);
        if (plain_) {
          a.r1 = P;
          kernels_->backward_rows(kernels_->self, phase, a);
        } else {
          for_rows(P, GH, [&](int64_t r0, int64_t r1) {
            CellArgs<real> part = a;
            part.r0 = r0, part.r1 = r1;
            kernels_->backward(kernels_->self, phase, part);
          });
        }
        operand_backward(p, s, phase);
      }
      if (this->trainable()) weights_backward(p, s, dW, dU);
      if (p.dx[0]) input_backward(p, s);
    }
    if (!this->trainable()) return;
    row_sums(k, p.at(row_b_), p.at(gates_), T * P, GH, p.at(sums_));
    const int64_t taps = conv_x_.window().taps();
    for (int q = 0; q < G_; q++) {
      real *W = p.grad(W_[q]), *U = p.grad(U_[q]);
      each_kernel_element(th_, taps, D_, H, GH,
                          [&](int64_t i, int64_t j) { W[i] = dW[q * H + j]; });
      each_kernel_element(th_, taps, H, H, GH, [&](int64_t i, int64_t j) { U[i] = dU[q * H + j]; });
      std::copy_n(p.at(row_b_) + q * H, H, p.grad(b_[q]));
    }
  }

  void commit(Pass<real>& p) override {
    if (!stateful_ || !this->commits(p)) return;
    std::copy_n(p.at(h_) + T_ * P_ * H_, P_ * H_, p.at(carry_h_));
    if (two_states_) std::copy_n(p.at(c_) + T_ * P_ * H_, P_ * H_, p.at(carry_c_));
  }

 private:
  int64_t step_of(int64_t s) const { return backwards_ ? T_ - 1 - s : s; }  // s in running order

  void draw(const Pass<real>& p, bool drops, const Tensor& mask, double share, int stream) const {
    if (!drops) return;
    if (p.training) {
      dropout_mask(p.at(mask), G_, B_, mask.size / (G_ * B_), share, p.dropout,
                   this->stream() * 16 + stream);
    } else {
      this->k->fill(p.at(mask), 1, mask.size);
    }
  }

  // to[n] = from times the mask of gate q
  const real* dropped(const Pass<real>& p, const Tensor& to, const real* from, const Tensor& mask,
                      int q, int64_t n) const {
    for_elements(n, [&](int64_t i, int64_t end) {
      this->k->multiply(p.at(to) + i, from + i, p.at(mask) + q * n + i, end - i);
    });
    return p.at(to);
  }

  // The gates' kernels side by side in matrix_W and matrix_U.
  void lay_out(const Pass<real>& p) const {
    const int64_t taps = conv_x_.window().taps(), H = H_, GH = G_ * H;
    for (int q = 0; q < G_; q++) {
      const real *W = p.at(W_[q]), *U = p.at(U_[q]);
      real *to_W = p.at(matrix_W_) + q * H, *to_U = p.at(matrix_U_) + q * H;
      each_kernel_element(th_, taps, D_, H, GH, [&](int64_t i, int64_t j) { to_W[j] = W[i]; });
      each_kernel_element(th_, taps, H, H, GH, [&](int64_t i, int64_t j) { to_U[j] = U[i]; });
    }
  }

  void pack_forward(const Pass<real>& p) const {
    const int64_t taps = conv_x_.window().taps(), H = H_, GH = G_ * H;
    lay_out(p);
    const real *W = p.at(matrix_W_), *U = p.at(matrix_U_);
    for (int q = 0; q < (drop_W_ ? G_ : 1); q++) {
      pack(this->k, p.at(packed_W_) + q * packed_W_.size / G_, W + q * H, GH, false, taps * D_,
           drop_W_ ? H : GH);
    }
    for (int phase = 0; phase < cell_->phases; phase++) {
      const Phase& ph = cell_->phase[phase];
      const int n = drop_U_ ? ph.count : 1;
      for (int q = 0; q < n; q++) {
        pack(this->k, p.at(packed_U_[phase]) + q * packed_U_[phase].size / n,
             U + (ph.first + q) * H, GH, false, taps * H, drop_U_ ? H : ph.count * H);
      }
    }
  }

  void pack_backward(const Pass<real>& p) const {
    const int64_t taps = conv_x_.window().taps(), H = H_, GH = G_ * H;
    lay_out(p);
    real* turned = p.at(turned_);
    for (int q = 0; q < (drop_W_ ? G_ : 1); q++) {
      const int64_t n = drop_W_ ? H : GH;
      turned_kernel(turned, p.at(matrix_W_) + q * H, GH, taps, D_, n);
      pack(this->k, p.at(packed_WT_) + q * packed_WT_.size / G_, turned, D_, false, taps * n, D_);
    }
    for (int phase = 0; phase < cell_->phases; phase++) {
      const Phase& ph = cell_->phase[phase];
      const int parts = drop_U_ ? ph.count : 1;
      const int64_t n = drop_U_ ? H : ph.count * H;
      for (int q = 0; q < parts; q++) {
        turned_kernel(turned, p.at(matrix_U_) + (ph.first + q) * H, GH, taps, H, n);
        pack(this->k, p.at(packed_UT_[phase]) + q * packed_UT_[phase].size / parts, turned, H,
             false, taps * n, H);
      }
    }
  }

  CellArgs<real> step(const Pass<real>& p, int64_t s) const {
    const int64_t PH = P_ * H_;
    CellArgs<real> a;
    a.H = a.u1 = H_;
    a.inner = inner_, a.outer = outer_;
    if (masked_) a.mask = p.at(mask_) + s * P_;
    a.h_prev = p.at(h_) + s * PH;
    if (two_states_) a.c_prev = p.at(c_) + s * PH;
    a.gates = p.at(gates_) + s * PH * G_;
    if (cell_->auxes > 0) a.aux = p.at(aux_) + s * PH;
    if (plain_) {  // whole rows, on this thread: its activations are seldom
      a.product = p.at(no_product_);
      a.scratch = p.at(row_);
    }
    return a;
  }

  // gates of the phase += operand * U; nothing of a first state, which is zero.
  void recur(const Pass<real>& p, int64_t s, int phase, real* gates, const real* operand) const {
    if (s == 0 && !stateful_) return;
    const Phase& ph = cell_->phase[phase];
    const int64_t H = H_, GH = G_ * H;
    if (!drop_U_) {
      conv_h_.forward(p, gates + ph.first * H, GH, operand, H, p.at(packed_U_[phase]), ph.count * H,
                      true);
      return;
    }
    for (int q = 0; q < ph.count; q++) {
      conv_h_.forward(p, gates + (ph.first + q) * H, GH,
                      dropped(p, h_drop_, operand, drop_U_mask_, ph.first + q, P_ * H), H,
                      p.at(packed_U_[phase]) + q * packed_U_[phase].size / ph.count, H, true);
    }
  }

  // d operand += d gates * U turned, through the operand's dropout mask; into dh or daux.
  void operand_backward(const Pass<real>& p, int64_t s, int phase) const {
    const Phase& ph = cell_->phase[phase];
    if (s == 0 && ph.on_state()) return;  // nobody wants the gradient of the first state
    const int64_t H = H_, GH = G_ * H, PH = P_ * H;
    const real* dgates = p.at(gates_) + s * P_ * GH + ph.first * H;  // [P, count*H] in [P, G*H]
    real* out = p.at(ph.on_state() ? dh_ : daux_);                   // [P, H]
    if (!drop_U_) {
      conv_h_.input(p, out, dgates, GH, p.at(packed_UT_[phase]), ph.count * H, ph.on_state());
      return;
    }
    if (!ph.on_state()) this->k->fill(out, 0, PH);
    for (int q = 0; q < ph.count; q++) {
      real* product = p.at(h_drop_);  // [P, H]
      conv_h_.input(p, product, dgates + q * H, GH,
                    p.at(packed_UT_[phase]) + q * packed_UT_[phase].size / ph.count, H, false);
      this->k->multiply_add(out, product, p.at(drop_U_mask_) + (ph.first + q) * PH, PH);
    }
  }

  void weights_backward(const Pass<real>& p, int64_t s, real* dW, real* dU) const {
    const int64_t H = H_, GH = G_ * H, PH = P_ * H;
    const real* x = p.x[0] + step_of(s) * X_;
    const real* dgates = p.at(gates_) + s * PH * G_;  // [P, G*H]
    if (drop_W_) {
      for (int q = 0; q < G_; q++) {
        conv_x_.weights(p, dW + q * H, GH, dropped(p, x_drop_, x, drop_W_mask_, q, X_), D_,
                        dgates + q * H, GH, H, true);
      }
    } else {
      conv_x_.weights(p, dW, GH, x, D_, dgates, GH, GH, true);
    }
    if (s == 0 && !stateful_) return;
    for (int phase = 0; phase < cell_->phases; phase++) {
      const Phase& ph = cell_->phase[phase];
      const real* operand = (ph.on_state() ? p.at(h_) : p.at(aux_)) + s * PH;  // [P, H]
      for (int q = 0; q < (drop_U_ ? ph.count : 1); q++) {
        const int64_t at = (ph.first + q) * H;
        conv_h_.weights(
            p, dU + at, GH,
            drop_U_ ? dropped(p, h_drop_, operand, drop_U_mask_, ph.first + q, PH) : operand, H,
            dgates + at, GH, drop_U_ ? H : ph.count * H, true);
      }
    }
  }

  void input_backward(const Pass<real>& p, int64_t s) const {
    const int64_t H = H_, GH = G_ * H;
    const real* dgates = p.at(gates_) + s * P_ * GH;  // [P, G*H]
    real* dx = p.dx[0] + step_of(s) * X_;
    if (!drop_W_) {
      conv_x_.input(p, dx, dgates, GH, p.at(packed_WT_), GH, false);
      return;
    }
    this->k->fill(dx, 0, X_);
    for (int q = 0; q < G_; q++) {
      real* product = p.at(x_drop_);  // [B, rows, columns, D]
      conv_x_.input(p, product, dgates + q * H, GH, p.at(packed_WT_) + q * packed_WT_.size / G_, H,
                    false);
      this->k->multiply_add(dx, product, p.at(drop_W_mask_) + q * X_, X_);
    }
  }

  // Between y ([T, B, rows, ...], or [rows, B, ...] of the last step alone) and h, or dy in
  // the order of h. Before a sample's first real step the output of a stateful layer is 0.
  void move_output(const Pass<real>& p, real* output, real* places, bool out) const {
    const int64_t run = columns_ * H_;
    for (int64_t b = 0; b < B_; b++) {
      bool seen = !late_;
      for (int64_t s = 0; s < T_; s++) {
        seen = seen || p.at(mask_)[s * P_ + b * (P_ / B_)] != 0;
        if (!sequences_ && s < T_ - 1) continue;
        const int64_t slot = sequences_ || out ? s : 0;  // dy of the last step has one slot
        for (int64_t r = 0; r < rows_; r++) {
          real* seen_by_user = output + (sequences_ ? (s * B_ + b) * rows_ + r : r * B_ + b) * run;
          real* kept = places + ((slot * B_ + b) * rows_ + r) * run;  // [columns, H]
          real* to = out ? seen_by_user : kept;
          if (seen) {
            std::copy_n(out ? kept : seen_by_user, run, to);
          } else {
            std::fill_n(to, run, real(0));
          }
        }
      }
    }
  }

  const CellKernels<real>* kernels_;  // of cell_
  const FusedCell<real>* fused_;
  bool plain_;  // an activation that needs_rows

  // of the extent declared last
  Convolution<real> conv_x_, conv_h_;
  Tensor packed_W_, packed_WT_;               // of convolve.h's products
  std::vector<Tensor> packed_U_, packed_UT_;  // the same, a phase each
  Tensor matrix_W_, matrix_U_, row_b_;        // [taps*D, G*H] [taps*H, G*H] [G*H]
  Tensor turned_;                             // [taps*G*H, D or H]
  Tensor x_drop_;                             // [B, rows, columns, D]
  Tensor h_drop_, dh_, dc_, daux_;            // [P, H]
  Tensor no_product_;                         // [P, G*H] zeros: the gates hold U h already
  Tensor row_;                                // [row_scratch, H]
  Tensor dy_, sums_;                          // [T or 1, P, H], as row_sums asks
  PlaceMask<real> real_;
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_conv_recurrence(const Config& options, const OpContext& context,
                                                  const Table<real>& k) {
  return std::make_unique<ConvRecurrence<real>>(options, context, k);
}

HS_REGISTER_LAYER(conv_recurrence)

}  // namespace hs
