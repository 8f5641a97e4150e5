// The losses of the outputs and their gradients, and the metrics beside them.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "base/arena.h"
#include "graph/graph.h"
#include "plan/plan.h"

namespace hs {

// Of output `i`.
template <typename real>
class Loss {
 public:
  // output: one of spec.predictions, its loss, weight and metrics; temporal: weights are [N, T].
  // Throws Error(kUnknownName).
  Loss(const Config& output, size_t i, Device<real>& device);

  bool present() const { return criterion_ != nullptr; }
  int metrics() const { return criterion_ ? criterion_->metrics() : 0; }

  // Lays out memory for outputs of this extent. Throws Error(kShape) when targets or weights do not
  // fit it.
  void bind(const Graph<real>& graph, const DataSet& data);
  // Labels of a sparse objective must be classes. Throws Error(kOption).
  void check_labels(const Graph<real>& graph, const DataSet& data) const;
  // Targets and weights of one batch, order as in Device::gather(); gather() alone: for
  // Device::ahead().
  void load(const DataSet& data, const int32_t* order, int64_t first);
  void gather(const DataSet& data, const int32_t* order, int64_t first);
  // Of a shard of a batch of `whole` samples: value() leaves out the means that Scored says.
  void shard(int64_t whole, ShardSums* sums) { scored_.whole = whole, scored_.sums = sums; }
  double weight() const { return scored_.weight; }
  // Whether there are a mask or weights, whose means the loss is divided by.
  bool divided(const Graph<real>& graph) const { return weighted_ || graph.scored_mask(i_); }
  int metric_parts() const { return criterion_ ? criterion_->metric_parts() : 0; }
  bool is_mean(int part) const { return criterion_->is_mean(part); }
  void measure_shard(const Graph<real>& graph, double* parts);
  // Of the sums of all parts, of a batch of `whole` samples.
  void whole_metrics(const Graph<real>& graph, int64_t whole, const double* parts,
                     double* metrics) const;
  // loss, weighted, nothing: as Criterion::value.
  void value(const Graph<real>& graph, double* loss, double* weighted, double* nothing);
  void measure(const Graph<real>& graph, double* metrics);  // after value(); [metrics()]
  // After measure(); of `factor` times the loss.
  void gradient(real* dp, double factor = 1);
  // Whether number i of the target of row b counts in the value taken last; a function, since it
  // fetches what counts when it is made.
  std::function<bool(int64_t b, int64_t i)> counts() const;
  // What is asked of the device depends on that, beside the output's extent.
  bool weighted() const { return weighted_; }
  int64_t bytes() const { return block_.bytes(); }

 private:
  static const Array& one(const std::vector<Array>& arrays, size_t i);
  template <typename Read>
  void measured(const Graph<real>& graph, const Read& read) const;
  void check_targets(const Dims& wanted, const DataSet& data) const;
  const size_t i_;
  Device<real>* const device_;
  std::unique_ptr<Criterion<real>> criterion_;

  // at the extent bound last
  bool bound_ = false;
  Extent bound_to_;  // the output
  Dims y_dims_, weight_dims_;
  int64_t samples_ = 0;
  Extent target_extent_, weight_extent_;
  bool weighted_ = false;
  Layout layout_;
  int64_t y_ = 0, weights_ = 0, coef_ = 0, score_ = 0;  // offsets
  Block<real> block_{*device_};
  Scored<real> scored_;
  real* at(int64_t offset) const { return block_.data() + offset; }
};

// Those of all outputs; there is one of each, or none of any. Logs: the total, without penalties;
// the loss of each output, without its weight, where there are several; the metrics of each.
template <typename real>
class Losses {
 public:
  Losses(const Config& spec, Device<real>& device);  // spec.predictions

  bool present() const { return losses_[0]->present(); }
  int logs() const { return logs_; }

  // As those of Loss.
  void bind(const Graph<real>& graph, const DataSet& data);
  void check_labels(const Graph<real>& graph, const DataSet& data) const;
  void load(const DataSet& data, const int32_t* order, int64_t first);
  void gather(const DataSet& data, const int32_t* order, int64_t first);
  void value(const Graph<real>& graph, double* logs, double* nothing);  // nothing [outputs]
  // After value(). factors [outputs]: as whole_factors() gives them; nullptr: ones.
  void gradient(const Graph<real>& graph, const double* factors = nullptr);
  // Of a shard, on the host: parts [parts()], what is added up over shards.
  int parts() const;
  void shard_value(const Graph<real>& graph, int64_t rows, int64_t whole, double* parts);
  // Of the sums of parts over all shards, of a batch of `whole` samples: logs [logs()], nothing
  // [outputs].
  void whole_value(const Graph<real>& graph, int64_t whole, const double* parts, double* logs,
                   double* nothing) const;
  // What the loss of each output, and so its gradient, is still to be multiplied by: [outputs].
  std::vector<double> whole_factors(const double* parts) const;
  // Whether some of those are others than 1.
  bool divided(const Graph<real>& graph) const;
  void alike(std::vector<int64_t>& numbers) const {  // of Device::repeated()
    for (const auto& loss : losses_) numbers.push_back(loss->weighted());
  }
  auto counts(size_t i) const { return losses_[i]->counts(); }
  int64_t bytes() const;

 private:
  Device<real>* const device_;
  std::vector<std::unique_ptr<Loss<real>>> losses_;
  Block<double> weighted_;    // [outputs]; of one output, after it the loss without its weight
  std::vector<double> read_;  // shard_value(): logs, then nothings
  int logs_ = 1;
};

}  // namespace hs
