// A Plan in one precision: graph, loss and update together. plan.cc has the step, access.cc reading
// and writing.
#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "graph/params.h"
#include "plan/loss.h"
#include "plan/plan.h"
#include "plan/shards.h"
#include "plan/update.h"

namespace hs {

template <typename real>
class TypedPlan final : public Plan {
 public:
  // of: the plan whose parameters it has, on the same device; nullptr: its own.
  TypedPlan(const Config& spec, std::shared_ptr<Device<real>> device, const TypedPlan* of = nullptr,
            Operands operands = Operands::kExact);
  const std::string& device_name() const { return device_name_; }
  Operands operands() const { return operands_; }  // of its device
  void run(const RunRequest&, RunResult&, const std::atomic<bool>& cancelled) override;
  Work work(const std::shared_ptr<const DataSet>&) override;
  Array read(const std::string& name) const override;
  void write(const std::string& name, const Array&, int64_t from = -1) override;
  void set(const std::string& key, double value) override;
  void reset_states() override { graph_.reset_states(); }
  bool float64() const override { return sizeof(real) == 8; }
  std::vector<std::string> names() const override;
  void check(const DataSet&) const override;
  int64_t bytes() const override;

 private:
  using Clock = std::chrono::steady_clock;
  // Places in numbers_, of the step under way. kHeld: whether constraints that are programs have
  // given finite numbers. After kLoss, the total, come the other logs, and then a Nothing for each
  // output.
  enum Number { kFinite, kHeld, kPenalty, kActivity, kLoss };
  struct Batch {
    int64_t first, rows;   // positions in the order
    const int32_t* order;  // of the rows, or nullptr: first, first + 1, ...
  };
  struct Cell {  // one writable tensor
    real* data;
    Dims dims;
  };

  void check_request(const RunRequest&) const;
  void keep(const std::shared_ptr<const DataSet>&) const;
  void gather_inputs(const DataSet&, const Batch&);
  void gather_ahead(const RunRequest&, const Batch&);
  void bind(const RunRequest&, int64_t rows);
  // Backward, update, constraints that are programs, commit: all but the first happen only if all
  // is finite.
  void learn(Mode mode, DropoutKey key);
  void hold(DropoutKey key);
  void penalties(bool gradients);
  // The layer whose numbers were the first that are not finite; loss: the total.
  std::string blamed(bool learns, double loss) const;
  double* number(int i) const { return numbers_.data() + i; }
  static bool learns(Mode mode) { return mode == Mode::kTrain || mode == Mode::kGradient; }
  static bool logs(Mode mode) { return mode != Mode::kPredict && mode != Mode::kCall; }
  void call(const RunRequest&, RunResult&);
  void commit(Mode mode);
  void one_batch(const RunRequest&, const Batch&, RunResult&);
  void prepare_batch(Mode mode, const DataSet&, const Batch&);
  // All that a batch of test or training asks of the device.
  void step(Mode mode, DropoutKey key);
  // The end of a batch: reads numbers_, counts, and finds what was not finite.
  void settle(const RunRequest&, const Batch&, RunResult&);
  // A batch that a team shares out (shards.cc).
  void shared_batch(const RunRequest&, const Batch&, RunResult&);
  // What: kTrain, kTest; kGradient: losses alone, as in training.
  void sum_shards(const RunRequest&, Mode what, const Batch&);
  void add_up(const RunRequest&, Mode what, const Batch&, TreeSum::Node shards, size_t depth);
  void run_shard(const RunRequest&, Mode what, const Batch&, int shard,
                 const typename Graph<real>::Ready*);
  void keep_shard(size_t i, bool learns);
  void add_parts(size_t depth);
  void add_kept(size_t depth, const Bucket&);
  std::vector<Bucket> buckets() const;
  void hand_over(Team&, Handing&, int64_t from);
  // Whether the gradient keeps note of its rows.
  bool by_rows(const Param& p) const { return p.rows && params_.learns(p); }
  // Part `part` of a batch of that mode, as Device::repeated() takes it.
  template <typename Run>
  void repeated(Mode mode, int part, const Run& run);
  void keep_outputs(RunResult&) const;
  BadNumber bad_number(const DataSet&, const Batch&, bool targets) const;
  bool find_tensor(const std::string& name, Cell& cell);
  const Param* moment_to_come(const std::string& name) const;
  double* find_number(const std::string& name);

  const std::string device_name_;  // as the Spec has it
  const Operands operands_;
  const std::shared_ptr<Device<real>> device_;
  Params<real> params_;
  Graph<real> graph_;
  Losses<real> losses_;
  Update<real> update_;
  Block<double> numbers_;                     // on the device
  std::vector<double> numbers_read_;          // those of the last step, read back
  std::vector<int64_t> alike_;                // of Device::repeated()
  double seed_ = 0, step_ = 0;                // of DropoutKey; whole numbers
  std::weak_ptr<const DataSet> labels_seen_;  // its labels have been checked
  std::unique_ptr<Shards<real>> shards_;      // of runs with a team
};

}  // namespace hs
