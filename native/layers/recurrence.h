// State of the recurrence between declare, forward and backward; see recurrence.cc.
#pragma once
#include <utility>
#include <vector>

#include "cells/cell.h"
#include "layers/activation_name.h"
#include "layers/layer.h"

namespace hs {

template <typename real>
class Recurrence final : public Layer<real> {
 public:
  // cell: instead of the registered one that the options name (a test's broken cell).
  explicit Recurrence(const Config& options, const CellKernels<real>* cell = nullptr);
  Extent output(const std::vector<Extent>& x) const override;
  void declare(Declaration&, const std::vector<Extent>& x, const Extent& y, bool masked) override;
  void forward(Pass<real>&) override;
  void backward(Pass<real>&) override;
  void commit(Pass<real>&) override;

 private:
  struct Split {
    int workers;
    bool by_rows;  // else by hidden panels
  };
  Split split() const;
  // Rows of a worker, [first, end): shares of equal work, so of real steps where some are masked; all, where panels are shared.
  std::pair<int64_t, int64_t> rows_of(const Split&, int worker) const;
  int masks() const { return shared_dropout_ ? 1 : G_; }  // dropout masks of W, and of U

  const real* running_input(Pass<real>&) const;  // x in processing order; [T, B, D]
  // Rows of step t that lie in [r0, r1) and are real.
  struct RealRows {
    const int32_t* rows;
    int64_t count;
  };
  void find_real_rows(const Pass<real>&);
  RealRows real_rows(int64_t t, int64_t r0, int64_t r1) const;
  const real* running_mask(const Pass<real>& p) const {
    return !masked_ ? nullptr : backwards_ ? p.at(mask_run_) : p.mask;
  }
  void draw_dropout(Pass<real>&) const;
  CellArgs<real> step(const Pass<real>&, int64_t t, int64_t r0, int64_t r1) const;
  void project(Pass<real>&, const real* x);
  void pack_forward(Pass<real>&);
  void step_forward(Pass<real>&, const real* x, int64_t t, int phase, int64_t r0, int64_t r1,
                    const Split&, int worker);
  void late_output(Pass<real>&) const;

  const real* seen_dy(Pass<real>&) const;
  // Whether the state before step t counts as given, so that no gradient goes there.
  bool detached(int64_t t) const { return t == 0 || (truncate_ > 0 && t % truncate_ == 0); }
  void operand_backward(Pass<real>&, int64_t t, int phase, int64_t r0, int64_t r1, int64_t n0,
                        int64_t n1);
  void weights_backward(Pass<real>&);
  void input_backward(Pass<real>&);
  // z[t, :] = x[t, :] * mask for all T steps; x and z [T, n], mask [n]
  static void times_mask(const Table<real>* k, real* z, const real* x, const real* mask, int64_t T,
                         int64_t n);

  const CellKernels<real>* cell_;
  bool own_cell_;  // given, not asked for by name
  int64_t H_;
  int G_;
  Activation inner_, outer_;
  bool sequences_, backwards_, stateful_, shared_dropout_;
  double p_W_, p_U_;
  int64_t truncate_;         // gradients stop after so many steps; 0: nowhere
  bool two_states_, plain_;  // plain: an activation that needs whole rows

  // of the extent declared last
  int64_t T_ = 0, B_ = 0, D_ = 0;
  bool masked_ = false, late_ = false, drop_W_ = false, drop_U_ = false;
  bool folded_ = false;  // x W is part of the steps' products; else it is made beforehand
  // Real steps, rising: as rows b of their step and as rows t * B + b of all; where those of step t begin.
  std::vector<int32_t> real_b_, real_tb_;  // [T * B] at most
  std::vector<int64_t> real_from_;         // [T + 1]
  std::vector<int64_t> real_above_;        // [B + 1] real steps of the rows before each
  bool skips_ = false;        // some step of this batch is masked, and the products leave it out
  Tensor W_, U_;              // [D, G*H] [H, G*H]
  Tensor b_, c_bias_;         // [G*H]
  Tensor h_, c_;              // [T+1, B, H], slot 0 the initial state
  Tensor gates_;              // [T, B, G*H]
  Tensor aux_;                // [T, B, H]
  Tensor x_run_;              // [T, B, D] and
  Tensor mask_run_;           // [T, B], in processing order when that is backwards
  Tensor drop_W_mask_;        // [masks, B, D]
  Tensor drop_U_mask_;        // [masks, B, H]
  Tensor carry_h_, carry_c_;  // [B, H]
  Tensor packed_W_, packed_WT_, packed_U_[2],
      packed_UT_[2];            // as Table::pack or CellKernels::pack lays them
  Tensor x_drop_;               // [T, B, D] input under its mask
  Tensor operand_drop_;         // [G, B, H] operand of one step under its masks
  Tensor product_;              // [B, G*H] plain path
  Tensor rows_;                 // [threads, row_scratch, H] plain path
  Tensor dh_, dc_, daux_;       // [B, H]
  Tensor drec_;                 // [T, B, G*H]
  Tensor dy_seen_;              // [T, B, H] or [1, B, H]
  Tensor product_drop_;         // [B, H]
  Tensor sequence_drop_;        // [T, B, H]
  Tensor dx_run_, dx_gate_;     // [T, B, D]
  Tensor gemm_scratch_, sums_;  // as matmul.h asks
};

}  // namespace hs
