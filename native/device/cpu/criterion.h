// The loss of one output, its gradient and the metrics beside it; what they are stands in
// criterion.cc.
#pragma once
#include <memory>
#include <vector>

#include "device/cpu/nodes/run.h"
#include "device/cpu/objectives/objective.h"
#include "device/program_objective.h"

namespace hs {

template <typename real>
class CpuCriterion final : public Criterion<real> {
 public:
  explicit CpuCriterion(const Config& spec);
  bool sparse() const override { return objective_->sparse; }
  int64_t target_dim() const override {
    return sparse() ? 1 : program_ ? program_->target_dim() : 0;
  }
  bool has_targets() const override { return !is_value_; }
  int metrics() const override { return static_cast<int>(metrics_.size()); }
  void value(const Scored<real>&, double* loss, double* weighted, double* nothing) override;
  void gradient(const Scored<real>&, real* dp) override;
  void measure(const Scored<real>&, double* values) override;
  int metric_parts() const override;
  bool is_mean(int part) const override;
  void measure_shard(const Scored<real>&, double* parts) override;
  void whole_metrics(const double* parts, double rows, double K, double* values) const override;

 private:
  using Written = ProgramObjective<real, const Table<real>>;
  struct Chosen {
    const Metric<real>* metric;
    double argument;
    std::unique_ptr<Written> program;  // instead
    int parts() const { return metric && metric->sums ? kMetricSums : 1; }
  };
  template <typename Fn>
  static void each_run(const Scored<real>&, bool wanted, const Fn& fn);

  bool is_value_;  // the loss is the mean of what is given
  const Objective<real>* objective_;
  std::unique_ptr<Written> program_;  // instead
  std::vector<Chosen> metrics_;
  Nothing nothing_ = Nothing::kNone;  // of the value taken last
};

}  // namespace hs
