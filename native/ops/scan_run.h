// The run of `scan`, the same on every device; scan_forward.h says what it does. Base: the device's
// base of an op. Of its Machine `k` it asks, beside what the tape does,
//   copy_numbers, copy_broadcast, add_broadcast
//   row_threads(k)          how many blocks of rows may run at a time; 0: a device that shares out
//                           the numbers of a step by itself, and has no use for blocks
//   each_of(k, n, workers, fn)   fn(i, worker) for i < n, each once
//   packed_size, pack       of a product's matrix; a device that packs nothing says 0
//   matmul_tn, sum_columns  over rows that may lie backwards
//   rows_together(k)        rows that a product takes together
//   commit_numbers          a copy where the batch is finite
#pragma once
#include <algorithm>
#include <vector>

#include "base/tiles.h"
#include "ops/scan.h"
#include "ops/tape.h"

namespace hs {

template <typename real, class Base>
class ScanRun final : public ScanShape, public Base {
 public:
  using Machine = typename Base::Machine;
  OpShape& shape() override { return *this; }
  ScanRun(const Config& options, const OpContext& context, Machine& k);
  void prepare(Declaration& d) override;
  void forward(Pass<real>& p) override;
  void backward(Pass<real>& p) override;
  void commit(Pass<real>& p) override;

 private:
  // Where a node's numbers lie: at `at` in a tensor, or in memory that the pass gives; those of the
  // next step are `step` further, of the next row `row`.
  struct Spot {
    Tensor tensor;
    int64_t at = -1;
    int64_t step = 0, row = 0;
    bool of_segment = false;  // there for the steps of a segment, else for all T
    real* base = nullptr;     // of this pass, with `at` in it
  };
  // What a thread works on: some rows, at one step.
  struct Worker {
    Frame<real> frame[2];  // of a whole block of rows, and of the last one
    std::vector<char> written;
  };

  int nodes() const { return program_.size(); }
  int64_t size(int i) const { return count(dims_[size_t(i)]); }
  bool in_step(int i) const { return in_step_[size_t(i)]; }
  // Numbers in so many of the B rows of a node's value.
  int64_t rows_size(int i, int64_t rows) const { return size(i) * rows / B_; }
  int64_t rows_of(int64_t block) const { return std::min(block_, B_ - block * block_); }
  // Segments end where T does: the first one has the steps that are left.
  int64_t segments() const { return tiles_of(T_, segment_); }
  int64_t begin_of(int64_t segment) const {
    return std::max<int64_t>(0, T_ - (segments() - segment) * segment_);
  }
  void enter(int64_t segment) { from_ = begin_of(segment), end_ = begin_of(segment + 1); }
  // At a step of the segment at hand.
  real* at(const Spot& spot, int64_t t) const {
    return spot.base + (spot.of_segment ? t - from_ : t) * spot.step;
  }

  void sort_nodes();
  void defer_gradients();
  void choose_blocks();
  void place_values(Declaration& d);
  void place_grads(Declaration& d);
  void make_workers();
  void point_values(const Pass<real>& p);
  void point_grads(const Pass<real>& p);
  void point_step(Frame<real>& f, int64_t t, int64_t r0) const;
  void pack_products(const Pass<real>& p, bool transposed);
  void begin_states(const Pass<real>& p);
  void run_fixed(const Pass<real>& p);
  void load_states(const Pass<real>& p, int64_t segment);
  void keep_states(const Pass<real>& p, int64_t segment);
  void forward_rows(const Pass<real>& p, Worker& w, int64_t block, bool gives);
  void backward_rows(const Pass<real>& p, Worker& w, int64_t block, int64_t first);
  void add_parts(const Pass<real>& p);
  void deferred_gradients(const Pass<real>& p, int64_t first);
  void states_backward(const Pass<real>& p, int64_t first);
  void finish_leaves(const Pass<real>& p);
  NodeStage<real, Machine> stage(const Pass<real>& p, int worker) const;
  static void look_whether_cancelled(const Pass<real>& p) {
    if (p.cancelled && p.cancelled->load(std::memory_order_relaxed)) throw Cancelled{};
  }
  // fn(block, worker), each once; over the threads if there are several.
  template <typename Fn>
  void each_block(const Fn& fn) {
    each_of(this->k, blocks_, static_cast<int>(workers_.size()), fn);
  }

  bool detached(int64_t t) const { return truncate_ > 0 && t % truncate_ == 0; }

  Tape<real, Machine> tape_;
  // Nodes but leaves, in order: those that change from step to step, and the others.
  std::vector<int> step_nodes_, fixed_nodes_;
  std::vector<int> sequence_leaves_;
  std::vector<char> in_step_;  // per node
  std::vector<char> by_rows_;  // per node: its first axis is the batch, and is run in blocks
  std::vector<int> state_of_;  // per node: the state that it becomes, in whose slots it lies; -1
  std::vector<int> leaf_of_;   // per state: its leaf; -1: nothing reads it
  int64_t block_ = 0, blocks_ = 1;  // rows of a block; how many
  int64_t segment_ = 0;             // steps of a segment, at most
  int64_t from_ = 0, end_ = 0;      // of the segment at hand
  bool learns_ = false;             // backward will follow

  std::vector<Spot> values_, grads_;  // per node
  std::vector<Spot> now_;             // grads_, as they lie in this pass
  std::vector<Spot> state_values_;    // [T+1, dims] or those of a segment: slot t before step t
  std::vector<Tensor> kept_states_;   // per state: [segments+1, dims], of one of a segment
  std::vector<Spot> state_grads_;     // [2, dims]: before and after the step at hand
  // Per node: a sequence's leaf that is a part of this sum and of nothing else, so that its
  // gradient is the sum's; -1: none.
  std::vector<int> summed_sequence_;
  // Per node, in partials_, -1: none. What steps add to its gradient, by blocks; the gradient of
  // the matrix of a deferred product, where another product writes the matrix's own.
  std::vector<int64_t> partial_at_, beside_at_;
  std::vector<Tensor> packed_, packed_t_;  // per node: of a product whose matrix stays
  Tensor scratch_, kept_, grad_scratch_, partials_, temp_, spare_, ones_;
  int64_t temp_each_ = 0, spare_each_ = 0;
  std::vector<Worker> workers_;
  // Per node: its gradient of the segments before, and of all; a matrix's of deferred products.
  std::vector<char> begun_, fixed_written_, chain_begun_;
  Frame<real> fixed_;  // of the nodes that stay
};

}  // namespace hs
