// Penalties on a card: Keras 1.2.2 regularizers.py, as device/cpu/penalties.cc.
#pragma once
#include <algorithm>
#include <vector>

#include "base/arena.h"
#include "device/cuda/queue_memory.h"
#include "device/cuda/sums.h"
#include "device/param.h"

namespace hs {

template <typename real>
class CudaPenalties {
 public:
  explicit CudaPenalties(CardQueue& queue) : queue_(queue) {}

  // *sum += the penalty on w [dims...]; dw nullptr, or dw += its gradient.
  void penalize(double* sum, const Penalty& p, const real* w, real* dw, const Dims& dims) {
    const int64_t n = count(dims);
    if (n == 0) return;
    if (p.l1 != 0 || p.l2 != 0) {
      const int64_t lanes = std::max(kSumThreads, sum_lanes(1, n));
      parts_.reserve(lanes + kSumThreads);
      double* const parts = parts_.data();
      queue_.launch("penalty", PenaltyArgs<real>{lanes, parts, w, n, p.l1, p.l2});
      add_up<real>(queue_, sum, parts, lanes, parts + lanes, true);
      if (dw)
        queue_.launch("penalty_gradient",
                      PenaltyGradientArgs<real>{n, dw, w, real(p.l1), real(2 * p.l2)});
    }
    if (p.eigenvalue != 0) eigenvalue(sum, p.eigenvalue, w, dw, dims[0], dims[1]);
  }

 private:
  void eigenvalue(double* sum, double k, const real* w, real* dw, int64_t R, int64_t C) {
    constexpr int kSteps = kPowerSteps;
    vectors_.reserve(2 * (kSteps + 1) * C + (2 * kSteps + 3) * R + kSteps + 3);
    double* const v = vectors_.data();            // [kSteps + 1, C]
    double* const dv = v + (kSteps + 1) * C;      // likewise
    double* const u = dv + (kSteps + 1) * C;      // [kSteps + 1, R]
    double* const du = u + (kSteps + 1) * R;      // [kSteps + 2, R]
    double* const scale = du + (kSteps + 2) * R;  // [kSteps + 1]
    double *const twice_g = scale + kSteps + 1, *const less = twice_g + 1;
    const auto times = [&](double* out, const double* x) {
      queue_.launch("eigen_times", EigenTimesArgs<real>{R, C, out, w, x});
    };
    queue_.fill(v, 1, C);
    for (int i = 1; i <= kSteps; i++) {
      double* const at = v + i * C;
      times(u + i * R, v + (i - 1) * C);
      queue_.launch("eigen_back",
                    EigenBackArgs<real>{C, R, at, w, u + i * R, nullptr, nullptr, nullptr});
      queue_.launch("eigen_scale", EigenScaleArgs<real>{1, C, scale + i, at});
      queue_.launch("eigen_scaled", EigenScaledArgs<real>{C, at, at, scale + i});
    }
    double* const last = du + (kSteps + 1) * R;
    times(last, v + kSteps * C);
    queue_.launch("eigen_value", EigenValueArgs<real>{1, R, sum, last, k, twice_g, less});
    if (!dw) return;
    queue_.launch("eigen_scaled", EigenScaledArgs<real>{R, last, last, twice_g});
    for (int i = kSteps; i >= 1; i--) {
      queue_.launch("eigen_back",
                    EigenBackArgs<real>{C, R, dv + i * C, w, du + (i + 1) * R,
                                        i == kSteps ? less : nullptr, v + i * C, scale + i});
      times(du + i * R, dv + i * C);
    }
    queue_.launch("eigen_gradient", EigenGradientArgs<real>{R * C, R, C, dw, v, dv, u, du});
  }

  CardQueue& queue_;
  QueueMemory memory_{queue_};
  Block<double> parts_{memory_}, vectors_{memory_};
};

}  // namespace hs
