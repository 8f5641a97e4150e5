// The backward half of the recurrence; what it computes stands in recurrence.cc.
#include <algorithm>

#include "base/parallel.h"
#include "layers/matmul.h"
#include "layers/recurrence.h"

namespace hs {

template <typename real>
void Recurrence<real>::backward(Pass<real>& p) {
  const int64_t T = T_, B = B_, H = H_, BH = B * H;
  const real* dy = late_ ? seen_dy(p) : p.dy;  // [T, B, H], or [B, H] of the last step
  real *dh = p.at(dh_), *dc = p.at(dc_);       // [B, H]
  const Split split = this->split();

  for (int phase = 0; phase < cell_->phases && p.repack; phase++) {
    const Phase& ph = cell_->phase[phase];
    real* packed = p.at(packed_UT_[phase]);
    if (drop_U_ && !shared_dropout_) {  // a product for each gate, since each meets its own mask
      for (int q = ph.first; q < ph.first + ph.count; q++, packed += packed_size(this->k, H, H)) {
        pack(p.k, packed, p.at(U_) + q * H, G_ * H, true, H, H);
      }
    } else {
      pack(p.k, packed, p.at(U_) + ph.first * H, G_ * H, true, ph.count * H, H);
    }
  }

  Barrier barrier(split.workers);
  auto work = [&](int worker) {
    const auto rows = rows_of(split, worker);
    const int64_t r0 = rows.first, r1 = rows.second;
    const int64_t units = p.k->gemm_nr, panels = tiles_of(H, units);
    const int64_t n0 = split.by_rows ? 0 : panels * worker / split.workers * units;
    const int64_t n1 =
        split.by_rows ? H : std::min(H, panels * (worker + 1) / split.workers * units);
    const auto forget = [&] {
      for (int64_t r = r0; r < r1; r++) {
        std::fill(dh + r * H + n0, dh + r * H + n1, real(0));
        std::fill(dc + r * H + n0, dc + r * H + n1, real(0));
      }
    };
    forget();
    for (int64_t t = T - 1; t >= 0; t--) {
      const real* dy_t = sequences_ ? dy + t * BH : t == T - 1 ? dy : nullptr;  // [B, H]
      for (int phase = cell_->phases - 1; phase >= 0; phase--) {
        CellArgs<real> a = step(p, t, r0, r1);
        a.u0 = n0, a.u1 = n1;
        a.dy = dy_t, a.dh = dh, a.dc = dc, a.daux = p.at(daux_);
        if (cell_->recurrent_bias) a.drec = p.at(drec_) + t * B * G_ * H;
        if (plain_) {
          a.scratch = p.at(rows_) + worker * cell_->row_scratch * H;
          cell_->backward_rows(phase, a);
        } else {
          cell_->backward(phase, a);
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
  if (this->trainable) weights_backward(p);
  if (p.dx[0]) input_backward(p);
}

// d operand += d gates U^T, through the operand's dropout mask; into dh (operand h_prev) or daux.
template <typename real>
void Recurrence<real>::operand_backward(Pass<real>& p, int64_t t, int phase, int64_t r0, int64_t r1,
                                        int64_t n0, int64_t n1) {
  const Phase& ph = cell_->phase[phase];
  if (detached(t) && !ph.on_aux) return;  // nobody wants the gradient of that state
  const int64_t B = B_, H = H_, GH = G_ * H, rows = r1 - r0;
  // [B, count*H] in [B, G*H]
  const real* d = p.at(cell_->recurrent_bias ? drec_ : gates_) + t * B * GH + ph.first * H;
  real* out = p.at(ph.on_aux ? daux_ : dh_);  // [B, H]
  const real* packed = p.at(packed_UT_[phase]);
  if (!drop_U_ && skips_) {  // nothing comes from masked rows, and nobody reads their daux
    const RealRows real_ones = real_rows(t, r0, r1);
    p.k->gemm(out, H, d, GH, packed, real_ones.count, H, ph.count * H, n0, n1, !ph.on_aux,
              real_ones.rows);
    return;
  }
  d += r0 * GH, out += r0 * H;  // [rows, count*H], [rows, H]
  if (!drop_U_) {
    p.k->gemm(out, H, d, GH, packed, rows, H, ph.count * H, n0, n1, !ph.on_aux, nullptr);
    return;
  }
  real* product = p.at(product_drop_) + r0 * H;  // [rows, H]
  if (ph.on_aux) p.k->fill(out, 0, rows * H);
  const int n = shared_dropout_ ? 1 : ph.count;
  for (int q = 0; q < n; q++) {
    const int64_t K = shared_dropout_ ? ph.count * H : H;
    p.k->gemm(product, H, d + q * H, GH, packed + q * packed_size(this->k, H, H), rows, H, K, 0, H,
              false, nullptr);
    const real* m = p.at(drop_U_mask_) + ((shared_dropout_ ? 0 : ph.first + q) * B + r0) * H;
    p.k->multiply_add(out, product, m, rows * H);
  }
}

template <typename real>
void Recurrence<real>::weights_backward(Pass<real>& p) {
  const int64_t T = T_, B = B_, D = D_, H = H_, GH = G_ * H, BH = B * H, rows = T * B;
  real* scratch = p.at(gemm_scratch_);
  // From step t0 on: a [T, B, M], b [T, B, N in G*H].
  auto product = [&](real* c, const real* a, const real* b, int64_t t0, int64_t M, int64_t N) {
    if (skips_) {
      const int64_t from = real_from_[size_t(t0)];
      matmul_tn(p.k, c, GH, a, M, b, GH, real_from_[size_t(T)] - from, M, N, false, scratch,
                gemm_scratch_.size, real_tb_.data() + from);
    } else {
      matmul_tn(p.k, c, GH, a + t0 * B * M, M, b + t0 * B * GH, GH, (T - t0) * B, M, N, false,
                scratch, gemm_scratch_.size);
    }
  };
  const real* gates = p.at(gates_);                                 // [T, B, G*H]
  const real* drec = p.at(cell_->recurrent_bias ? drec_ : gates_);  // [T, B, G*H]
  const int64_t t0 = stateful_ ? 0 : 1;  // the first state is zero: step 0 adds nothing
  for (int phase = 0; phase < cell_->phases; phase++) {
    const Phase& ph = cell_->phase[phase];
    const real* operand = ph.on_aux ? p.at(aux_) : p.at(h_);  // [T, B, H]
    const real* d = drec + ph.first * H;                      // [T, B, count*H] in [T, B, G*H]
    real* dU = p.grad(U_) + ph.first * H;                     // [H, count*H] in [H, G*H]
    const int n = drop_U_ && !shared_dropout_ ? ph.count : 1;
    for (int q = 0; q < n; q++) {
      const real* a = operand;
      if (drop_U_) {
        const real* m = p.at(drop_U_mask_) + (shared_dropout_ ? 0 : ph.first + q) * BH;
        times_mask(p.k, p.at(sequence_drop_), operand, m, T, BH);
        a = p.at(sequence_drop_);
      }
      product(dU + q * H, a, d + q * H, t0, H, n > 1 ? H : ph.count * H);
    }
  }
  const real* x = backwards_ ? p.at(x_run_) : p.x[0];  // [T, B, D]
  for (int q = 0; q < (drop_W_ ? masks() : 1); q++) {
    if (drop_W_) times_mask(p.k, p.at(x_drop_), x, p.at(drop_W_mask_) + q * B * D, T, B * D);
    product(p.grad(W_) + q * H, drop_W_ ? p.at(x_drop_) : x, gates + q * H, 0, D,
            drop_W_ && masks() > 1 ? H : GH);
  }
  row_sums(p.k, p.grad(b_), gates, rows, GH, p.at(sums_));
  if (cell_->recurrent_bias) row_sums(p.k, p.grad(c_bias_), drec, rows, GH, p.at(sums_));
}

template <typename real>
void Recurrence<real>::input_backward(Pass<real>& p) {
  const int64_t T = T_, B = B_, D = D_, H = H_, GH = G_ * H, rows = T * B;
  const Table<real>* k = p.k;
  real* dx = backwards_ ? p.at(dx_run_) : p.dx[0];  // [T, B, D]
  real* packed = p.at(packed_WT_);
  if (drop_W_ && !shared_dropout_) {
    real* one = p.at(dx_gate_);  // [T, B, D]
    for (int q = 0; q < G_; q++) {
      if (p.repack) pack(k, packed, p.at(W_) + q * H, GH, true, H, D);
      matmul(k, one, D, p.at(gates_) + q * H, GH, packed, rows, D, H, false);
      packed += packed_size(this->k, H, D);
      const real* m = p.at(drop_W_mask_) + q * B * D;  // [B, D]
      if (q == 0) {
        times_mask(k, dx, one, m, T, B * D);
      } else {
        for_rows(T, B * D, [&](int64_t t0, int64_t t1) {
          for (int64_t t = t0; t < t1; t++)
            k->multiply_add(dx + t * B * D, one + t * B * D, m, B * D);
        });
      }
    }
  } else {
    if (p.repack) pack(k, packed, p.at(W_), GH, true, GH, D);
    if (skips_) {
      for_elements(rows * D, [&](int64_t i, int64_t end) { k->fill(dx + i, 0, end - i); });
      matmul(k, dx, D, p.at(gates_), GH, packed, real_from_[size_t(T)], D, GH, false,
             real_tb_.data());
    } else {
      matmul(k, dx, D, p.at(gates_), GH, packed, rows, D, GH, false);
    }
    if (drop_W_) times_mask(k, dx, dx, p.at(drop_W_mask_), T, B * D);
  }
  if (backwards_) {
    for (int64_t t = 0; t < T; t++)
      std::copy_n(dx + t * B * D, B * D, p.dx[0] + (T - 1 - t) * B * D);
  }
}

// dy with zeros where late_output put a constant.
template <typename real>
const real* Recurrence<real>::seen_dy(Pass<real>& p) const {
  const int64_t T = T_, B = B_, H = H_;
  const real* mask = running_mask(p);  // [T, B]
  real* dy = p.at(dy_seen_);           // [T, B, H] or [B, H]
  for (int64_t row = 0; row < B; row++) {
    bool seen = false;
    for (int64_t t = 0; t < T; t++) {
      seen = seen || mask[t * B + row] != 0;
      if (!sequences_ && t < T - 1) continue;
      const int64_t at = ((sequences_ ? t * B : 0) + row) * H;
      if (seen) {
        std::copy_n(p.dy + at, H, dy + at);
      } else {
        std::fill(dy + at, dy + at + H, real(0));
      }
    }
  }
  return dy;
}

template void Recurrence<float>::backward(Pass<float>&);
template void Recurrence<double>::backward(Pass<double>&);

}  // namespace hs
