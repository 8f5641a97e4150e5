// The mask [T, B] of a recurrence whose rows are places of the samples (ConvLSTM2D): P rows of a
// step, those of a sample one after the other.
#pragma once
#include <algorithm>
#include <vector>

#include "device/cpu/kernels/cell.h"

namespace hs {

template <typename real>
class PlaceMask {
 public:
  void declare(int64_t T, int64_t P) {
    P_ = P;
    rows_.resize(size_t(T * P + 1));  // one more, so that an empty list has an address, too
    count_.resize(size_t(T));
  }

  // Writes spread [T, P], the mask of each place in processing order, and lists the real places.
  void set(real* spread, const real* mask, int64_t B, bool backwards) {
    const int64_t T = int64_t(count_.size()), places = P_ / B;
    for (int64_t s = 0; s < T; s++) {
      int32_t* next = rows_.data() + s * P_;
      for (int64_t b = 0; b < B; b++) {
        const real m = mask[(backwards ? T - 1 - s : s) * B + b];
        std::fill_n(spread + s * P_ + b * places, places, m);
        for (int64_t i = b * places; m != 0 && i < (b + 1) * places; i++)
          *next++ = static_cast<int32_t>(i);
      }
      count_[size_t(s)] = next - (rows_.data() + s * P_);
    }
  }

  // Gives `a`, which is of step s, the list of its rows that are real.
  void list_real(CellArgs<real>& a, int64_t s) const {
    const int32_t* first = rows_.data() + s * P_;  // [count_[s]], rising
    const int32_t* end = first + count_[size_t(s)];
    const int32_t* from = std::lower_bound(first, end, static_cast<int32_t>(a.r0));
    a.real_rows = from;
    a.real_count = std::lower_bound(from, end, static_cast<int32_t>(a.r1)) - from;
  }

 private:
  int64_t P_ = 0;
  std::vector<int32_t> rows_;   // [T, P]
  std::vector<int64_t> count_;  // [T]
};

}  // namespace hs
