// The states of the recurrence at both ends of a batch and of a segment;
// device/cpu/ops/recurrence.cc says what they are.
#include <algorithm>

#include "device/cpu/ops/parts/recurrence.h"

namespace hs {

// The states before step 0: inputs, carried, learned or zeros. A learned one is the same for all
// rows, so its gradient is a sum over them.
template <typename real>
void Recurrence<real>::first_states(Pass<real>& p) const {
  const auto begin = [&](real* state, size_t i, const Tensor& carry, const Tensor& parameter) {
    if (takes_states_) {  // state: [B, H]
      std::copy_n(p.x[i], B_ * H_, state);
    } else if (stateful_) {
      std::copy_n(p.at(carry), B_ * H_, state);
    } else if (learned_) {
      this->k->broadcast_rows(state, p.at(parameter), B_, H_);
    } else {
      this->k->fill(state, 0, B_ * H_);
    }
  };
  begin(h_at(p, 0), 1, carry_h_, h0_);
  if (two_states_) begin(c_at(p, 0), 2, carry_c_, c0_);
}

template <typename real>
void Recurrence<real>::first_states_backward(Pass<real>& p) const {
  if (takes_states_ && p.dx[1]) std::copy_n(p.at(dh_), B_ * H_, p.dx[1]);
  if (takes_states_ && two_states_ && p.dx[2]) std::copy_n(p.at(dc_), B_ * H_, p.dx[2]);
  if (!learned_ || !this->trainable()) return;
  this->k->column_sums(p.grad(h0_), p.at(dh_), H_, B_, H_, false);
  if (two_states_) this->k->column_sums(p.grad(c0_), p.at(dc_), H_, B_, H_, false);
}

template <typename real>
void Recurrence<real>::load_states(Pass<real>& p, int64_t s) const {
  const int64_t BH = B_ * H_;
  if (!all_h_) std::copy_n(p.at(kept_h_) + s * BH, BH, h_at(p, from_));
  if (two_states_ && segments() > 1) std::copy_n(p.at(kept_c_) + s * BH, BH, c_at(p, from_));
}

template <typename real>
void Recurrence<real>::keep_states(Pass<real>& p, int64_t s) const {
  const int64_t BH = B_ * H_, t = std::min(s * segment_, T_);
  if (!all_h_) std::copy_n(h_at(p, t), BH, p.at(kept_h_) + s * BH);
  if (two_states_ && segments() > 1) std::copy_n(c_at(p, t), BH, p.at(kept_c_) + s * BH);
}

// Masked and stateful: the output is h, but 0 before a row's first real step.
template <typename real>
void Recurrence<real>::late_output(Pass<real>& p) const {
  const int64_t B = B_, H = H_;
  for (int64_t t = sequences_ ? from_ : T_ - 1; t < from_ + steps(); t++) {
    for (int64_t row = 0; row < B; row++) {
      real* y = p.y + ((sequences_ ? t * B : 0) + row) * H;  // [H]
      if (t >= first_real_[size_t(row)]) {
        std::copy_n(h_at(p, t + 1) + row * H, H, y);
      } else {
        std::fill(y, y + H, real(0));
      }
    }
  }
}

template <typename real>
void Recurrence<real>::last_states(Pass<real>& p) const {
  if (!gives_states_) return;
  std::copy_n(last_h(p), B_ * H_, p.more[0].y);
  if (two_states_) std::copy_n(last_c(p), B_ * H_, p.more[1].y);
}

template <typename real>
void Recurrence<real>::last_states_backward(Pass<real>& p) const {
  const auto begin = [&](real* d, size_t i) {  // [B, H]
    const real* given = i < p.more.size() ? p.more[i].dy : nullptr;
    if (given) {
      std::copy_n(given, B_ * H_, d);
    } else {
      this->k->fill(d, 0, B_ * H_);
    }
  };
  begin(p.at(dh_), 0);
  begin(p.at(dc_), 1);
}

template <typename real>
void Recurrence<real>::commit(Pass<real>& p) {
  if (!stateful_ || !this->commits(p)) return;
  std::copy_n(last_h(p), B_ * H_, p.at(carry_h_));
  if (two_states_) std::copy_n(last_c(p), B_ * H_, p.at(carry_c_));
}

#define HS_INSTANTIATE(real)                                                \
  template void Recurrence<real>::first_states(Pass<real>&) const;          \
  template void Recurrence<real>::first_states_backward(Pass<real>&) const; \
  template void Recurrence<real>::last_states(Pass<real>&) const;           \
  template void Recurrence<real>::last_states_backward(Pass<real>&) const;  \
  template void Recurrence<real>::load_states(Pass<real>&, int64_t) const;  \
  template void Recurrence<real>::keep_states(Pass<real>&, int64_t) const;  \
  template void Recurrence<real>::late_output(Pass<real>&) const;           \
  template void Recurrence<real>::commit(Pass<real>&);
HS_INSTANTIATE(float)
HS_INSTANTIATE(double)
#undef HS_INSTANTIATE

}  // namespace hs
