// The update on the CPU: chunk by chunk over the threads; rows of an embedding that have no
// gradient wait (updater.cc).
#pragma once
#include <array>
#include <vector>

#include "device/cpu/kernels/optimizer.h"
#include "device/cpu/kernels/table.h"
#include "device/device.h"

namespace hs {

template <typename real>
class CpuUpdater final : public Updater<real> {
 public:
  CpuUpdater(const Table<real>* k, const OptimizerKernels<real>* kernels)
      : k_(k), kernels_(kernels) {}

  int moments() const override { return kernels_->moments; }
  void prepare(const std::vector<Param>&, bool begun) override;
  void apply(const std::vector<Param>&, const Weights<real>&, const Hyper&, const Clipping&,
             const double* finite) override;
  void settle(const Weights<real>&, const Hyper&) override;
  void moment_written(int param) override;

 private:
  struct Chunk {
    int param;
    int64_t begin, n;
  };
  // Of a parameter by rows: those without a gradient wait, if they can. last [rows]: the step (of
  // steps_) up to which a row's moments have come; kUntouched: they are zero, and a gradient of
  // zero changes neither them nor the parameter.
  struct Rows {
    int param;
    int64_t offset, width;
    std::vector<int64_t> last;
  };
  static constexpr int64_t kUntouched = -1;

  using Moments = std::array<real*, 4>;

  void clip(const std::vector<Param>&, const Weights<real>&, const Clipping&);
  template <typename Fn>
  void each_gradient(const Param& p, const Chunk& c, const Fn& fn) const;
  // of the element that lies there among the parameters
  Moments moments_at(const Weights<real>&, int64_t offset) const;
  void update(const Weights<real>&, const Param& p, int64_t begin, int64_t n, const Hyper& h) const;
  void update_rows(Rows& rows, const Param&, const Weights<real>&, const Hyper& h);
  bool can_wait(const Hyper& h) const;
  void catch_up(Rows& rows, int64_t v, const Weights<real>&, const Hyper&) const;
  template <typename Fn>
  void each_chunk(const Fn& fn) const;

  const Table<real>* k_;
  const OptimizerKernels<real>* kernels_;
  std::vector<Chunk> chunks_;
  std::vector<Rows> rows_;
  int64_t steps_ = 0;          // updates so far
  std::vector<double> parts_;  // [chunks]: sums of squares
  std::vector<double> norms_;  // [groups of the greediest constraint]
};

}  // namespace hs
