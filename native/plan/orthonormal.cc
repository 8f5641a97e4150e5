// Gram-Schmidt by blocks of rows: what a block V has in common with the rows Q above it goes in two matrix products,
//   V -= (V Q^T) Q
// then its rows one after another. Where little of a row is left, most of that is rounding: once more against all ("twice is
// enough", Kahan in Parlett, The Symmetric Eigenvalue Problem, 1980, section 6-9).
#include "plan/orthonormal.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/table.h"

namespace hs {
namespace {

constexpr int64_t kBlock = 32;  // rows
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

}  // namespace

void orthonormalize(double* q, int64_t n, int64_t m) {
  const Table<double>& k = kernels<double>();
  std::vector<double> packed(std::max(k.packed_size(m, n), k.packed_size(n, m)));
  std::vector<double> common(size_t(kBlock * n));  // [rows, first]
  std::vector<double> before(size_t(std::min(kBlock, n)));
  for (int64_t first = 0; first < n; first += kBlock) {
    const int64_t rows = std::min(kBlock, n - first);
    double* block = q + first * m;
    for (int64_t r = 0; r < rows; r++) before[size_t(r)] = norm(k, block + r * m, m);
    if (first > 0) {
      k.pack(packed.data(), q, m, true, m, first, 0, first);
      k.gemm(common.data(), first, block, m, packed.data(), rows, first, m, 0, first, false,
             nullptr);
      k.scale(common.data(), -1, rows * first);
      k.pack(packed.data(), q, m, false, first, m, 0, m);
      k.gemm(block, m, common.data(), first, packed.data(), rows, m, first, 0, m, true, nullptr);
    }
    for (int64_t r = 0; r < rows; r++) {
      double* v = block + r * m;
      subtract(k, v, block, r, m);
      double after = norm(k, v, m);
      if (!(after > kLittle * before[size_t(r)])) {
        subtract(k, v, q, first + r, m);
        after = norm(k, v, m);
      }
      k.scale(v, 1 / after, m);
    }
  }
}

}  // namespace hs
