// Plan for one precision: ties graph, loss and update together. See plan.cc for the step, access.cc for reading and writing.
#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "plan/graph.h"
#include "plan/loss.h"
#include "plan/pace.h"
#include "plan/params.h"
#include "plan/plan.h"
#include "plan/update.h"

namespace hs {

template <typename real>
class PlanOf final : public Plan {
 public:
  PlanOf(const Config& spec, const Table<real>& kernels);
  void run(const RunRequest&, RunResult&, const std::atomic<bool>& cancelled) override;
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
  struct Batch {
    int64_t first, rows;   // positions in the order
    const int32_t* order;  // of the rows, or nullptr: first, first + 1, ...
  };
  struct Cell {  // one writable tensor
    real* data;
    Dims dims;
  };

  void check_request(const RunRequest&) const;
  void gather_inputs(const DataSet&, const Batch&);
  void bind(const RunRequest&, int64_t rows);
  // Adds the penalties to the loss; backward and update. Returns false where something is not finite: nothing has changed then.
  bool learn(const RunRequest&, double& loss, std::string& bad_layer);
  void paced_batch(const RunRequest&, const Batch&, RunResult&);
  void one_batch(const RunRequest&, const Batch&, RunResult&);
  void keep_outputs(RunResult&) const;
  BadNumber bad_number(const DataSet&, const Batch&) const;
  bool find_tensor(const std::string& name, Cell& cell);
  const Param* moment_to_come(const std::string& name) const;
  double* find_number(const std::string& name);

  const Table<real>& k_;
  Params<real> params_;
  Graph<real> graph_;
  Loss<real> loss_;
  Update<real> update_;
  double seed_ = 0, step_ = 0;                // of DropoutKey; whole numbers
  std::weak_ptr<const DataSet> labels_seen_;  // its labels have been checked
  Pace pace_[kModes];
  Clock::time_point batch_end_;
};

}  // namespace hs
