#include "device/cpu/orthonormal.h"

#include <algorithm>

#include "test/plan_spec.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

double dot(const double* a, const double* b, int64_t m) {
  double sum = 0;
  for (int64_t k = 0; k < m; k++) sum += a[k] * b[k];
  return sum;
}

// Largest element of q q^T - 1, q [n, m].
double deviation(const std::vector<double>& q, int64_t n, int64_t m) {
  double worst = 0;
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j <= i; j++)
      worst = std::max(worst, std::fabs(dot(&q[size_t(i * m)], &q[size_t(j * m)], m) - (i == j)));
  return worst;
}

TEST(orthonormal_rows) {
  // One row; less than a strip; strips and a rest, square, where the last rows are mostly rounding;
  // wide; a block and a rest.
  const int64_t shapes[][2] = {{1, 5}, {7, 9}, {100, 100}, {97, 301}, {300, 310}};
  for (const auto& [n, m] : shapes) {
    const std::vector<double> from = noise(size_t(n * m), 3);
    CHECK(deviation(from, n, m) > 0.1);
    std::vector<double> q = from;
    Orthonormalization work(n, m);
    while (work.step(q.data())) {
    }
    // n products of length m, each rounded: 1e-13 leaves a factor of a hundred
    CHECK_CLOSE(deviation(q, n, m), 0, 1e-13);
    // Row i lies in the span of the first i + 1: nothing of `from` is left beyond them, and its own
    // part is positive.
    for (int64_t i = 0; i < n; i++) {
      std::vector<double> rest(from.begin() + i * m, from.begin() + (i + 1) * m);
      CHECK(dot(rest.data(), &q[size_t(i * m)], m) > 0);
      for (int64_t j = 0; j <= i; j++) {
        const double part = dot(rest.data(), &q[size_t(j * m)], m);
        for (int64_t k = 0; k < m; k++) rest[size_t(k)] -= part * q[size_t(j * m + k)];
      }
      CHECK_CLOSE(std::sqrt(dot(rest.data(), rest.data(), m)), 0, 1e-11);
    }
  }
}

}  // namespace
}  // namespace test
}  // namespace hs
