// Gram-Schmidt by blocks of rows: what a block V has in common with the rows Q above it is taken
// out by two matrix products,
//   V -= (V Q^T) Q
// a few columns of the result at a time. The same is done for each strip of the block and the
// strips above it, then for its rows, one after another. Where little of a row is left, most of
// that is rounding: it is done once more, against all rows ("twice is enough", Kahan in Parlett,
// The Symmetric Eigenvalue Problem, 1980, section 6-9). The bits do not depend on how many columns
// a step takes (table.h).
#include "device/cpu/orthonormal.h"

#include <algorithm>
#include <cmath>

#include "device/cpu/kernels/table.h"

namespace hs {
namespace {

constexpr int64_t kBlock = 256;  // rows; what is above is packed once for them
constexpr int64_t kStrip = 32;   // rows of a block
constexpr double kLittle = 0.1;
constexpr int64_t kStep = 1 << 25;  // multiply-adds of a step, which takes some milliseconds

// v -= (v u) u for every row u of q [n, m].
void subtract(const Table<double>& k, double* v, const double* q, int64_t n, int64_t m) {
  for (int64_t i = 0; i < n; i++) {
    const double* u = q + i * m;
    double dot[4] = {};
    int64_t j = 0;
    for (; j + 4 <= m; j += 4)
      for (int64_t lane = 0; lane < 4; lane++) dot[lane] += v[j + lane] * u[j + lane];
    for (; j < m; j++) dot[0] += v[j] * u[j];
    k.axpy(v, -((dot[0] + dot[1]) + (dot[2] + dot[3])), u, m);
  }
}

// How many columns a step takes, of `rows` x `depth` multiply-adds each: whole tiles.
int64_t columns_of_step(const Table<double>& k, int64_t rows, int64_t depth) {
  return std::max<int64_t>(1, kStep / (rows * depth) / k.gemm_nr) * k.gemm_nr;
}

}  // namespace

Orthonormalization::Orthonormalization(int64_t n, int64_t m) : n_(n), m_(m) {
  const Table<double>& k = kernels<double>();
  const int64_t most = std::min(kBlock, n);
  packed_.reserve(int64_t(std::max(k.packed_size(m, n), k.packed_size(n, m))));
  common_.resize(size_t(most * n));
  before_.resize(size_t(most));
}

void Orthonormalization::find_common(const double* v, int64_t rows, const double* q, int64_t first,
                                     int64_t from, int64_t to) {
  const Table<double>& k = kernels<double>();
  k.pack(packed_.data(), q, m_, true, m_, first, from, to);
  k.gemm(common_.data(), first, v, m_, packed_.data(), rows, first, m_, from, to, false, nullptr);
  for (int64_t r = 0; r < rows; r++) k.scale(&common_[size_t(r * first + from)], -1, to - from);
}

void Orthonormalization::take_out(double* v, int64_t rows, const double* q, int64_t first,
                                  int64_t from, int64_t to) {
  const Table<double>& k = kernels<double>();
  k.pack(packed_.data(), q, m_, false, first, m_, from, to);
  k.gemm(v, m_, common_.data(), first, packed_.data(), rows, m_, first, from, to, true, nullptr);
}

void Orthonormalization::finish_row(double* q, int64_t row) {
  const Table<double>& k = kernels<double>();
  const int64_t strip = row - (row - block_) % kStrip;
  double* v = q + row * m_;
  subtract(k, v, q + strip * m_, row - strip, m_);
  double after = std::sqrt(k.sum_squares(v, m_));
  if (!(after > kLittle * before_[size_t(row - block_)])) {
    subtract(k, v, q, row, m_);
    after = std::sqrt(k.sum_squares(v, m_));
  }
  k.scale(v, 1 / after, m_);
}

bool Orthonormalization::step(double* q) {
  const Table<double>& k = kernels<double>();
  const int64_t height = std::min(kBlock, n_ - block_);
  double* v = q + block_ * m_;  // [height, m]
  switch (phase_) {
    case Phase::kBegin:
      for (int64_t r = 0; r < height; r++)
        before_[size_t(r)] = std::sqrt(k.sum_squares(v + r * m_, m_));
      at_ = 0;
      phase_ = block_ > 0 ? Phase::kFind : Phase::kRows;
      return true;
    case Phase::kFind: {
      const int64_t to = std::min(block_, at_ + columns_of_step(k, height, m_));
      find_common(v, height, q, block_, at_, to);
      at_ = to < block_ ? to : 0;
      if (at_ == 0) phase_ = Phase::kTakeOut;
      return true;
    }
    case Phase::kTakeOut: {
      const int64_t to = std::min(m_, at_ + columns_of_step(k, height, block_));
      take_out(v, height, q, block_, at_, to);
      at_ = to < m_ ? to : 0;
      if (at_ == 0) phase_ = Phase::kRows;
      return true;
    }
    case Phase::kRows:
      if (at_ % kStrip == 0 && at_ > 0) {
        const int64_t rows = std::min(kStrip, height - at_);
        find_common(v + at_ * m_, rows, v, at_, 0, at_);
        take_out(v + at_ * m_, rows, v, at_, 0, m_);
      }
      finish_row(q, block_ + at_);
      at_++;
      if (at_ < height) return true;
      block_ += height;
      phase_ = Phase::kBegin;
      return block_ < n_;
  }
  return false;
}

}  // namespace hs
