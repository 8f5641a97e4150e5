// Gram-Schmidt by blocks of rows: what a block V has in common with the rows Q above it goes in two matrix products,
//   V -= (V Q^T) Q
// then in the same way what each strip of it has in common with the strips above, then its rows one after another. Where little of a row is left, most of that is rounding: once more against all ("twice is
// enough", Kahan in Parlett, The Symmetric Eigenvalue Problem, 1980, section 6-9).
#include "plan/orthonormal.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/table.h"

namespace hs {
namespace {

constexpr int64_t kBlock = 256;  // rows; what is above is packed once for them
constexpr int64_t kStrip = 32;   // rows of a block
constexpr double kLittle = 0.1;

double norm(const Table<double>& k, const double* v, int64_t m) {
  return std::sqrt(k.sum_squares(v, m));
}

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

// Takes out of V [rows, m] what it has in common with Q [first, m].
class Projection {
 public:
  Projection(const Table<double>& k, int64_t n, int64_t m)
      : k_(k),
        m_(m),
        packed_(std::max(k.packed_size(m, n), k.packed_size(n, m))),
        common_(size_t(std::min(kBlock, n) * n)) {}

  void subtract(double* v, int64_t rows, const double* q, int64_t first) {
    if (first == 0) return;
    k_.pack(packed_.data(), q, m_, true, m_, first, 0, first);
    k_.gemm(common_.data(), first, v, m_, packed_.data(), rows, first, m_, 0, first, false,
            nullptr);
    k_.scale(common_.data(), -1, rows * first);
    k_.pack(packed_.data(), q, m_, false, first, m_, 0, m_);
    k_.gemm(v, m_, common_.data(), first, packed_.data(), rows, m_, first, 0, m_, true, nullptr);
  }

 private:
  const Table<double>& k_;
  const int64_t m_;
  std::vector<double> packed_;
  std::vector<double> common_;  // [rows, first]
};

}  // namespace

void orthonormalize(double* q, int64_t n, int64_t m) {
  const Table<double>& k = kernels<double>();
  Projection projection(k, n, m);
  std::vector<double> before(size_t(std::min(kBlock, n)));
  for (int64_t outer = 0; outer < n; outer += kBlock) {
    const int64_t height = std::min(kBlock, n - outer);
    double* block = q + outer * m;  // [height, m]
    for (int64_t r = 0; r < height; r++) before[size_t(r)] = norm(k, block + r * m, m);
    projection.subtract(block, height, q, outer);
    for (int64_t inner = 0; inner < height; inner += kStrip) {
      const int64_t rows = std::min(kStrip, height - inner);
      double* strip = block + inner * m;  // [rows, m]
      projection.subtract(strip, rows, block, inner);
      for (int64_t r = 0; r < rows; r++) {
        double* v = strip + r * m;
        subtract(k, v, strip, r, m);
        double after = norm(k, v, m);
        if (!(after > kLittle * before[size_t(inner + r)])) {
          subtract(k, v, q, outer + inner + r, m);
          after = norm(k, v, m);
        }
        k.scale(v, 1 / after, m);
      }
    }
  }
}

}  // namespace hs
