// The recurrence on a card: what device/cpu/ops/recurrence.cc computes, with a product and a kernel
// for each phase of each step.
//
//   forward    x W + b of all steps, one product; for each t, for each phase: gates[t] += operand
//              U, then the cell's formulas, a thread for each unit of each row
//   backward   for each t from the end: the formulas, which put the gradients of the gates in their
//              place, then d operand += dgates U^T; after the loop dU, dW, db and dx of all steps
//
// The launches of T steps are 2T + 2 forward and 2T + 4 backward for a cell of one phase. Masked
// steps are part of the products; the formulas leave them out.
#include "device/cuda/ops/parts/recurrence.h"

#include "base/error.h"
#include "device/cuda/ops/parts/rows.h"

namespace hs {

template <typename real>
CudaRecurrence<real>::CudaRecurrence(const Config& options, const OpContext& context,
                                     CardQueue& queue)
    : RecurrenceShape(options, context, cuda_cell(options.str("cell").c_str())),
      CudaLayer<real>(queue),
      steps_(queue, cuda_cell(options.str("cell").c_str()), inner_, outer_) {}

template <typename real>
void CudaRecurrence<real>::prepare(Declaration& d) {
  const int64_t T = T_, B = B_, D = D_, H = H_, GH = G_ * H, n = segment_;
  if (backwards_) x_run_ = d.saved("x reversed", {n, B, D});
  if (backwards_ && masked_) mask_run_ = d.saved("mask reversed", {T, B});
  if (late_) seen_ = d.saved("seen", {T, B});
  if (drop_W_) x_drop_ = d.scratch("x dropped", {n, B, D});
  if (drop_U_) operand_drop_ = d.scratch("operand dropped", {B, H});
  if (cell_->recurrent_bias) product_ = d.scratch("product", {B, GH});
  U_rounded_ = d.scratch("U rounded", {this->q.template rounded_size<real>(H * GH)});
  steps_.declare(d, B, H);
  if (!d.training()) return;
  dh_ = d.scratch("dh", {B, H});
  dc_ = d.scratch("dc", {B, H});
  daux_ = d.scratch("daux", {std::max(cell_->auxes, 1), B, H});
  if (cell_->recurrent_bias) drec_ = d.scratch("drec", {n, B, GH});
  if (late_) dy_seen_ = d.scratch("dy of real steps", {sequences_ ? n : 1, B, H});
  if (drop_U_) {
    product_drop_ = d.scratch("d operand before its mask", {B, H});
    sequence_drop_ = d.scratch("operands dropped", {n, B, H});
  }
  if (backwards_) dx_run_ = d.scratch("dx in running order", {n, B, D});
  if (drop_W_) dx_gate_ = d.scratch("dx of one gate", {n, B, D});
  if (cell_->vectors > 0) dvectors_ = d.scratch("dvectors", {cell_->vectors, n, B, H});
}

template <typename real>
void CudaRecurrence<real>::forward(Pass<real>& p) {
  const int64_t B = B_;
  draw_dropout(p);
  take_U(p);
  if (backwards_ && masked_)
    this->q.launch("reverse_steps", ReverseArgs<real>{T_ * B, T_, B, p.at(mask_run_), p.mask});
  if (late_) this->q.launch("seen_steps", SeenArgs<real>{B, T_, p.at(seen_), running_mask(p)});
  from_ = 0;
  first_states(p);
  for (int64_t s = 0; s < segments(); s++) {
    if (s == 0) {
      keep_states(p, 0);
    } else {
      from_ = s * segment_;
      load_states(p, s);
    }
    run_segment(p);
    keep_states(p, s + 1);
    if (late_) late_output(p);
  }
  last_states(p);
}

template <typename real>
void CudaRecurrence<real>::run_segment(Pass<real>& p) {
  project(p, running_input(p));
  for (int64_t t = from_; t < from_ + steps(); t++) {
    for (int phase = 0; phase < cell_->phases; phase++) step_forward(p, t, phase);
  }
}

// gates = x W + b for all steps of the segment.
template <typename real>
void CudaRecurrence<real>::project(Pass<real>& p, const real* x) {
  const int64_t n = steps(), B = B_, D = D_, H = H_, GH = G_ * H, rows = n * B;
  real* const gates = p.at(gates_);  // [n, B, G*H]
  this->q.launch("broadcast_rows", RowsArgs<real>{rows * GH, GH, gates, GH, p.at(b_)});
  const int products = drop_W_ && !shared_dropout_ ? G_ : 1;
  for (int g = 0; g < products; g++) {
    if (drop_W_) times_mask(p.at(x_drop_), x, p.at(drop_W_mask_) + g * B * D, n, B * D, false);
    this->q.multiply(gates + g * H, GH, {drop_W_ ? p.at(x_drop_) : x, D}, {p.at(W_) + g * H, GH},
                     rows, products > 1 ? H : GH, D, true);
  }
}

template <typename real>
void CudaRecurrence<real>::step_forward(Pass<real>& p, int64_t t, int phase) {
  const int64_t B = B_, H = H_, GH = G_ * H;
  const Phase& ph = cell_->phase[phase];
  const int64_t N = ph.count * H;
  CellStepArgs<real> args = step(p, t);
  CellArgs<real>& a = args.step;
  a.h = h_at(p, t + 1);
  if (two_states_) a.c = c_at(p, t + 1);
  // Where operand U goes: beside x W + b, which it is added to, or apart with a bias of its own.
  real* to = gates_at(p, t) + ph.first * H;
  int64_t ld = GH;
  if (cell_->recurrent_bias) {
    to = p.at(product_), ld = N, a.product = to;
    this->q.launch("broadcast_rows", RowsArgs<real>{B * N, N, to, N, p.at(c_bias_) + ph.first * H});
  }
  if (!left_out(ph, t)) {
    const real* const operand = operand_at(p, ph, t);
    const int products = drop_U_ && !shared_dropout_ ? ph.count : 1;
    for (int g = 0; g < products; g++) {
      if (drop_U_)
        times_mask(p.at(operand_drop_), operand, recurrent_mask(p, ph.first + g), 1, B * H, false);
      this->q.multiply(to + g * H, ld, {drop_U_ ? p.at(operand_drop_) : operand, H},
                       U_of(ph.first + g, false), B, products > 1 ? H : N, H, true);
    }
  }
  steps_.run(p, true, phase, args);
}

template <typename real>
CellStepArgs<real> CudaRecurrence<real>::step(const Pass<real>& p, int64_t t) const {
  CellStepArgs<real> args = {};
  args.n = B_ * H_;
  for (size_t i = 0; i < vectors_.size(); i++) args.vectors[i] = p.at(vectors_[i]);
  CellArgs<real>& a = args.step;
  a.r1 = B_, a.H = H_, a.u1 = H_;
  a.inner = inner_, a.outer = outer_;
  if (const real* mask = running_mask(p)) a.mask = mask + t * B_;
  a.h_prev = h_at(p, t);
  if (two_states_) a.c_prev = c_at(p, t);
  a.gates = gates_at(p, t);
  if (cell_->auxes > 0) a.aux = aux_at(p, t), a.aux_stride = aux_stride();
  return args;
}

template <typename real>
const real* CudaRecurrence<real>::running_input(Pass<real>& p) {
  const int64_t BD = B_ * D_, n = steps();
  if (!backwards_) return p.x[0] + from_ * BD;
  const real* const x = p.x[0] + (T_ - from_ - n) * BD;  // the steps of the segment
  this->q.launch("reverse_steps", ReverseArgs<real>{n * BD, n, BD, p.at(x_run_), x});
  return p.at(x_run_);
}

template <typename real>
void CudaRecurrence<real>::draw_dropout(const Pass<real>& p) {
  const auto draw = [&](const Tensor& mask, int64_t n, double rate, uint32_t which) {
    if (p.training) {
      dropout_mask(this->q, p.at(mask), n, rate, p.dropout, this->stream() * 16 + which);
    } else {
      this->q.launch("fill", FillArgs<real>{n, p.at(mask), 1});
    }
  };
  if (drop_W_) draw(drop_W_mask_, masks() * B_ * D_, p_W_, 0);
  if (drop_U_) draw(drop_U_mask_, masks() * B_ * H_, p_U_, 1);
}

// y[t, :] (+)= x[t, :] * mask for n steps of `width` numbers.
template <typename real>
void CudaRecurrence<real>::times_mask(real* y, const real* x, const real* mask, int64_t n,
                                      int64_t width, bool adds) {
  this->q.launch("multiply", ProductArgs<real>{n * width, width, y, x, mask, adds});
}

// Masked and stateful: the output is h, but 0 before a row's first real step.
template <typename real>
void CudaRecurrence<real>::late_output(Pass<real>& p) {
  const int64_t BH = B_ * H_, first = sequences_ ? from_ : T_ - 1, end = from_ + steps();
  if (first < from_ || first >= end) return;
  this->q.launch("select",
                 SelectArgs<real>{(end - first) * BH, H_, p.y + (sequences_ ? first * BH : 0),
                                  h_at(p, first + 1), p.at(seen_) + first * B_});
}

template <typename real>
std::unique_ptr<Layer<real>> make_cuda_recurrence(const Config& options, const OpContext& context,
                                                  CardQueue& queue) {
  return std::make_unique<CudaRecurrence<real>>(options, context, queue);
}

HS_REGISTER_CUDA_LAYER(recurrence)
template class CudaRecurrence<float>;
template class CudaRecurrence<double>;

}  // namespace hs
