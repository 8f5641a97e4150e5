// The loss 'ctc' of one output, its gradient and the label error rate beside it (decision 0045).
#pragma once
#include <memory>
#include <vector>

#include "device/cpu/ctc/loss.h"
#include "device/device.h"

namespace hs {

// Targets are labels [L] of whole samples, padded with -1. A frame that the mask leaves out is not
// there. Weights are of samples. The loss is the mean of the costs, as that of other objectives:
// weight_b / mean(weight != 0) / B of each.
template <typename real>
class CtcCriterion final : public Criterion<real> {
 public:
  // spec.loss: { name: "ctc", blank, zeroInfinity }
  explicit CtcCriterion(const Config& spec);
  bool sparse() const override { return false; }
  int64_t target_dim() const override { return 0; }
  bool has_targets() const override { return true; }
  bool labelling() const override { return true; }
  int metrics() const override { return metrics_; }
  void check_labels(const real* y, const real* weights, int64_t samples, int64_t L,
                    const Extent& p) const override;
  void value(const Scored<real>&, double* loss, double* weighted, double* nothing) override;
  void gradient(const Scored<real>&, real* dp) override;
  void measure(const Scored<real>&, double* values) override;

 private:
  // One sample of a batch, and the memory that it lies in.
  struct Sample {
    std::vector<int64_t> frames;
    std::vector<int32_t> label;
    CtcSpace space;
    CtcSample<real> of(const Scored<real>&, int64_t b, int64_t blank);
  };
  template <typename Fn>
  void each(const Scored<real>&, const Fn& fn);
  void refuse(int64_t sample, int64_t T, const int32_t* label, int64_t L) const;

  int64_t blank_;
  bool zero_infinity_;
  int metrics_ = 0;
  std::vector<Sample> samples_;  // one a thread
};

}  // namespace hs
