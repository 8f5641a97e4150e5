// The backward pass of the recurrence on a card, and its states at both ends of a batch and of a
// segment.
#include "device/cuda/ops/parts/recurrence.h"
#include "device/cuda/ops/parts/rows.h"

namespace hs {

template <typename real>
void CudaRecurrence<real>::backward(Pass<real>& p) {
  take_U(p);
  last_states_backward(p);
  for (int64_t s = segments(); s-- > 0;) {
    from_ = s * segment_;
    if (s + 1 < segments()) {  // forward has left what it computed of the last one
      load_states(p, s);
      run_segment(p);
    }
    steps_backward(p);
    if (this->trainable()) weights_backward(p);
    if (p.dx[0]) input_backward(p);
  }
  first_states_backward(p);
}

template <typename real>
void CudaRecurrence<real>::steps_backward(Pass<real>& p) {
  const int64_t BH = B_ * H_;
  // [n, B, H], or [B, H] of the last step
  const real* const dy = late_ ? seen_dy(p) : p.dy + (sequences_ ? from_ * BH : 0);
  for (int64_t t = from_ + steps() - 1; t >= from_; t--) {
    for (int phase = cell_->phases - 1; phase >= 0; phase--) {
      CellStepArgs<real> args = step(p, t);
      CellArgs<real>& a = args.step;
      a.dy = sequences_ ? dy + (t - from_) * BH : t == T_ - 1 ? dy : nullptr;
      a.dh = p.at(dh_), a.dc = p.at(dc_), a.daux = p.at(daux_), a.daux_stride = BH;
      if (cell_->vectors > 0)
        a.dvectors = p.at(dvectors_) + (t - from_) * BH, a.dvector_stride = aux_stride();
      if (cell_->recurrent_bias) a.drec = p.at(drec_) + (t - from_) * BH * G_;
      steps_.run(p, false, phase, args);
      operand_backward(p, t, phase);
    }
    if (detached(t)) clear(p.at(dh_), BH), clear(p.at(dc_), BH);
  }
}

// d operand += d gates U^T, through the operand's dropout mask.
template <typename real>
void CudaRecurrence<real>::operand_backward(Pass<real>& p, int64_t t, int phase) {
  const Phase& ph = cell_->phase[phase];
  if (detached(t) && ph.on_state()) return;
  const int64_t B = B_, H = H_, GH = G_ * H;
  // [B, count*H] in [B, G*H]
  const real* const d =
      p.at(cell_->recurrent_bias ? drec_ : gates_) + (t - from_) * B * GH + ph.first * H;
  real* const out = ph.operand == Operand::kH   ? p.at(dh_)  // [B, H]
                    : ph.operand == Operand::kC ? p.at(dc_)
                                                : p.at(daux_) + ph.aux * B * H;
  const bool adds = ph.on_state();
  if (!drop_U_)
    return this->q.multiply(out, H, {d, GH}, U_of(ph.first, true), B, H, ph.count * H, adds);
  const int products = shared_dropout_ ? 1 : ph.count;
  for (int g = 0; g < products; g++) {
    real* const product = p.at(product_drop_);
    this->q.multiply(product, H, {d + g * H, GH}, U_of(ph.first + g, true), B, H,
                     products > 1 ? H : ph.count * H, false);
    times_mask(out, product, recurrent_mask(p, ph.first + g), 1, B * H, adds || g > 0);
  }
}

template <typename real>
void CudaRecurrence<real>::weights_backward(Pass<real>& p) {
  const int64_t n = steps(), B = B_, D = D_, H = H_, GH = G_ * H, BH = B * H;
  const bool adds = !last_segment();       // the last one comes first
  const real* const gates = p.at(gates_);  // [n, B, G*H]
  const real* const drec = p.at(cell_->recurrent_bias ? drec_ : gates_);  // [n, B, G*H]
  for (int phase = 0; phase < cell_->phases; phase++) {
    const Phase& ph = cell_->phase[phase];
    const int64_t skipped = left_out(ph, from_) ? 1 : 0, rows = (n - skipped) * B;
    const real* const operand = operand_at(p, ph, from_ + skipped);
    const real* const d = drec + skipped * B * GH + ph.first * H;
    real* const dU = p.grad(U_) + ph.first * H;  // [H, count*H] in [H, G*H]
    const int products = drop_U_ && !shared_dropout_ ? ph.count : 1;
    for (int g = 0; g < products; g++) {
      if (drop_U_)
        times_mask(p.at(sequence_drop_), operand, recurrent_mask(p, ph.first + g), n - skipped, BH,
                   false);
      this->q.multiply(dU + g * H, GH, {drop_U_ ? p.at(sequence_drop_) : operand, H, true},
                       {d + g * H, GH}, H, products > 1 ? H : ph.count * H, rows, adds);
    }
  }
  const real* const x = backwards_ ? p.at(x_run_) : p.x[0] + from_ * B * D;  // [n, B, D]
  const int products = drop_W_ && !shared_dropout_ ? G_ : 1;
  for (int g = 0; g < products; g++) {
    if (drop_W_) times_mask(p.at(x_drop_), x, p.at(drop_W_mask_) + g * B * D, n, B * D, false);
    this->q.multiply(p.grad(W_) + g * H, GH, {drop_W_ ? p.at(x_drop_) : x, D, true},
                     {gates + g * H, GH}, D, products > 1 ? H : GH, n * B, adds);
  }
  sum_backward(p.grad(b_), gates, GH);
  if (cell_->recurrent_bias) sum_backward(p.grad(c_bias_), drec, GH);
  for (int i = 0; i < cell_->vectors; i++)
    sum_backward(p.grad(vectors_[size_t(i)]), p.at(dvectors_) + i * aux_stride(), H);
}

// sum [width] of d [n, B, width]; those of later segments are in it already.
template <typename real>
void CudaRecurrence<real>::sum_backward(real* sum, const real* d, int64_t width) {
  row_sums(this->q, sum, d, width, steps() * B_, width, !last_segment());
}

template <typename real>
void CudaRecurrence<real>::input_backward(Pass<real>& p) {
  const int64_t n = steps(), B = B_, D = D_, H = H_, GH = G_ * H, rows = n * B;
  real* const dx = backwards_ ? p.at(dx_run_) : p.dx[0] + from_ * B * D;  // [n, B, D]
  const int products = drop_W_ && !shared_dropout_ ? G_ : 1;
  for (int g = 0; g < products; g++) {
    real* const to = drop_W_ ? p.at(dx_gate_) : dx;
    this->q.multiply(to, D, {p.at(gates_) + g * H, GH}, {p.at(W_) + g * H, GH, true}, rows, D,
                     products > 1 ? H : GH, false);
    if (drop_W_) times_mask(dx, to, p.at(drop_W_mask_) + g * B * D, n, B * D, g > 0);
  }
  if (backwards_)
    this->q.launch("reverse_steps",
                   ReverseArgs<real>{rows * D, n, B * D, p.dx[0] + (T_ - from_ - n) * B * D, dx});
}

// dy of the segment, with zeros where late_output has written its 0 instead of h.
template <typename real>
const real* CudaRecurrence<real>::seen_dy(Pass<real>& p) {
  const int64_t BH = B_ * H_, first = sequences_ ? from_ : T_ - 1;
  const int64_t n = sequences_ ? steps() : 1;
  this->q.launch("select",
                 SelectArgs<real>{n * BH, H_, p.at(dy_seen_), p.dy + (sequences_ ? first * BH : 0),
                                  p.at(seen_) + first * B_});
  return p.at(dy_seen_);
}

// ---- states at both ends

template <typename real>
void CudaRecurrence<real>::first_states(Pass<real>& p) {
  const auto begin = [&](real* state, size_t i, const Tensor& carry, const Tensor& parameter) {
    if (takes_states_) {  // state: [B, H]
      copy(state, p.x[i], B_ * H_);
    } else if (stateful_) {
      copy(state, p.at(carry), B_ * H_);
    } else if (learned_) {
      this->q.launch("broadcast_rows", RowsArgs<real>{B_ * H_, H_, state, H_, p.at(parameter)});
    } else {
      clear(state, B_ * H_);
    }
  };
  begin(h_at(p, 0), 1, carry_h_, h0_);
  if (two_states_) begin(c_at(p, 0), 2, carry_c_, c0_);
}

template <typename real>
void CudaRecurrence<real>::first_states_backward(Pass<real>& p) {
  if (takes_states_ && p.dx[1]) copy(p.dx[1], p.at(dh_), B_ * H_);
  if (takes_states_ && two_states_ && p.dx[2]) copy(p.dx[2], p.at(dc_), B_ * H_);
  if (!learned_ || !this->trainable()) return;
  row_sums(this->q, p.grad(h0_), p.at(dh_), H_, B_, H_);
  if (two_states_) row_sums(this->q, p.grad(c0_), p.at(dc_), H_, B_, H_);
}

template <typename real>
void CudaRecurrence<real>::load_states(Pass<real>& p, int64_t s) {
  const int64_t BH = B_ * H_;
  if (!all_h_) copy(h_at(p, from_), p.at(kept_h_) + s * BH, BH);
  if (two_states_ && segments() > 1) copy(c_at(p, from_), p.at(kept_c_) + s * BH, BH);
}

template <typename real>
void CudaRecurrence<real>::keep_states(Pass<real>& p, int64_t s) {
  const int64_t BH = B_ * H_, t = std::min(s * segment_, T_);
  if (!all_h_) copy(p.at(kept_h_) + s * BH, h_at(p, t), BH);
  if (two_states_ && segments() > 1) copy(p.at(kept_c_) + s * BH, c_at(p, t), BH);
}

template <typename real>
void CudaRecurrence<real>::last_states(Pass<real>& p) {
  if (!gives_states_) return;
  copy(p.more[0].y, last_h(p), B_ * H_);
  if (two_states_) copy(p.more[1].y, last_c(p), B_ * H_);
}

template <typename real>
void CudaRecurrence<real>::last_states_backward(Pass<real>& p) {
  const auto begin = [&](real* d, size_t i) {  // [B, H]
    const real* const given = i < p.more.size() ? p.more[i].dy : nullptr;
    given ? copy(d, given, B_ * H_) : clear(d, B_ * H_);
  };
  begin(p.at(dh_), 0);
  begin(p.at(dc_), 1);
}

template <typename real>
void CudaRecurrence<real>::commit(Pass<real>& p) {
  if (!stateful_) return;
  const auto keep = [&](const Tensor& carry, const real* last) {
    this->q.launch("commit", CommitArgs<real>{B_ * H_, p.at(carry), last, p.finite});
  };
  keep(carry_h_, last_h(p));
  if (two_states_) keep(carry_c_, last_c(p));
}

#define HS_INSTANTIATE(real)                                             \
  template void CudaRecurrence<real>::backward(Pass<real>&);             \
  template void CudaRecurrence<real>::first_states(Pass<real>&);         \
  template void CudaRecurrence<real>::last_states(Pass<real>&);          \
  template void CudaRecurrence<real>::load_states(Pass<real>&, int64_t); \
  template void CudaRecurrence<real>::keep_states(Pass<real>&, int64_t); \
  template void CudaRecurrence<real>::commit(Pass<real>&);
HS_INSTANTIATE(float)
HS_INSTANTIATE(double)
#undef HS_INSTANTIATE

}  // namespace hs
