// Regularizers against central differences, constraints against Keras' formulas, places in arenas.
#include <cmath>

#include "base/arena.h"
#include "base/error.h"
#include "device/cpu/constraints.h"
#include "device/cpu/host_memory.h"
#include "device/cpu/penalties.h"
#include "test/plan_spec.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

double penalty_error(const Penalty& penalty, std::vector<double> w, const Dims& dims) {
  std::vector<double> dw(w.size(), 0.0);
  penalize(penalty, w.data(), dw.data(), dims, &kernels<double>());
  double worst = 0;
  for (size_t i = 0; i < w.size(); i++) {
    const double kept = w[i], step = 1e-6;
    w[i] = kept + step;
    const double up = penalize<double>(penalty, w.data(), nullptr, dims, &kernels<double>());
    w[i] = kept - step;
    const double down = penalize<double>(penalty, w.data(), nullptr, dims, &kernels<double>());
    w[i] = kept;
    worst = std::max(worst, std::fabs((up - down) / (2 * step) - dw[i]));
  }
  return worst;
}

Constraint constraint(std::initializer_list<std::pair<const std::string, Config>> entries,
                      const Dims& dims) {
  const Config config = tree(entries);
  return Constraint::from(&config, dims, "w");
}

void hold(const Constraint& c, double* w, const Dims& dims) {
  std::vector<double> norms(size_t(c.groups));
  constrain(c, w, dims, norms.data());
}

double norm(const std::vector<double>& w, std::initializer_list<size_t> at) {
  double sum = 0;
  for (size_t i : at) sum += w[i] * w[i];
  return std::sqrt(sum);
}

}  // namespace

TEST(penalties_l1_l2) {
  Penalty p;
  p.l1 = 0.3, p.l2 = 0.7;
  const std::vector<double> w = {1, -2, 0.5};
  CHECK_CLOSE(penalize<double>(p, w.data(), nullptr, {3}, &kernels<double>()),
              0.3 * 3.5 + 0.7 * 5.25, 1e-14);
  CHECK(penalty_error(p, noise(40000, 5), {200, 200}) <
        1e-4);  // the sum is 1e4: differences lose digits
  CHECK(penalty_error(p, noise(35, 5), {5, 7}) < 1e-8);
}

TEST(penalties_eigenvalue) {
  Penalty p;
  p.eigenvalue = 2;
  const std::vector<double> diagonal = {3, 0, 0,
                                        1};  // W^T W = diag(9, 1): nine steps come close to 9
  CHECK_CLOSE(penalize<double>(p, diagonal.data(), nullptr, {2, 2}, &kernels<double>()), 6, 1e-12);
  // Close eigenvalues: the power method is far from its end and the value is what nine steps give,
  // not the eigenvalue.
  const std::vector<double> close = {1.1, 0, 0, 1};
  const double a = std::pow(1.21, 19), b = std::pow(1.21, 18);  // v_9 = (1.21^9, 1)
  CHECK_CLOSE(penalize<double>(p, close.data(), nullptr, {2, 2}, &kernels<double>()),
              2 * std::sqrt((a + 1) / (b + 1)), 1e-12);
  CHECK(penalty_error(p, close, {2, 2}) < 1e-8);
  CHECK(penalty_error(p, noise(20, 3), {5, 4}) < 1e-8);
  CHECK(penalty_error(p, noise(21, 4), {3, 7}) < 1e-8);
  std::vector<double> zero(4, 0.0), gradient(4, 0.0);
  CHECK(penalize(p, zero.data(), gradient.data(), {2, 2}, &kernels<double>()) == 0);
  CHECK(gradient == zero);
}

TEST(constraints_norms_and_signs) {
  const std::vector<double> w = {3, -0.1, 4, 0.2, 0, 0.2};  // [3, 2]: columns of norm 5 and 0.3
  std::vector<double> v = w;
  hold(constraint({{"name", text("maxnorm")}, {"m", number(2)}, {"axis", number(0)}}, {3, 2}),
       v.data(), {3, 2});
  CHECK_CLOSE(norm(v, {0, 2, 4}), 2, 1e-6);
  CHECK_CLOSE(v[1], -0.1, 1e-7);
  v = w;
  hold(constraint({{"name", text("unitnorm")}, {"axis", number(-1)}}, {3, 2}), v.data(), {3, 2});
  for (size_t row = 0; row < 3; row++) CHECK_CLOSE(norm(v, {2 * row, 2 * row + 1}), 1, 1e-6);
  v = w;
  hold(constraint({{"name", text("nonneg")}}, {3, 2}), v.data(), {3, 2});
  CHECK(v == (std::vector<double>{3, 0, 4, 0.2, 0, 0.2}));
  v = w;
  hold(constraint({{"name", text("minmaxnorm")},
                   {"low", number(1)},
                   {"high", number(2)},
                   {"rate", number(0.5)}},
                  {3, 2}),
       v.data(), {3, 2});
  CHECK_CLOSE(norm(v, {0, 2, 4}), 0.5 * 2 + 0.5 * 5, 1e-6);
  CHECK_CLOSE(norm(v, {1, 3, 5}), 0.5 * 1 + 0.5 * 0.3, 1e-6);
  std::vector<double> cube = noise(24, 6);  // [2, 3, 4], norms over the first two axes
  hold(constraint({{"name", text("unitnorm")}, {"axis", extents({0, 1})}}, {2, 3, 4}), cube.data(),
       {2, 3, 4});
  for (size_t c = 0; c < 4; c++)
    CHECK_CLOSE(norm(cube, {c, c + 4, c + 8, c + 12, c + 16, c + 20}), 1, 1e-6);
  CHECK_ERROR(constraint({{"name", text("maxnorm")}, {"axis", number(2)}}, {3, 2}), Code::kOption,
              "axis");
  CHECK_ERROR(constraint({{"name", text("softnorm")}}, {3, 2}), Code::kUnknownName, "softnorm");
}

TEST(arena_lays_out_aligned_and_shares_by_lifetime) {
  Layout layout;
  CHECK(layout.add("a", {3, 5}) == 0);
  CHECK(layout.add("b", {1}) == 16);
  CHECK(layout.add("c", {0}) == 32);
  CHECK(layout.find("b")->offset == 16 && layout.find("d") == nullptr);
  CHECK_ERROR(layout.add("d", {int64_t{1} << 40, int64_t{1} << 40}), Code::kOutOfMemory, "memory");
  Overlay overlay;
  CHECK(overlay.add(100, 0, 1) == 0);
  CHECK(overlay.add(50, 1, 2) == 112);
  CHECK(overlay.add(100, 2, 3) == 0);   // the first is dead
  CHECK(overlay.add(10, 1, 3) == 176);  // everything is in its way
  CHECK(overlay.add(16, 0, 0) == 112);
  Block<double> block(host_memory());
  block.reserve(10);
  CHECK(reinterpret_cast<uintptr_t>(block.data()) % kAlignment == 0);
  double* const before = block.data();
  block.reserve(5);
  CHECK(block.data() == before);
}

}  // namespace test
}  // namespace hs
