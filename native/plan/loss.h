// The loss of one output and its gradient, and the metrics beside it.
#pragma once
#include <string>
#include <vector>

#include "base/arena.h"
#include "objectives/objective.h"
#include "plan/graph.h"
#include "plan/plan.h"

namespace hs {

template <typename real>
class Loss {
 public:
  // spec.loss, spec.metrics ({ name, and its argument if it has one } each); temporal: weights are [N, T]. Throws Error(kUnknownName).
  explicit Loss(const Config& spec);

  bool present() const { return objective_ != nullptr; }
  int logs() const { return 1 + static_cast<int>(metrics_.size()); }  // loss, then metrics

  // Lays out memory for outputs of this extent. Throws Error(kShape) when targets or weights do not fit it.
  void bind(const Graph<real>& graph, const DataSet& data);
  // Labels of a sparse objective must be classes. Throws Error(kOption).
  void check_labels(const DataSet& data, int64_t K) const;
  // Targets and weights of one batch; order as in gather().
  void load(const DataSet& data, const int32_t* order, int64_t first);
  double value(const Graph<real>& graph);                  // without penalties
  void gradient(const Graph<real>& graph, real* dp);       // after value()
  void metrics(const Graph<real>& graph, double* values);  // metrics_.size() of them
  // Of the batch whose value() was taken last: what leaves nothing to take a mean of, "mask" (zeros) or "weights" (all 0); else "".
  const char* nothing() const { return nothing_; }
  // Whether number i of the target of row b counts in that value.
  bool counts(int64_t b, int64_t i) const;
  int64_t bytes() const { return block_.bytes(); }

 private:
  const Objective<real>* objective_ = nullptr;
  struct Chosen {
    const Metric<real>* metric;
    double argument;
  };
  std::vector<Chosen> metrics_;
  bool temporal_ = false;

  // at the extent bound last; R rows of the last axis, in the order of the output
  Extent target_extent_, weight_extent_;
  int64_t R_ = 0, K_ = 0, Ky_ = 0;
  bool weighted_ = false;
  bool selects_ = false;  // some rows may not count: there is a mask, or there are weights
  const char* nothing_ = "";
  Layout layout_;
  int64_t y_ = 0, weights_ = 0, coef_ = 0, score_ = 0;  // offsets
  Block<real> block_;
  real* at(int64_t offset) const { return block_.data() + offset; }

  bool counts_row(int64_t r) const { return at(coef_)[r] != 0; }  // of R
  template <typename Fn>
  void each_run(bool wanted, const Fn& fn) const;
};

}  // namespace hs
