// Elementwise kernels and reductions of every instruction set, at every length around a vector.
#include <algorithm>

#include "test/compare.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

// One rounding of fma against two: a relative error of eps where products cancel.
template <typename real>
constexpr double kNmse = sizeof(real) == 4 ? 1e-13 : 1e-30;

// The kernel works on y[n]; one element more must stay as it is.
template <typename real, typename Kernel, typename Formula>
void check(const std::string& where, int64_t n, const Kernel& kernel, const Formula& formula) {
  std::vector<real> y = numbers<real>(n + 1, 21);
  const real guard = y.back();
  std::vector<double> expected;
  for (int64_t i = 0; i < n; i++) expected.push_back(formula(double(y[i]), i));
  kernel(y.data());
  CHECK_MESSAGE(y.back() == guard, where + ": wrote beyond the end");
  y.pop_back();
  CHECK_MESSAGE(nmse(y, expected) <= kNmse<real>, where + ", n=" + std::to_string(n));
}

template <typename real>
void check_elementwise() {
  for_each_isa<real>([](const Table<real>& k, const std::string& isa) {
    for (int64_t n : lengths()) {
      const auto x = numbers<real>(n, 22), z = numbers<real>(n, 23);
      const real a = real(0.7f);
      check<real>(
          isa + " fill", n, [&](real* y) { k.fill(y, a, n); },
          [&](double, int64_t) { return double(a); });
      check<real>(
          isa + " add", n, [&](real* y) { k.add(y, x.data(), n); },
          [&](double y, int64_t i) { return y + double(x[i]); });
      check<real>(
          isa + " axpy", n, [&](real* y) { k.axpy(y, a, x.data(), n); },
          [&](double y, int64_t i) { return y + double(a) * double(x[i]); });
      check<real>(
          isa + " scale", n, [&](real* y) { k.scale(y, a, n); },
          [&](double y, int64_t) { return y * double(a); });
      check<real>(
          isa + " multiply", n, [&](real* y) { k.multiply(y, x.data(), z.data(), n); },
          [&](double, int64_t i) { return double(x[i]) * double(z[i]); });
      check<real>(
          isa + " multiply_add", n, [&](real* y) { k.multiply_add(y, x.data(), z.data(), n); },
          [&](double y, int64_t i) { return y + double(x[i]) * double(z[i]); });
      check<real>(
          isa + " clip", n, [&](real* y) { k.clip(y, real(-0.25), real(0.5), n); },
          [&](double y, int64_t) { return y < -0.25 ? -0.25
                                          : y > 0.5 ? 0.5
                                                    : y; });
      if (n > 0) {
        check<real>(
            isa + " broadcast_rows", 3 * n, [&](real* y) { k.broadcast_rows(y, x.data(), 3, n); },
            [&](double, int64_t i) { return double(x[i % n]); });
      }
    }
    real nan[] = {real(NAN)};
    k.clip(nan, real(-1), real(1), 1);
    CHECK_MESSAGE(std::isnan(nan[0]), isa + " clip must keep a NaN");
  });
}

template <typename real>
void check_reductions() {
  for (int64_t n : lengths()) {
    const auto x = numbers<real>(n, 24);
    double squares = 0, magnitudes = 0;
    for (real v : x) squares += double(v) * double(v), magnitudes += std::fabs(double(v));
    const double squares_bits = kernels_for<real>("scalar").sum_squares(x.data(), n),
                 abs_bits = kernels_for<real>("scalar").sum_abs(x.data(), n);
    for_each_isa<real>([&](const Table<real>& k, const std::string& isa) {
      CHECK_CLOSE(k.sum_squares(x.data(), n), squares, 1e-13 * squares);
      CHECK_CLOSE(k.sum_abs(x.data(), n), magnitudes, 1e-13 * magnitudes);
      CHECK_MESSAGE(k.sum_squares(x.data(), n) == squares_bits, isa + ": the same bits everywhere");
      CHECK_MESSAGE(k.sum_abs(x.data(), n) == abs_bits, isa + ": the same bits everywhere");
      std::vector<real> y = x;  // zeros from a to b, which the sum in parts leaves out
      const int64_t a = n / 3, b = n - n / 4;
      std::fill(y.begin() + a, y.begin() + b, real(0));
      double partial[kPartialSums] = {};
      k.add_squares(partial, y.data(), 0, a);
      k.add_squares(partial, y.data() + b, b, n - b);
      CHECK_MESSAGE(k.fold(partial) == k.sum_squares(y.data(), n), isa + ": in parts");
      CHECK_MESSAGE(k.all_finite(x.data(), n), isa);
      for (real bad : {real(NAN), real(INFINITY), real(-INFINITY)}) {
        for (int64_t at = 0; at < n; at++) {  // wherever it hides
          std::vector<real> y = x;
          y[at] = bad;
          CHECK_MESSAGE(!k.all_finite(y.data(), n),
                        isa + ", n=" + std::to_string(n) + ", at " + std::to_string(at));
        }
      }
      const std::vector<real> largest(static_cast<size_t>(n), std::numeric_limits<real>::max());
      CHECK_MESSAGE(k.all_finite(largest.data(), n), isa + ": large is finite");
    });
  }
}

template <typename real>
void check_column_sums() {
  const int64_t rows = 37;
  for (int64_t K : lengths()) {
    const auto x = numbers<real>(rows * K, 25), before = numbers<real>(K + 1, 26);
    for (bool accumulate : {false, true}) {
      // the definition: row after row, so every set must have these bits
      std::vector<real> in_order = before;
      for (int64_t c = 0; c < K; c++) {
        if (!accumulate) in_order[c] = 0;
        for (int64_t r = 0; r < rows; r++) in_order[c] += x[r * K + c];
      }
      for_each_isa<real>([&](const Table<real>& k, const std::string& isa) {
        std::vector<real> s = before;
        k.column_sums(s.data(), x.data(), K, rows, K, accumulate);
        CHECK_MESSAGE(same_bits(s, in_order), isa + ", K=" + std::to_string(K));
        std::vector<real> falling(x.size());
        for (int64_t r = 0; r < rows; r++)
          std::copy_n(x.begin() + r * K, K, falling.begin() + (rows - 1 - r) * K);
        s = before;
        k.column_sums(s.data(), falling.data() + (rows - 1) * K, -K, rows, K, accumulate);
        CHECK_MESSAGE(same_bits(s, in_order), isa + ", falling, K=" + std::to_string(K));
      });
    }
  }
}

TEST(elementwise_of_every_isa) { check_elementwise<float>(), check_elementwise<double>(); }
TEST(reductions_of_every_isa) { check_reductions<float>(), check_reductions<double>(); }
TEST(column_sums_of_every_isa) { check_column_sums<float>(), check_column_sums<double>(); }

TEST(table_names_itself) {
  for_each_isa<float>([](const Table<float>& k, const std::string& isa) {
    CHECK(std::string(k.isa) + "/f32" == isa);
    CHECK(k.lanes >= 1 && k.gemm_nr % k.lanes == 0);
    CHECK(k.cell("no such cell") == nullptr);
    CHECK(k.optimizer("no such optimizer") == nullptr);
  });
}

}  // namespace
}  // namespace test
}  // namespace hs
