// Objectives and metrics on a card: device/cpu/criterion.cc says what they are. Nothing of them
// waits for the card. Launches, of the loss and all metrics together:
//   count_rows, row_factor  with a mask or weights: what the coefficients of rows have in common
//   read_rows               what is to be found in rows; of many columns twice, by several threads
//   row_terms               coefficients and scores, and what a row is to each sum
//   list_sums               of many rows, the first half of all sums
//   loss, metric_values     the second
// and one for the gradient. What users write as expressions has launches of its own: a node each,
// and two for the mean of a metric.
#pragma once
#include <vector>

#include "base/arena.h"
#include "device/cuda/kernels/args.h"
#include "device/cuda/nodes/run.h"
#include "device/cuda/queue_memory.h"
#include "device/program_objective.h"

namespace hs {

template <typename real>
class CudaCriterion final : public Criterion<real> {
 public:
  CudaCriterion(const Config& spec, CardQueue&);
  bool sparse() const override { return sparse_; }
  int64_t target_dim() const override { return sparse_ ? 1 : loss_ ? loss_->target_dim() : 0; }
  bool has_targets() const override { return !is_value_; }
  int metrics() const override { return static_cast<int>(readers_.size()) - 1; }
  void value(const Scored<real>&, double* loss, double* weighted, double* nothing) override;
  void gradient(const Scored<real>&, real* dp) override;
  void measure(const Scored<real>&, double* values) override;

 private:
  using Written = ProgramObjective<real, CardQueue>;
  static bool selects(const Scored<real>& s) { return s.mask || s.weights; }
  static bool few(const Scored<real>& s) { return s.R <= kSumThreads; }
  static OutputRows<real> rows(const Scored<real>& s) { return {s.y, s.p, s.R, s.Ky, s.K}; }
  int64_t readers() const { return static_cast<int64_t>(readers_.size()); }
  const double* factor(const Scored<real>& s) const {
    return selects(s) ? counts_.data() + 2 * kSumThreads : nullptr;
  }
  // Of reader `i`, the terms that are left to add up: how many stands in count().
  const double* sums(const Scored<real>& s, int64_t i) const {
    return few(s) ? terms_.data() + i * kTerms * s.R : parts_.data() + i * kTerms * kSumThreads;
  }
  static int64_t count(const Scored<real>& s) { return few(s) ? s.R : kSumThreads; }
  void reserve(const Scored<real>&);
  void find_factor(const Scored<real>&);
  void read(const Scored<real>&);
  std::unique_ptr<Written> written(const Config&, const char* name);

  CardQueue& queue_;
  QueueMemory memory_{queue_};
  bool is_value_, sparse_ = false;  // is_value: the loss is the mean of what is given
  int kind_;                        // ObjectiveKind
  std::vector<Reader> readers_;     // the objective, then the metrics
  std::unique_ptr<Written> loss_;   // instead of the objective
  std::vector<std::unique_ptr<Written>> metrics_;  // instead of a reader; nullptr: not
  Block<Reader> card_readers_{memory_};
  Found found_ = {};  // of the batch at hand, in first_ and second_
  Block<char> first_{memory_}, second_{memory_};
  Block<double> counts_{memory_};  // [2, kSumThreads], then the factor and a Nothing
  Block<double> terms_{memory_};   // [readers, kTerms, R]
  Block<double> parts_{memory_};   // [readers, kTerms, kSumThreads]
  Block<real> seed_{memory_};      // [R] coefficients, as the gradient of a program has them
};

}  // namespace hs
