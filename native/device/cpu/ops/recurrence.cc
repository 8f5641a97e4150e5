// The recurrence: everything that all cells share. A cell (kernels/cell.h) is only its gates,
// phases and pointwise formulas.
//
//   forward: for each t, for each phase
//     gates[t] = x[t] W + b + operand U, activations, states; fused, per block of rows and panel.
//     Unless folded_, x W + b is one product for all steps, made before the loop.
//   backward (parts/recurrence_backward.cc): for each t from the end, for each phase from the last
//     the gradients of the gates replace the gates, d operand += dgates U^T; after the loop dU, dW,
//     db and dx, one product each over T*B rows.
//     truncate k: no gradient goes from step k, 2k, ... to the step before, as if its states were
//     constants there (Williams & Peng 1990, BPTT(h; h') with h = h' = k).
//   states at the ends of a batch and of a segment: parts/recurrence_states.cc
//
// Rows of a batch never meet inside the loop, so a thread takes its rows through all T steps
// without a barrier; a small batch is split by hidden panels instead, with a barrier a phase.
// Neither changes a bit of the result (kernels/cell_kernels.h). h is [T+1, B, H]: slot 0 the state
// before step 0 (zero, carried, an input, or learned: a parameter, the same for all rows), slots
// 1..T the output itself.
//
// checkpoint k: what backward reads lies there for k steps only, a segment. Forward keeps the
// states between segments; backward makes the gates of a segment again, from the last segment to
// the first (Chen et al. 2016, arXiv:1604.06174). The bits are those of one segment of T steps:
// weight gradients are chains over falling t either way (decision 0017).
//
// Masked steps are left out of all products: kernels take lists of the rows that are real.
//
// Masks, Keras 1.2.2 theano_backend.py rnn(): a masked step keeps all states and repeats the
// previous output; before the first real step the output is 0, even where a stateful layer carries
// a state; a learned one is the output. Dropout masks are drawn once a batch and shared by all
// steps (Gal & Ghahramani 2016, arXiv:1512.05287; Keras recurrent.py get_constants).
#include "device/cpu/ops/parts/recurrence.h"
#include "device/cpu/rng.h"

#include <algorithm>

#include "device/cpu/ops/parts/matmul.h"
#include "device/cpu/threads/parallel.h"

namespace hs {

// With x W in the products of the steps (folded_), x W + b is never written to memory. But then
// each step reads all of W: that pays for kFoldRows rows or more (and for a single step, which
// reads W once either way), and while a panel of D + H rows, at most kFoldDepth, stays in cache.
constexpr int64_t kFoldRows = 4, kFoldDepth = 1024;

template <typename real>
Recurrence<real>::Recurrence(const Config& options, const OpContext& context,
                             const Table<real>& table, const CellKernels<real>* cell,
                             const FusedCell<real>* fused)
    : RecurrenceShape(options, context, cell ? cell : table.cell(options.str("cell").c_str())),
      CpuLayer<real>(table),
      kernels_(static_cast<const CellKernels<real>*>(cell_)),
      fused_(cell ? fused : table.fused_cell(cell_->name)),
      plain_(!fused_ || H_ > fused_->most_units || needs_rows(inner_) || needs_rows(outer_)),
      packed_U_(size_t(cell_->phases)),
      packed_UT_(size_t(cell_->phases)) {}

template <typename real>
void Recurrence<real>::prepare(Declaration& d) {
  const int64_t T = T_, B = B_, D = D_, H = H_, GH = G_ * H, n = segment_, S = segments();
  folded_ = !plain_ && !cell_->recurrent_bias && !drop_W_ && (B >= kFoldRows || T == 1) &&
            D + H <= kFoldDepth;
  may_be_sparse_ = !plain_ && !drop_W_ && !this->k->converts;
  if (may_be_sparse_) x_rows_.reserve(n * B, D);
  if (backwards_) x_run_ = d.saved("x reversed", {n, B, D});
  if (masked_) {
    real_b_.resize(size_t(T * B)), real_tb_.resize(size_t(T * B));
    real_from_.resize(size_t(T + 1));
    real_above_.resize(size_t(B + 1));
    first_real_.resize(size_t(B));
  }
  if (backwards_ && masked_) mask_run_ = d.saved("mask reversed", {T, B});

  if (!folded_)
    packed_W_ = d.packed("W", {drop_W_ && !shared_dropout_ ? G_ * packed_size(this->k, D, H)
                                                           : packed_size(this->k, D, GH)});
  for (int phase = 0; phase < cell_->phases; phase++) {
    const int64_t count = cell_->phase[phase].count;
    packed_U_[phase] = d.packed(
        "U", {plain_ ? count * packed_size(this->k, H, H)
                     : int64_t(fused_->packed_size(fused_->self, phase, folded_ ? D : 0, H))});
    if (d.training()) {
      const int64_t each = packed_size(this->k, H, H);
      packed_UT_[phase] = d.packed(
          "U^T", {drop_U_ && !shared_dropout_ ? count * each : packed_size(this->k, count * H, H)});
    }
  }
  if (drop_W_) x_drop_ = d.scratch("x dropped", {n, B, D});
  if (drop_U_) operand_drop_ = d.scratch("operand dropped", {G_, B, H});
  if (plain_) {
    product_ = d.scratch("product", {B, GH});
    scratch_rows_ = d.scratch("rows", {threads(), kernels_->row_scratch * H});
  }
  if (!d.training()) return;
  dh_ = d.scratch("dh", {B, H});
  dc_ = d.scratch("dc", {B, H});
  daux_ = d.scratch("daux", {std::max(cell_->auxes, 1), B, H});
  if (cell_->recurrent_bias) drec_ = d.scratch("drec", {n, B, GH});
  if (late_) dy_seen_ = d.scratch("dy of real steps", {sequences_ ? n : 1, B, H});
  if (drop_U_)
    product_drop_ = d.scratch("d operand before its mask", {B, H}),
    sequence_drop_ = d.scratch("operands dropped", {n, B, H});
  if (backwards_) dx_run_ = d.scratch("dx in running order", {n, B, D});
  if (drop_W_ && !shared_dropout_) dx_gate_ = d.scratch("dx of one gate", {n, B, D});
  packed_WT_ = d.packed("W^T", {drop_W_ && !shared_dropout_ ? G_ * packed_size(this->k, H, D)
                                                            : packed_size(this->k, GH, D)});
  gemm_scratch_ = d.scratch("gemm", {matmul_tn_scratch(this->k)});
  chains_.assign(size_t(2 * G_), WeightChain());
  for (WeightChain& chain : chains_) {
    if (S == 1 || this->k->gemm_k == 1) break;
    chain.a = d.scratch("waiting operand", {2, std::max(D, H)});
    chain.b = d.scratch("waiting gradient", {2, GH});
  }
  const int64_t blocks = tiles_of(T, sum_steps(B));
  sums_ = d.scratch("sums", {blocks, GH});
  if (cell_->recurrent_bias) recurrent_sums_ = d.scratch("sums of drec", {blocks, GH});
  if (cell_->vectors == 0) return;
  dvectors_ = d.scratch("dvectors", {cell_->vectors, n, B, H});
  vector_sums_ = d.scratch("sums of dvectors", {cell_->vectors, blocks, H});
}

// How a step is shared out: rows to each worker, or hidden panels to each, or all to one.
template <typename real>
typename Recurrence<real>::Split Recurrence<real>::split() const {
  const double step = 2.0 * double(B_) * double(G_) * double(H_) * double(H_);
  const int n = threads();
  if (n == 1) return {1, true};
  if (B_ >= 4 * n) return step * double(T_) < 1e6 ? Split{1, true} : Split{n, true};
  // Few rows are as slow as the weights are read. A step must be worth a barrier (0.2 to 1 us) a
  // phase; dropped operands are made for whole rows. Whether it pays here and now, the clock finds
  // out (device/cpu/pace.h).
  if (!plain_ && !drop_U_ && step > 6e4) return {n, false};
  return {1, true};
}

template <typename real>
std::pair<int64_t, int64_t> Recurrence<real>::rows_of(const Split& split, int worker) const {
  if (!split.by_rows) return {0, B_};
  const auto first = [&](int w) -> int64_t {
    if (!skips_ || w == split.workers) return B_ * w / split.workers;
    const auto begin = real_above_.begin(), end = real_above_.end() - 1;
    return std::lower_bound(begin, end, *end * w / split.workers) - begin;
  };
  return {first(worker), first(worker + 1)};
}

template <typename real>
void Recurrence<real>::forward(Pass<real>& p) {
  vector_.clear();
  for (const Tensor& vector : vectors_) vector_.push_back(p.at(vector));
  draw_dropout(p);
  for (int64_t t = 0; backwards_ && masked_ && t < T_; t++)
    std::copy_n(p.mask + (T_ - 1 - t) * B_, B_, p.at(mask_run_) + t * B_);
  find_real_rows(p);
  if (p.repack) pack_forward(p);

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

// All steps of the segment, from the states before it.
template <typename real>
void Recurrence<real>::run_segment(Pass<real>& p) {
  const real* x = running_input(p);  // [n, B, D]
  sparse_ = may_be_sparse_ && x_rows_.find(x, steps() * B_, D_);
  if (!folded_) project(p, x);
  const Split split = this->split();
  Barrier barrier(split.workers);
  auto work = [&](int worker) {
    const auto rows = rows_of(split, worker);
    const int64_t r0 = rows.first, r1 = rows.second;
    for (int64_t t = from_, end = from_ + steps(); t < end; t++) {
      for (int phase = 0; phase < cell_->phases; phase++) {
        step_forward(p, x, t, phase, r0, r1, split, worker);
        const bool last = t + 1 == end && phase + 1 == cell_->phases;  // then the region ends
        if (!split.by_rows && !last) barrier.wait();
      }
    }
  };
  if (split.workers == 1) {
    work(0);
  } else {
    parallel_region(split.workers, work);
  }
}

// gates = x W + b for all steps of the segment; without b on the plain path, whose products begin
// with it.
template <typename real>
void Recurrence<real>::project(Pass<real>& p, const real* x) {
  const Table<real>* k = this->k;
  const int64_t n = steps(), B = B_, D = D_, H = H_, GH = G_ * H, rows = n * B;
  real* gates = p.at(gates_);  // [n, B, G*H]
  const bool with_b = !plain_ || cell_->recurrent_bias;
  if (with_b)
    for_rows(rows, GH, [&](int64_t r0, int64_t r1) {
      k->broadcast_rows(gates + r0 * GH, p.at(b_), r1 - r0, GH);
    });
  if (drop_W_ && !shared_dropout_) {
    const int64_t each = packed_size(this->k, D, H);
    for (int q = 0; q < G_; q++) {
      times_mask(k, p.at(x_drop_), x, p.at(drop_W_mask_) + q * B * D, n, B * D);
      matmul(k, gates + q * H, GH, p.at(x_drop_), D, p.at(packed_W_) + q * each, rows, H, D,
             with_b);
    }
    return;
  }
  if (sparse_) return x_rows_.multiply(k, gates, x, D, p.at(W_), GH);
  if (drop_W_) times_mask(k, p.at(x_drop_), x, p.at(drop_W_mask_), n, B * D);
  const RealRows real_ones = skips_ ? real_rows_back(from_) : RealRows{nullptr, rows};
  matmul(k, gates, GH, drop_W_ ? p.at(x_drop_) : x, D, p.at(packed_W_), real_ones.count, GH, D,
         with_b, real_ones.rows);
}

template <typename real>
void Recurrence<real>::pack_projection(Pass<real>& p) {
  const int64_t D = D_, H = H_, GH = G_ * H;
  if (!drop_W_ || shared_dropout_)
    return pack(this->k, p.at(packed_W_), p.at(W_), GH, false, D, GH);
  for (int q = 0; q < G_; q++)
    pack(this->k, p.at(packed_W_) + q * packed_size(this->k, D, H), p.at(W_) + q * H, GH, false, D,
         H);
}

template <typename real>
void Recurrence<real>::pack_forward(Pass<real>& p) {
  const int64_t H = H_, GH = G_ * H;
  if (!folded_) pack_projection(p);
  for (int phase = 0; phase < cell_->phases; phase++) {
    const Phase& ph = cell_->phase[phase];
    real* packed = p.at(packed_U_[phase]);
    if (!plain_) {
      const real* bias = p.at(cell_->recurrent_bias ? c_bias_ : b_);  // [G*H]
      for_chunks(H, fused_->panel_units(fused_->self, phase), (D_ + H) * ph.count,
                 [&](int64_t u0, int64_t u1) {
                   fused_->pack(fused_->self, phase, packed, bias, p.at(W_), folded_ ? D_ : 0,
                                p.at(U_), H, u0, u1);
                 });
      continue;
    }
    for (int q = ph.first; q < ph.first + ph.count; q++, packed += packed_size(this->k, H, H)) {
      pack(this->k, packed, p.at(U_) + q * H, GH, false, H, H);
    }
  }
}

template <typename real>
void Recurrence<real>::step_forward(Pass<real>& p, const real* x, int64_t t, int phase, int64_t r0,
                                    int64_t r1, const Split& split, int worker) {
  const Table<real>* k = this->k;
  const int64_t B = B_, H = H_, BH = B * H;
  const Phase& ph = cell_->phase[phase];
  CellArgs<real> a = step(p, t, r0, r1);
  a.K = left_out(ph, t) ? 0 : H;
  a.operand = operand_at(p, ph, t);
  a.packed = p.at(packed_U_[phase]);
  if (folded_) a.x = x + (t - from_) * B * D_, a.D = D_;
  if (folded_ && sparse_)
    a.x_from = x_rows_.from() + (t - from_) * B, a.x_columns = x_rows_.columns();
  a.h = h_at(p, t + 1);
  if (two_states_) a.c = c_at(p, t + 1);
  if (drop_U_) {
    const int n = shared_dropout_ ? 1 : ph.count;
    real* dropped = p.at(operand_drop_);  // [n, B, H]
    for (int q = 0; q < n; q++) {
      const real* m = p.at(drop_U_mask_) + (shared_dropout_ ? 0 : ph.first + q) * BH;
      k->multiply(dropped + q * BH + r0 * H, a.operand + r0 * H, m + r0 * H, (r1 - r0) * H);
    }
    a.operand = dropped;
    a.operand_gate = n > 1 ? BH : 0;
  }
  if (plain_) {
    real* product = p.at(product_);  // [B, count*H]
    const int64_t N = ph.count * H;
    const real* bias = p.at(cell_->recurrent_bias ? c_bias_ : b_);  // [G*H]
    k->broadcast_rows(product + r0 * N, bias + ph.first * H, r1 - r0, N);
    for (int q = 0; q < ph.count && a.K > 0; q++) {
      k->gemm(product + r0 * N + q * H, N, a.operand + q * a.operand_gate + r0 * H, H,
              a.packed + q * packed_size(this->k, H, H), r1 - r0, H, H, 0, H, true, nullptr);
    }
    a.product = product;
    a.scratch = p.at(scratch_rows_) + worker * kernels_->row_scratch * H;
    kernels_->forward_rows(kernels_->self, phase, a);
    return;
  }
  const int64_t units = fused_->panel_units(fused_->self, phase), panels = tiles_of(H, units);
  a.u0 = split.by_rows ? 0 : panels * worker / split.workers * units;
  a.u1 = split.by_rows ? H : std::min(H, panels * (worker + 1) / split.workers * units);
  if (skips_) {
    const RealRows real_ones = real_rows(t, r0, r1);
    a.real_rows = real_ones.rows, a.real_count = real_ones.count;
  }
  fused_->forward(fused_->self, phase, a);
}

template <typename real>
CellArgs<real> Recurrence<real>::step(const Pass<real>& p, int64_t t, int64_t r0,
                                      int64_t r1) const {
  CellArgs<real> a;
  a.r0 = r0, a.r1 = r1, a.H = H_;
  a.u1 = H_;
  a.inner = inner_, a.outer = outer_;
  if (const real* mask = running_mask(p)) a.mask = mask + t * B_;
  a.h_prev = h_at(p, t);
  if (two_states_) a.c_prev = c_at(p, t);
  a.gates = gates_at(p, t);
  if (cell_->auxes > 0) a.aux = aux_at(p, t), a.aux_stride = aux_stride();
  a.vectors = vector_.data();
  return a;
}

template <typename real>
const real* Recurrence<real>::running_input(Pass<real>& p) const {
  const int64_t BD = B_ * D_;
  if (!backwards_) return p.x[0] + from_ * BD;
  for (int64_t i = 0; i < steps(); i++)
    std::copy_n(p.x[0] + (T_ - 1 - from_ - i) * BD, BD, p.at(x_run_) + i * BD);
  return p.at(x_run_);
}

template <typename real>
void Recurrence<real>::find_real_rows(const Pass<real>& p) {
  skips_ = false;
  const real* mask = running_mask(p);  // [T, B]
  for (int64_t b = 0; mask && b < B_; b++) {
    int64_t& t = first_real_[size_t(b)];
    for (t = 0; t < T_ && mask[t * B_ + b] == 0;) t++;
  }
  if (!mask || plain_) return;
  int64_t n = 0;
  for (int64_t t = 0; t < T_; t++) {
    real_from_[size_t(t)] = n;
    for (int64_t b = 0; b < B_; b++) {
      if (mask[t * B_ + b] == 0) continue;
      real_b_[size_t(n)] = static_cast<int32_t>(b);
      real_tb_[size_t(n++)] = static_cast<int32_t>(t % segment_ * B_ + b);
    }
  }
  real_from_[size_t(T_)] = n;
  skips_ = n < T_ * B_;
  if (!skips_) return;
  for (int64_t t = 0; t < T_; t += segment_)
    std::reverse(real_tb_.begin() + real_from_[size_t(t)],
                 real_tb_.begin() + real_from_[size_t(std::min(T_, t + segment_))]);
  std::fill(real_above_.begin(), real_above_.end(), 0);
  for (int64_t i = 0; i < n; i++) real_above_[size_t(real_b_[size_t(i)] + 1)]++;
  for (int64_t b = 0; b < B_; b++) real_above_[size_t(b + 1)] += real_above_[size_t(b)];
}

template <typename real>
typename Recurrence<real>::RealRows Recurrence<real>::real_rows(int64_t t, int64_t r0,
                                                                int64_t r1) const {
  const int32_t *begin = real_b_.data() + real_from_[size_t(t)],
                *end = real_b_.data() + real_from_[size_t(t + 1)];
  const int32_t* first = std::lower_bound(begin, end, r0);
  return {first, std::lower_bound(first, end, r1) - first};
}

template <typename real>
void Recurrence<real>::draw_dropout(Pass<real>& p) const {
  if (drop_W_) {
    if (p.training)
      dropout_mask(p.at(drop_W_mask_), masks(), B_, D_, p_W_, p.dropout, this->stream() * 16);
    else
      this->k->fill(p.at(drop_W_mask_), 1, masks() * B_ * D_);
  }
  if (drop_U_) {
    if (p.training)
      dropout_mask(p.at(drop_U_mask_), masks(), B_, H_, p_U_, p.dropout, this->stream() * 16 + 1);
    else
      this->k->fill(p.at(drop_U_mask_), 1, masks() * B_ * H_);
  }
}

template <typename real>
void Recurrence<real>::times_mask(const Table<real>* k, real* z, const real* x, const real* mask,
                                  int64_t T, int64_t n) {
  for_rows(T, n, [&](int64_t t0, int64_t t1) {
    for (int64_t t = t0; t < t1; t++) k->multiply(z + t * n, x + t * n, mask, n);
  });
}

template <typename real>
std::unique_ptr<Layer<real>> make_recurrence(const Config& options, const OpContext& context,
                                             const Table<real>& k) {
  return std::make_unique<Recurrence<real>>(options, context, k);
}

HS_REGISTER_LAYER(recurrence)
template class Recurrence<float>;
template class Recurrence<double>;

}  // namespace hs
