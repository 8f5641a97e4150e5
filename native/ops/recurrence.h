// The shape of `recurrence`. What it computes stands in device/cpu/ops/recurrence.cc, the formulas
// of its cells in formulas/cells/.
#pragma once
#include <algorithm>
#include <vector>

#include "ops/cell_op.h"

namespace hs {

class RecurrenceShape : public CellOp {
 public:
  Extent output(const std::vector<Extent>& x) const override;
  std::vector<Extent> more_outputs(const std::vector<Extent>& x) const override;
  void declare(Declaration&, const std::vector<Extent>& x, const Extent& y, bool masked) override;

 protected:
  RecurrenceShape(const Config& options, const OpContext&, const CellShape* cell);

  int masks() const { return shared_dropout_ ? 1 : G_; }  // dropout masks of W, and of U
  int64_t segments() const { return (T_ + segment_ - 1) / segment_; }
  // The segment at hand: steps [from_, from_ + steps()) of T; all of them without checkpoints.
  // Saved tensors have room for one segment, except those of the states between segments.
  int64_t steps() const { return std::min(segment_, T_ - from_); }
  bool last_segment() const { return from_ + segment_ >= T_; }
  // States before step t: [B, H]; those of the steps after it follow.
  template <typename real>
  real* h_at(const Pass<real>& p, int64_t t) const {
    return p.at(h_) + (all_h_ ? t : t - from_) * B_ * H_;
  }
  template <typename real>
  real* c_at(const Pass<real>& p, int64_t t) const {
    return p.at(c_) + (t - from_) * B_ * H_;
  }
  template <typename real>
  real* gates_at(const Pass<real>& p, int64_t t) const {  // [B, G*H]
    return p.at(gates_) + (t - from_) * B_ * G_ * H_;
  }
  template <typename real>
  real* aux_at(const Pass<real>& p, int64_t t) const {
    return p.at(aux_) + (t - from_) * B_ * H_;
  }
  int64_t aux_stride() const { return segment_ * B_ * H_; }  // from an aux to the next
  // Operand of a phase at step t: [B, H]; those of the steps after it follow.
  template <typename real>
  const real* operand_at(const Pass<real>& p, const Phase& ph, int64_t t) const {
    return ph.operand == Operand::kH   ? h_at(p, t)
           : ph.operand == Operand::kC ? c_at(p, t)
                                       : aux_at(p, t) + ph.aux * aux_stride();
  }
  // Whether the operand is known to be zero: its product is left out, and so is its gradient.
  bool left_out(const Phase& ph, int64_t t) const {
    return t == 0 && starts_at_zero() && ph.zero_of_zeros;
  }
  bool starts_at_zero() const { return !stateful_ && !learned_ && !takes_states_; }
  // Whether the state before step t counts as given, so that no gradient goes there.
  bool detached(int64_t t) const {
    return t == 0 ? !learned_ && !takes_states_ : truncate_ > 0 && t % truncate_ == 0;
  }
  // After step T, forward and backward: [B, H]. Not in h_ and c_ where those have room for one
  // segment: after backward that is the first one.
  template <typename real>
  const real* last_h(const Pass<real>& p) const {
    const int64_t BH = B_ * H_;
    return all_h_ ? p.at(h_) + T_ * BH : p.at(kept_h_) + segments() * BH;
  }
  template <typename real>
  const real* last_c(const Pass<real>& p) const {
    const int64_t BH = B_ * H_, S = segments();
    return S == 1 ? p.at(c_) + T_ * BH : p.at(kept_c_) + S * BH;
  }

  // takes_states_: inputs after the first are the states before step 0, [B, H] each.
  bool learned_, takes_states_, gives_states_, shared_dropout_;
  int64_t truncate_;    // gradients stop after so many steps; 0: nowhere
  int64_t checkpoint_;  // steps of a segment; 0: all, -1: about sqrt(T)

  // of the extent declared last
  int64_t segment_ = 0;          // most steps of a segment
  int64_t from_ = 0;             // the first step of the segment at hand
  bool all_h_ = true;            // h has room for all steps: it is the output
  Tensor W_, U_;                 // [D, G*H] [H, G*H]
  Tensor b_, c_bias_;            // [G*H]
  std::vector<Tensor> vectors_;  // [H]
  Tensor h0_, c0_;               // [H] states before step 0, if learned_
  // n: steps of a segment
  Tensor h_, c_;              // [n+1, B, H], slot 0 the state before it; h [T+1, B, H] if all_h_
  Tensor kept_h_, kept_c_;    // [segments+1, B, H] with checkpoints, what h_ and c_ do not hold
  Tensor gates_;              // [n, B, G*H]
  Tensor aux_;                // [auxes, n, B, H]
  Tensor drop_W_mask_;        // [masks, B, D]
  Tensor drop_U_mask_;        // [masks, B, H]
  Tensor carry_h_, carry_c_;  // [B, H]
};

}  // namespace hs
