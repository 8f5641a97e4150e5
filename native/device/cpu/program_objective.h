// Losses and metrics that users write as expressions: a program of targets (its input 0) and
// outputs (1), as they lie in memory.
#pragma once
#include <vector>

#include "device/cpu/nodes/run.h"
#include "device/device.h"

namespace hs {

template <typename real>
class ProgramObjective {
 public:
  // spec: { nodes, output }; name: for errors.
  ProgramObjective(const Config& spec, const char* name);

  // The program's value at these targets and outputs: [count(dims())].
  const real* value(const Scored<real>&);
  const Dims& dims() const { return frame_.dims[size_t(output_)]; }
  // dp [R, K] = sum of seed * d value / d p; after value(). seed [count(dims())].
  void gradient(const Scored<real>&, const real* seed, real* dp);

  // As a loss: a score for each row of the last axis. One for each sample counts for all its rows.
  // Throws Error(kShape) for a value of other extents.
  void scores(const Scored<real>&);                     // into score
  void scores_gradient(const Scored<real>&, real* dp);  // of sum(coef * score)
  double mean(const Scored<real>&);                     // as a metric

 private:
  void bind(const Scored<real>&);
  bool by_sample(const Scored<real>&) const;

  const char* const name_;
  const Program program_;
  const int output_;
  Tape<real, const Table<real>> tape_;
  Stage<real> stage_;
  Frame<real> frame_;
  std::vector<int> nodes_;
  std::vector<char> written_;
  std::vector<real> values_, grads_, temp_, spare_, seed_;
  Dims p_dims_, y_dims_;  // bound to
};

}  // namespace hs
