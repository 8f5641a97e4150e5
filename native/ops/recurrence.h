// The shape of `recurrence`. What it computes stands in device/cpu/ops/recurrence.cc, the formulas
// of its cells in formulas/cells/.
#pragma once
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

  // takes_states_: inputs after the first are the states before step 0, [B, H] each.
  bool learned_, takes_states_, gives_states_, shared_dropout_;
  int64_t truncate_;    // gradients stop after so many steps; 0: nowhere
  int64_t checkpoint_;  // steps of a segment; 0: all, -1: about sqrt(T)

  // of the extent declared last
  int64_t segment_ = 0;          // most steps of a segment
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
