// The update of all parameters on a card: a launch for clipping, one for the optimizer, one for
// each constraint. All of them read whether the batch is finite, so that the host need not wait.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/arena.h"
#include "device/cuda/kernels/args.h"
#include "device/cuda/queue.h"
#include "device/cuda/queue_memory.h"
#include "device/cuda/rules.h"
#include "device/device.h"

namespace hs {

template <typename real>
class CudaUpdater final : public Updater<real> {
 public:
  CudaUpdater(const CudaOptimizer& optimizer, CardQueue& queue);
  ~CudaUpdater() override { queue_.leave(rule_); }
  int moments() const override { return optimizer_.moments; }
  // Throws Error(kOption) for a constraint of more axes than a card takes.
  void prepare(const std::vector<Param>&, bool begun) override;
  void apply(const std::vector<Param>&, const Weights<real>&, const Hyper&, const Clipping&,
             const double* finite) override;
  // Every row of a parameter is updated in its turn.
  void settle(const Weights<real>&, const Hyper&) override {}
  void moment_written(int) override {}

 private:
  void clip(const Weights<real>&, const Clipping&, const double* finite);
  void constrain(const Param&, real* w, const double* finite);

  const CudaOptimizer& optimizer_;
  CardQueue& queue_;
  QueueMemory memory_{queue_};
  Block<ParamChunk> chunks_{memory_};
  int64_t count_ = 0;             // of chunks
  Block<double> parts_{memory_};  // [chunks], then [kSumThreads], then the sum
  void* const rule_;              // told
  std::string update_;            // the kernel
};

// nullptr: there is no optimizer of that name.
template <typename real>
std::unique_ptr<Updater<real>> make_cuda_updater(const std::string& name, CardQueue& queue);

}  // namespace hs
