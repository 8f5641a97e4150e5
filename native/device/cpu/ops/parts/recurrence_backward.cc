// The backward pass of the recurrence; what it computes stands in device/cpu/ops/recurrence.cc.
#include <algorithm>

#include "device/cpu/ops/parts/matmul.h"
#include "device/cpu/ops/parts/recurrence.h"
#include "device/cpu/threads/parallel.h"

namespace hs {

template <typename real>
void Recurrence<real>::backward(Pass<real>& p) {
  if (p.repack) pack_backward(p);
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
void Recurrence<real>::pack_backward(Pass<real>& p) {
  const int64_t D = D_, H = H_, GH = G_ * H;
  for (int phase = 0; phase < cell_->phases; phase++) {
    const Phase& ph = cell_->phase[phase];
    real* packed = p.at(packed_UT_[phase]);
    if (drop_U_ && !shared_dropout_) {  // a product for each gate, since each meets its own mask
      for (int q = ph.first; q < ph.first + ph.count; q++, packed += packed_size(this->k, H, H)) {
        pack(this->k, packed, p.at(U_) + q * H, GH, true, H, H);
      }
    } else {
      pack(this->k, packed, p.at(U_) + ph.first * H, GH, true, ph.count * H, H);
    }
  }
  if (!p.dx[0]) return;
  if (!drop_W_ || shared_dropout_)
    return pack(this->k, p.at(packed_WT_), p.at(W_), GH, true, GH, D);
  for (int q = 0; q < G_; q++)
    pack(this->k, p.at(packed_WT_) + q * packed_size(this->k, H, D), p.at(W_) + q * H, GH, true, H,
         D);
}

// The steps of the segment, from the last. dh and dc come in and go out as the gradients of the
// states after it and before it.
template <typename real>
void Recurrence<real>::steps_backward(Pass<real>& p) {
  const int64_t B = B_, H = H_, BH = B * H;
  // [n, B, H], or [B, H] of the last step
  const real* dy = late_ ? seen_dy(p) : p.dy + (sequences_ ? from_ * BH : 0);
  real *dh = p.at(dh_), *dc = p.at(dc_);  // [B, H]
  const Split split = this->split();

  Barrier barrier(split.workers);
  auto work = [&](int worker) {
    const auto rows = rows_of(split, worker);
    const int64_t r0 = rows.first, r1 = rows.second;
    const int64_t units = this->k->gemm_nr, panels = tiles_of(H, units);
    const int64_t n0 = split.by_rows ? 0 : panels * worker / split.workers * units;
    const int64_t n1 =
        split.by_rows ? H : std::min(H, panels * (worker + 1) / split.workers * units);
    const auto forget = [&] {
      for (int64_t r = r0; r < r1; r++) {
        std::fill(dh + r * H + n0, dh + r * H + n1, real(0));
        std::fill(dc + r * H + n0, dc + r * H + n1, real(0));
      }
    };
    for (int64_t t = from_ + steps() - 1; t >= from_; t--) {
      const real* dy_t =  // [B, H]
          sequences_    ? dy + (t - from_) * BH
          : t == T_ - 1 ? dy
                        : nullptr;
      for (int phase = cell_->phases - 1; phase >= 0; phase--) {
        CellArgs<real> a = step(p, t, r0, r1);
        a.u0 = n0, a.u1 = n1;
        a.dy = dy_t, a.dh = dh, a.dc = dc, a.daux = p.at(daux_), a.daux_stride = BH;
        if (cell_->vectors > 0)
          a.dvectors = p.at(dvectors_) + (t - from_) * BH, a.dvector_stride = aux_stride();
        if (cell_->recurrent_bias) a.drec = p.at(drec_) + (t - from_) * BH * G_;
        if (plain_) {
          a.scratch = p.at(scratch_rows_) + worker * kernels_->row_scratch * H;
          kernels_->backward_rows(kernels_->self, phase, a);
        } else {
          kernels_->backward(kernels_->self, phase, a);
        }
        if (!split.by_rows) barrier.wait();
        operand_backward(p, t, phase, r0, r1, n0, n1);
        if (!split.by_rows) barrier.wait();
      }
      if (detached(t)) forget();
    }
  };
  if (split.workers == 1) {
    work(0);
  } else {
    parallel_region(split.workers, work);
  }
}

// d operand += d gates U^T, through the operand's dropout mask; into dh (operand h_prev), dc
// (c_prev) or daux.
template <typename real>
void Recurrence<real>::operand_backward(Pass<real>& p, int64_t t, int phase, int64_t r0, int64_t r1,
                                        int64_t n0, int64_t n1) {
  const Phase& ph = cell_->phase[phase];
  if (detached(t) && ph.on_state()) return;  // the gradient of that state is not needed
  const int64_t B = B_, H = H_, GH = G_ * H, rows = r1 - r0;
  // [B, count*H] in [B, G*H]
  const real* d =
      p.at(cell_->recurrent_bias ? drec_ : gates_) + (t - from_) * B * GH + ph.first * H;
  const bool adds = ph.on_state();
  real* out = ph.operand == Operand::kH   ? p.at(dh_)  // [B, H]
              : ph.operand == Operand::kC ? p.at(dc_)
                                          : p.at(daux_) + ph.aux * B * H;
  const real* packed = p.at(packed_UT_[phase]);
  if (!drop_U_ && skips_) {  // nothing comes from masked rows, and nobody reads their daux
    const RealRows real_ones = real_rows(t, r0, r1);
    this->k->gemm(out, H, d, GH, packed, real_ones.count, H, ph.count * H, n0, n1, adds,
                  real_ones.rows);
    return;
  }
  d += r0 * GH, out += r0 * H;  // [rows, count*H], [rows, H]
  if (!drop_U_) {
    this->k->gemm(out, H, d, GH, packed, rows, H, ph.count * H, n0, n1, adds, nullptr);
    return;
  }
  real* product = p.at(product_drop_) + r0 * H;  // [rows, H]
  if (!adds) this->k->fill(out, 0, rows * H);
  const int n = shared_dropout_ ? 1 : ph.count;
  for (int q = 0; q < n; q++) {
    const int64_t K = shared_dropout_ ? ph.count * H : H;
    this->k->gemm(product, H, d + q * H, GH, packed + q * packed_size(this->k, H, H), rows, H, K, 0,
                  H, false, nullptr);
    const real* m = p.at(drop_U_mask_) + ((shared_dropout_ ? 0 : ph.first + q) * B + r0) * H;
    this->k->multiply_add(out, product, m, rows * H);
  }
}

// Every element is one chain over t from the last step to the first, and over the rows of a step
// from the last: segments follow each other in that order, so that their borders do not show.
template <typename real>
void Recurrence<real>::weights_backward(Pass<real>& p) {
  const int64_t n = steps(), B = B_, D = D_, H = H_, GH = G_ * H, BH = B * H;
  size_t i = 0;
  // The rows of steps [t0, end): a [n, B, M], b [n, B, N in G*H].
  auto product = [&](real* c, const real* a, const real* b, int64_t t0, int64_t M, int64_t N) {
    add_rows(p, chains_[i++], c, a, M, b, N, t0);
  };
  const real* gates = p.at(gates_);                                 // [n, B, G*H]
  const real* drec = p.at(cell_->recurrent_bias ? drec_ : gates_);  // [n, B, G*H]
  for (int phase = 0; phase < cell_->phases; phase++) {
    const Phase& ph = cell_->phase[phase];
    const real* operand = operand_at(p, ph, from_);  // [n, B, H]
    const int64_t t0 = left_out(ph, from_) ? 1 : from_;
    const real* d = drec + ph.first * H;   // [n, B, count*H] in [n, B, G*H]
    real* dU = p.grad(U_) + ph.first * H;  // [H, count*H] in [H, G*H]
    const int masks_here = drop_U_ && !shared_dropout_ ? ph.count : 1;
    for (int q = 0; q < masks_here; q++) {
      const real* a = operand;
      if (drop_U_) {
        const real* m = p.at(drop_U_mask_) + (shared_dropout_ ? 0 : ph.first + q) * BH;
        times_mask(this->k, p.at(sequence_drop_), operand, m, n, BH);
        a = p.at(sequence_drop_);
      }
      product(dU + q * H, a, d + q * H, t0, H, masks_here > 1 ? H : ph.count * H);
    }
  }
  const real* x = backwards_ ? p.at(x_run_) : p.x[0] + from_ * B * D;  // [n, B, D]
  if (sparse_) {
    WeightChain& chain = chains_[i];
    x_rows_.multiply_transposed(this->k, p.grad(W_), x, D, gates, GH,
                                chain.begun && !last_segment());
    chain.begun = true;
  }
  for (int q = 0; q < (drop_W_ ? masks() : sparse_ ? 0 : 1); q++) {
    if (drop_W_) times_mask(this->k, p.at(x_drop_), x, p.at(drop_W_mask_) + q * B * D, n, B * D);
    product(p.grad(W_) + q * H, drop_W_ ? p.at(x_drop_) : x, gates + q * H, from_, D,
            drop_W_ && masks() > 1 ? H : GH);
  }
  sum_backward(p.grad(b_), gates, GH, p.at(sums_));
  if (cell_->recurrent_bias) sum_backward(p.grad(c_bias_), drec, GH, p.at(recurrent_sums_));
  for (int i = 0; i < cell_->vectors; i++)
    sum_backward(p.grad(vectors_[size_t(i)]), p.at(dvectors_) + i * aux_stride(), H,
                 p.at(vector_sums_) + i * vector_sums_.size / cell_->vectors);
}

// c[M, N in G*H] (+)= a^T b over the rows of steps [t0, end of the segment), falling. Where a
// product takes two rows together, a segment of an odd number would pair all that follow otherwise
// than the whole: its last row waits for the first of the next segment.
template <typename real>
void Recurrence<real>::add_rows(Pass<real>& p, WeightChain& chain, real* c, const real* a,
                                int64_t M, const real* b, int64_t N, int64_t t0) {
  const int64_t GH = G_ * H_, last = steps() * B_ - 1;
  const int32_t* which = skips_ ? real_rows_back(t0).rows : nullptr;
  int64_t k = 0, K = skips_ ? real_rows_back(t0).count : (from_ + steps() - t0) * B_;
  if (last_segment()) chain.begun = chain.waits = false;
  const auto row = [&](int64_t i) -> int64_t { return which ? which[i] : last - i; };
  const auto add = [&](const real* x, int64_t ldx, const real* y, int64_t ldy, int64_t rows,
                       const int32_t* these) {
    matmul_tn(this->k, c, GH, x, ldx, y, ldy, rows, M, N, chain.begun, p.at(gemm_scratch_),
              gemm_scratch_.size, these);
    chain.begun = true;
  };
  // Copies row i to place 0, where it waits, or to place 1, beside the one that waits.
  const auto keep = [&](int64_t place, int64_t i) {
    std::copy_n(a + row(i) * M, M, p.at(chain.a) + place * M);
    std::copy_n(b + row(i) * GH, N, p.at(chain.b) + place * N);
  };

  if (chain.waits && K > 0) {
    keep(1, k++);
    add(p.at(chain.a), M, p.at(chain.b), N, 2, nullptr);
    chain.waits = false;
  }
  if (from_ > 0 && (K - k) % this->k->gemm_k != 0) {
    keep(0, --K);
    chain.waits = true;
  }
  if (from_ == 0 && chain.waits) add(p.at(chain.a), M, p.at(chain.b), N, 1, nullptr);
  if (K == k && (from_ > 0 || chain.begun)) return;
  if (which) {
    add(a, M, b, GH, K - k, which + k);
  } else {
    add(a + (last - k) * M, -M, b + (last - k) * GH, -GH, K - k, nullptr);
  }
}

// sum[width] of d [T, B, width], of which a segment [n, B, width] is here: blocks of steps, each
// one chain over falling rows, then the blocks in order. `sums` holds the blocks from segment to
// segment.
template <typename real>
void Recurrence<real>::sum_backward(real* sum, const real* d, int64_t width, real* sums) {
  const int64_t B = B_, each = sum_steps(B), end = from_ + steps();
  for_chunks(tiles_of(end, each) - from_ / each, 1, each * B * width, [&](int64_t i0, int64_t i1) {
    for (int64_t i = from_ / each + i0; i < from_ / each + i1; i++) {
      const int64_t first = std::max(from_, i * each), after = std::min(end, (i + 1) * each);
      this->k->column_sums(sums + i * width, d + ((after - from_) * B - 1) * width, -width,
                           (after - first) * B, width, after < std::min(T_, (i + 1) * each));
    }
  });
  if (from_ == 0) this->k->column_sums(sum, sums, width, tiles_of(T_, each), width, false);
}

template <typename real>
void Recurrence<real>::input_backward(Pass<real>& p) {
  const int64_t n = steps(), B = B_, D = D_, H = H_, GH = G_ * H, rows = n * B;
  const Table<real>* k = this->k;
  real* dx = backwards_ ? p.at(dx_run_) : p.dx[0] + from_ * B * D;  // [n, B, D]
  real* packed = p.at(packed_WT_);
  if (drop_W_ && !shared_dropout_) {
    real* one = p.at(dx_gate_);  // [n, B, D]
    for (int q = 0; q < G_; q++) {
      matmul(k, one, D, p.at(gates_) + q * H, GH, packed, rows, D, H, false);
      packed += packed_size(this->k, H, D);
      const real* m = p.at(drop_W_mask_) + q * B * D;  // [B, D]
      if (q == 0) {
        times_mask(k, dx, one, m, n, B * D);
      } else {
        for_rows(n, B * D, [&](int64_t t0, int64_t t1) {
          for (int64_t t = t0; t < t1; t++)
            k->multiply_add(dx + t * B * D, one + t * B * D, m, B * D);
        });
      }
    }
  } else {
    if (skips_) {
      for_elements(rows * D, [&](int64_t i, int64_t end) { k->fill(dx + i, 0, end - i); });
      const RealRows real_ones = real_rows_back(from_);
      matmul(k, dx, D, p.at(gates_), GH, packed, real_ones.count, D, GH, false, real_ones.rows);
    } else {
      matmul(k, dx, D, p.at(gates_), GH, packed, rows, D, GH, false);
    }
    if (drop_W_) times_mask(k, dx, dx, p.at(drop_W_mask_), n, B * D);
  }
  if (backwards_) {
    for (int64_t i = 0; i < n; i++)
      std::copy_n(dx + i * B * D, B * D, p.dx[0] + (T_ - 1 - from_ - i) * B * D);
  }
}

// dy of the segment, with zeros where late_output has written its 0 instead of h.
template <typename real>
const real* Recurrence<real>::seen_dy(Pass<real>& p) const {
  const int64_t B = B_, H = H_;
  real* dy = p.at(dy_seen_);  // [n, B, H] or [B, H]
  for (int64_t t = sequences_ ? from_ : T_ - 1; t < from_ + steps(); t++) {
    for (int64_t row = 0; row < B; row++) {
      const real* from = p.dy + ((sequences_ ? t * B : 0) + row) * H;
      real* to = dy + ((sequences_ ? (t - from_) * B : 0) + row) * H;
      if (t >= first_real_[size_t(row)]) {
        std::copy_n(from, H, to);
      } else {
        std::fill(to, to + H, real(0));
      }
    }
  }
  return dy;
}

template void Recurrence<float>::backward(Pass<float>&);
template void Recurrence<double>::backward(Pass<double>&);

}  // namespace hs
