// The recurrence on the CPU. What it computes stands in device/cpu/ops/recurrence.cc;
// recurrence_*.cc beside this file are parts of it.
#pragma once
#include <algorithm>
#include <utility>
#include <vector>

#include "device/cpu/kernels/cell.h"
#include "device/cpu/ops/parts/cpu_layer.h"
#include "device/cpu/ops/parts/sparse_rows.h"
#include "ops/recurrence.h"

namespace hs {

// Steps of a block of the bias gradient's sum: about 256 rows.
inline int64_t sum_steps(int64_t B) { return std::max<int64_t>(1, 256 / B); }

template <typename real>
class Recurrence final : public RecurrenceShape, public CpuLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  // cell: a cell to use instead of the one that the options name, and its fused forward; without
  // that it has the plain path alone.
  Recurrence(const Config& options, const OpContext&, const Table<real>&,
             const CellKernels<real>* cell = nullptr, const FusedCell<real>* fused = nullptr);
  void prepare(Declaration&) override;
  void forward(Pass<real>&) override;
  void backward(Pass<real>&) override;
  void commit(Pass<real>&) override;

 private:
  struct Split {
    int workers;
    bool by_rows;  // else by hidden panels
  };
  Split split() const;
  // Rows of a worker, [first, end), balanced by unmasked steps; all rows if workers share panels.
  std::pair<int64_t, int64_t> rows_of(const Split&, int worker) const;

  void first_states(Pass<real>&) const;
  void first_states_backward(Pass<real>&) const;
  // Copies the last states to the outputs after the first, and dh_ and dc_ from their gradients.
  void last_states(Pass<real>&) const;
  void last_states_backward(Pass<real>&) const;
  // Copy the states before segment s from, or to, those kept between segments; s = segments(): the
  // states after the last one.
  void load_states(Pass<real>&, int64_t s) const;
  void keep_states(Pass<real>&, int64_t s) const;
  void run_segment(Pass<real>&);

  const real* running_input(Pass<real>&) const;  // x of the segment in processing order; [n, B, D]
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
  // Real rows of steps [t0, end of the segment), from the last to the first, as rows of the
  // segment.
  RealRows real_rows_back(int64_t t0) const {
    return {real_tb_.data() + real_from_[size_t(from_)],
            real_from_[size_t(from_ + steps())] - real_from_[size_t(t0)]};
  }
  void draw_dropout(Pass<real>&) const;
  CellArgs<real> step(const Pass<real>&, int64_t t, int64_t r0, int64_t r1) const;
  void project(Pass<real>&, const real* x);
  void pack_projection(Pass<real>&);
  void pack_forward(Pass<real>&);
  void step_forward(Pass<real>&, const real* x, int64_t t, int phase, int64_t r0, int64_t r1,
                    const Split&, int worker);
  void late_output(Pass<real>&) const;

  const real* seen_dy(Pass<real>&) const;
  void operand_backward(Pass<real>&, int64_t t, int phase, int64_t r0, int64_t r1, int64_t n0,
                        int64_t n1);
  void pack_backward(Pass<real>&);
  void steps_backward(Pass<real>&);
  void weights_backward(Pass<real>&);
  // The state of one product for weight gradients, from segment to segment. Where gemm_k is 2, a
  // and b [2, D or H] [2, G*H] hold the row that waits, and the one that is added with it.
  struct WeightChain {
    bool begun = false, waits = false;
    Tensor a, b;
  };
  void add_rows(Pass<real>&, WeightChain&, real* c, const real* a, int64_t M, const real* b,
                int64_t N, int64_t t0);
  void sum_backward(real* sum, const real* d, int64_t width, real* sums);
  void input_backward(Pass<real>&);
  // z[t, :] = x[t, :] * mask for all T steps; x and z [T, n], mask [n]
  static void times_mask(const Table<real>* k, real* z, const real* x, const real* mask, int64_t T,
                         int64_t n);

  const CellKernels<real>* kernels_;  // of cell_
  const FusedCell<real>* fused_;
  bool plain_;  // an activation that needs_rows, or a cell that is not fused

  // of the extent declared last
  bool folded_ = false;  // x W is part of the products of the steps; else it is made before them
  // The unmasked rows, [T * B] at most. real_b_: of each step, as rows of the step, rising.
  // real_tb_: of each segment, as rows of the segment, falling. real_from_ [T + 1]: where those of
  // a step begin in real_b_; those of a segment begin at the same place in both.
  std::vector<int32_t> real_b_, real_tb_;
  std::vector<int64_t> real_from_;
  std::vector<int64_t> real_above_;  // [B + 1] real steps of the rows before each
  std::vector<int64_t> first_real_;  // [B] the first real step of each row; T: it has none
  // Whether products with x may leave out its zeros, and whether they do in the segment at hand.
  bool may_be_sparse_ = false, sparse_ = false;
  SparseRows x_rows_;
  bool skips_ = false;  // some step of this batch is masked, and the products leave it out
  // n: steps of a segment
  Tensor x_run_;     // [n, B, D] x in processing order, if that is backwards
  Tensor mask_run_;  // [T, B] and the mask
  // In the layout of Table::pack or FusedCell::pack; U of each phase.
  Tensor packed_W_, packed_WT_;
  std::vector<Tensor> packed_U_, packed_UT_;
  Tensor x_drop_;                    // [n, B, D] input under its mask
  Tensor operand_drop_;              // [G, B, H] operand of one step under its masks
  Tensor product_;                   // [B, G*H] plain path
  Tensor scratch_rows_;              // [threads, row_scratch, H] plain path
  Tensor dh_, dc_;                   // [B, H]
  Tensor daux_;                      // [auxes, B, H]
  std::vector<const real*> vector_;  // the cell's vectors, as parameters of this batch
  Tensor dvectors_;                  // [vectors, n, B, H]
  Tensor drec_;                      // [n, B, G*H]
  Tensor dy_seen_;                   // [n, B, H] or [1, B, H]
  Tensor product_drop_;              // [B, H]
  Tensor sequence_drop_;             // [n, B, H]
  Tensor dx_run_, dx_gate_;          // [n, B, D]
  Tensor gemm_scratch_;              // of matmul_tn
  std::vector<WeightChain> chains_;  // products of dU, then of dW
  Tensor sums_, recurrent_sums_;     // [T / sum_steps, G*H]
  Tensor vector_sums_;               // [vectors, T / sum_steps, H]
};

}  // namespace hs
