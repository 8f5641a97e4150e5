// Every optimizer of every instruction set against its formula written out for one number in double
// (Keras 1.2.2 optimizers.py).
#include "device/cpu/kernels/optimizer.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "device/cpu/kernels/table.h"
#include "registry.inc"
#include "test/optimizer_cases.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

// Largest relative difference after five steps on n numbers; infinity when it writes beyond them.
template <typename real>
double difference(const OptimizerKernels<real>& o, const Formula& formula, int64_t n,
                  bool nesterov) {
  constexpr real kGuard = -77;
  std::mt19937 random(3);
  const auto uniform = [&] { return real(double(random()) / 2147483648.0 - 1); };
  std::vector<real> p(n + 16, kGuard), g(n + 16, kGuard), a(n + 16, kGuard), b(n + 16, kGuard);
  std::vector<double> p64(n), a64(n), b64(n);
  for (int64_t i = 0; i < n; i++) p64[i] = p[i] = uniform(), a[i] = b[i] = 0;
  double schedule = 1;
  for (int t = 1; t <= 5; t++) {
    const Hyper h = hyper_at<real>(t, nesterov, &schedule);
    for (int64_t i = 0; i < n; i++) {
      g[i] = i % 7 == 3 ? real(0) : uniform();
      double m[2] = {a64[i], b64[i]};
      formula(p64[i], g[i], m, h);
      a64[i] = m[0], b64[i] = m[1];
    }
    real* const moments[] = {a.data(), b.data()};
    o.update(p.data(), g.data(), moments, n, h);
  }
  double worst = 0;
  const auto compare = [&](const std::vector<real>& got, const std::vector<double>& want) {
    for (int64_t i = 0; i < n; i++) {
      const double e = std::fabs(got[i] - want[i]) / std::max(1e-3, std::fabs(want[i]));
      worst = std::isfinite(e) ? std::max(worst, e) : INFINITY;
    }
    for (size_t i = size_t(n); i < got.size(); i++) {
      if (got[i] != kGuard) worst = INFINITY;
    }
  };
  compare(p, p64);
  compare(a, a64);
  if (o.moments > 1) compare(b, b64);
  return worst;
}

template <typename real>
void check_all(const char* isa, double tolerance) {
#define HS_NAME(name) #name,
  for (const std::string name : {HS_OPTIMIZERS(HS_NAME)}) {
#undef HS_NAME
    const OptimizerKernels<real>* o = kernels_for<real>(isa).optimizer(name.c_str());
    CHECK_MESSAGE(o && kFormulas.count(name), name + " has no kernels or no formula here");
    if (!o || !kFormulas.count(name)) continue;
    CHECK(o->name == name);
    for (int64_t n : {1, 3, 8, 17, 67}) {  // less than, several of, and one more than whole vectors
      for (bool nesterov : {false, true}) {
        const double e = difference(*o, kFormulas.at(name), n, nesterov);
        CHECK_MESSAGE(e <= tolerance, std::string(isa) + "/" + name + " n " + std::to_string(n) +
                                          ": " + std::to_string(e));
      }
    }
  }
}

// float32: five steps, each a dozen roundings of 6e-8, on values that may cancel. double: the same,
// 1e-9 times smaller.
TEST(optimizers_of_every_instruction_set) {
  for (const char* const* isa = available_isas(); *isa; isa++) {
    check_all<float>(*isa, 5e-5);
    check_all<double>(*isa, 1e-12);
  }
}

TEST(wrong_formula_is_caught) {
  const Table<float>& k = kernels<float>();
  CHECK(difference(*k.optimizer("adamax"), kFormulas.at("adam"), 17, false) > 1e-3);
  CHECK(difference(*k.optimizer("sgd"), kFormulas.at("sgd"), 17, true) < 5e-5);
}

TEST(saved_state_of_optimizers_as_keras) {
  const std::map<std::string, std::pair<int, bool>> expected = {
      {"sgd", {1, true}},       {"rmsprop", {1, false}}, {"adagrad", {1, false}},
      {"adadelta", {2, false}}, {"adam", {2, true}},     {"adamax", {2, true}},
      {"nadam", {2, true}}};
  for (const auto& [name, state] : expected) {
    const OptimizerKernels<double>* o = kernels<double>().optimizer(name.c_str());
    CHECK_MESSAGE(o && o->moments == state.first && o->saves_iterations == state.second, name);
  }
  CHECK(!kernels<double>().optimizer("adma"));
}

TEST(optimizers_hand_a_nan_gradient_on) {
  for (const auto& [name, formula] : kFormulas) {
    float p = 1, g = NAN, a = 0, b = 0;
    float* const moments[] = {&a, &b};
    double schedule = 1;
    kernels<float>()
        .optimizer(name.c_str())
        ->update(&p, &g, moments, 1, hyper_at<float>(1, false, &schedule));
    CHECK_MESSAGE(std::isnan(p), name);
  }
}

}  // namespace
}  // namespace test
}  // namespace hs
