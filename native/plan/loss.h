// The loss of one output and its gradient, and the metrics beside it.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "base/arena.h"
#include "graph/graph.h"
#include "plan/plan.h"

namespace hs {

template <typename real>
class Loss {
 public:
  // spec.loss, spec.metrics; temporal: weights are [N, T]. Throws Error(kUnknownName).
  Loss(const Config& spec, Device<real>& device);

  bool present() const { return criterion_ != nullptr; }
  // loss, then metrics
  int logs() const { return criterion_ ? 1 + criterion_->metrics() : 1; }

  // Lays out memory for outputs of this extent. Throws Error(kShape) when targets or weights do not
  // fit it.
  void bind(const Graph<real>& graph, const DataSet& data);
  // Labels of a sparse objective must be classes. Throws Error(kOption).
  void check_labels(const DataSet& data, int64_t K) const;
  // Targets and weights of one batch; order as in gather().
  void load(const DataSet& data, const int32_t* order, int64_t first);
  // logs [logs()], the loss without penalties; nothing: as Criterion::value.
  void value(const Graph<real>& graph, double* logs, double* nothing);
  void gradient(real* dp);  // after value()
  // Whether number i of the target of row b counts in the value taken last; a function, since it
  // fetches what counts when it is made.
  std::function<bool(int64_t b, int64_t i)> counts() const;
  int64_t bytes() const { return block_.bytes(); }

 private:
  static void check_targets(const Dims& wanted, const DataSet& data);
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

}  // namespace hs
