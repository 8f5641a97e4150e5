// Penalties on a card: Keras 1.2.2 regularizers.py, as device/cpu/penalties.cc.
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "device/cuda/queue_memory.h"
#include "device/param.h"

namespace hs {

template <typename real>
class CudaPenalties {
 public:
  explicit CudaPenalties(CardQueue& queue) : queue_(queue) {}

  // *sum += the penalty on w [dims...]; dw nullptr, or dw += its gradient.
  void penalize(double* sum, const Penalty& p, const real* w, real* dw, const Dims& dims) {
    const int64_t n = count(dims);
    if (p.eigenvalue != 0) {
      throw Error(Code::kOption, "device 'cuda'",
                  "eigenvalue regularizers do not run on a card. Use l1 or l2, or device 'cpu'.");
    }
    if (n == 0 || (p.l1 == 0 && p.l2 == 0)) return;
    parts_.reserve(kSumThreads);
    queue_.launch("penalty", PenaltyArgs<real>{kSumThreads, parts_.data(), w, n, p.l1, p.l2});
    queue_.launch("add_up", AddUpArgs<real>{1, sum, parts_.data(), kSumThreads, true});
    if (dw)
      queue_.launch("penalty_gradient",
                    PenaltyGradientArgs<real>{n, dw, w, real(p.l1), real(2 * p.l2)});
  }

 private:
  CardQueue& queue_;
  QueueMemory memory_{queue_};
  Block<double> parts_{memory_};
};

}  // namespace hs
