// The recurrence on a card; what it does stands in device/cuda/ops/recurrence.cc.
#pragma once
#include <algorithm>

#include "device/cuda/cuda.h"
#include "device/cuda/kernels/args.h"
#include "device/cuda/ops/parts/cell_steps.h"
#include "ops/recurrence.h"

namespace hs {

template <typename real>
class CudaRecurrence final : public RecurrenceShape, public CudaLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  CudaRecurrence(const Config& options, const OpContext&, CardQueue&);
  void prepare(Declaration&) override;
  void forward(Pass<real>&) override;
  void backward(Pass<real>&) override;
  void commit(Pass<real>&) override;

 private:
  const real* running_mask(const Pass<real>& p) const {
    return !masked_ ? nullptr : backwards_ ? p.at(mask_run_) : p.mask;
  }
  // Of U, for gate g: [B, H].
  const real* recurrent_mask(const Pass<real>& p, int g) const {
    return p.at(drop_U_mask_) + (shared_dropout_ ? 0 : g) * B_ * H_;
  }
  CellStepArgs<real> step(const Pass<real>&, int64_t t) const;
  const real* running_input(Pass<real>&);
  void draw_dropout(const Pass<real>&);
  void times_mask(real* y, const real* x, const real* mask, int64_t n, int64_t width, bool adds);
  void copy(real* to, const real* from, int64_t n) {
    this->q.copy(to, from, n * int64_t(sizeof(real)));
  }
  void clear(real* to, int64_t n) { this->q.zero(to, n * int64_t(sizeof(real))); }

  void first_states(Pass<real>&);
  void keep_states(Pass<real>&, int64_t segment);
  void load_states(Pass<real>&, int64_t segment);
  void last_states(Pass<real>&);
  void run_segment(Pass<real>&);
  void project(Pass<real>&, const real* x);
  void step_forward(Pass<real>&, int64_t t, int phase);
  void late_output(Pass<real>&);

  void last_states_backward(Pass<real>&);
  void first_states_backward(Pass<real>&);
  const real* seen_dy(Pass<real>&);
  void steps_backward(Pass<real>&);
  void operand_backward(Pass<real>&, int64_t t, int phase);
  void weights_backward(Pass<real>&);
  void sum_backward(real* sum, const real* d, int64_t width);
  void input_backward(Pass<real>&);

  // What all steps multiply by: U, rounded once where products round.
  void take_U(const Pass<real>& p) {
    U_now_ = this->q.rounded({p.at(U_), G_ * H_}, H_, p.at(U_rounded_));
  }
  CardQueue::Matrix<real> U_of(int gate, bool transposed) const {
    CardQueue::Matrix<real> part = U_now_.part(gate * H_);
    part.transposed = transposed;
    return part;
  }

  CellSteps<real> steps_;
  CardQueue::Matrix<real> U_now_ = {};  // [H, G*H]
  // n: steps of a segment
  Tensor x_run_;             // [n, B, D] x in processing order, if that is backwards
  Tensor mask_run_, seen_;   // [T, B]
  Tensor x_drop_;            // [n, B, D]
  Tensor U_rounded_;         // [H, G*H] as bfloat16
  Tensor operand_drop_;      // [B, H]
  Tensor product_;           // [B, G*H] of cells with a recurrent bias
  Tensor dh_, dc_;           // [B, H]
  Tensor daux_;              // [auxes, B, H]
  Tensor drec_;              // [n, B, G*H]
  Tensor dy_seen_;           // [n, B, H] or [1, B, H]
  Tensor product_drop_;      // [B, H]
  Tensor sequence_drop_;     // [n, B, H]
  Tensor dx_run_, dx_gate_;  // [n, B, D]
  Tensor dvectors_;          // [vectors, n, B, H]
};

}  // namespace hs
