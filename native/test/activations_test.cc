// Activations of every instruction set against the C library in double: values, slopes, special
// values.
#include <algorithm>

#include "base/error.h"
#include "ops/activation_name.h"
#include "test/compare.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

struct Named {
  Activation kind;
  const char* name;
  double (*value)(double x);
  double (*slope)(double kept);  // from the output, or from x where slope_from_input
  double at_plus_infinity, at_minus_infinity;
};
const double kInf = std::numeric_limits<double>::infinity();
const double kScale = 1.0507009873554804934193349852946,
             kAlpha = 1.6732632423543772848170429916717;  // of selu
const Named kActivations[] = {
    {Activation::kLinear, "linear", [](double x) { return x; }, [](double) { return 1.0; }, kInf,
     -kInf},
    {Activation::kTanh, "tanh", [](double x) { return std::tanh(x); },
     [](double y) { return 1 - y * y; }, 1, -1},
    {Activation::kSigmoid, "sigmoid", [](double x) { return 1 / (1 + std::exp(-x)); },
     [](double y) { return y * (1 - y); }, 1, 0},
    {Activation::kHardSigmoid, "hard_sigmoid",
     [](double x) { return std::min(1.0, std::max(0.0, 0.2 * x + 0.5)); },
     [](double y) { return y > 0 && y < 1 ? 0.2 : 0.0; }, 1, 0},
    {Activation::kRelu, "relu", [](double x) { return x > 0 ? x : 0.0; },
     [](double y) { return y > 0 ? 1.0 : 0.0; }, kInf, 0},
    {Activation::kSoftplus, "softplus",
     [](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); },
     [](double y) { return -std::expm1(-y); }, kInf, 0},
    {Activation::kSoftsign, "softsign", [](double x) { return x / (1 + std::fabs(x)); },
     [](double y) { return (1 - std::fabs(y)) * (1 - std::fabs(y)); }, 1, -1},
    {Activation::kElu, "elu", [](double x) { return x > 0 ? x : std::expm1(x); },
     [](double y) { return y > 0 ? 1 : y + 1; }, kInf, -1},
    {Activation::kSelu, "selu",
     [](double x) { return kScale * (x > 0 ? x : kAlpha * std::expm1(x)); },
     [](double y) { return y > 0 ? kScale : y + kScale * kAlpha; }, kInf, -kScale * kAlpha},
    {Activation::kExponential, "exponential", [](double x) { return std::exp(x); },
     [](double y) { return y; }, kInf, 0},
    {Activation::kSwish, "swish", [](double x) { return x / (1 + std::exp(-x)); },
     [](double x) {
       const double s = 1 / (1 + std::exp(-x)), rest = 1 / (1 + std::exp(x));  // rest: 1 - s
       return s + x * s * rest;
     },
     kInf, 0},
};

// Small, middle and saturating arguments of both signs.
template <typename real>
std::vector<real> arguments() {
  std::vector<real> x = numbers<real>(4001, 11, -12, 12);
  for (double v :
       {0.0, 1e-30, 1e-8, 1e-4, 0.0625, 0.34657, 0.5, 1.0, 2.5, 9.0, 20.0, 50.0, 87.0, 100.0})
    x.push_back(static_cast<real>(v)), x.push_back(static_cast<real>(-v));
  return x;
}

// Largest relative error of `actual`, where the reference is not subnormal.
template <typename real>
double worst(const std::vector<real>& actual, const std::vector<double>& reference) {
  double most = 0;
  for (size_t i = 0; i < actual.size(); i++) {
    if (std::fabs(reference[i]) < 2 * double(std::numeric_limits<real>::min())) continue;
    most = std::max(most, std::fabs(double(actual[i]) / reference[i] - 1));
  }
  return most;
}

// Largest relative errors seen over 2 million arguments, every instruction set, in eps (float /
// double): tanh 1.5 / 1.6 on [-12, 12], sigmoid 1.2 / 1.3 and softplus 2.1 / 2.4 on [-80, 80], elu
// 0.8 / 1.0 on [-30, 1], softsign 1.0 / 0.8.
template <typename real>
constexpr double kRelative = 3 * std::numeric_limits<real>::epsilon();
template <typename real>
constexpr double kNmse = sizeof(real) == 4 ? 1e-12 : 1e-30;

template <typename real>
void check_values() {
  const std::vector<real> all = arguments<real>();
  for_each_isa<real>([&](const Table<real>& k, const std::string& isa) {
    for (const Named& f : kActivations) {
      const std::string where = isa + " " + f.name;
      std::vector<real> x;  // those whose value there is a number for
      for (real v : all) {
        if (std::fabs(f.value(double(v))) <= double(std::numeric_limits<real>::max()))
          x.push_back(v);
      }
      const int64_t n = static_cast<int64_t>(x.size());
      std::vector<real> y(x.size()), dx(x.size()), dy = numbers<real>(n, 12);
      std::vector<double> expected, slope;
      k.activate(f.kind, y.data(), x.data(), n);
      for (real v : x) expected.push_back(f.value(double(v)));
      CHECK_MESSAGE(nmse(y, expected) <= kNmse<real>, where);
      const double relative = worst(y, expected);
      // hard_sigmoid subtracts near x = -2.5; there only the absolute error is small
      CHECK_MESSAGE(
          relative <= kRelative<real> || f.kind == Activation::kHardSigmoid,
          where + ": " + std::to_string(relative / std::numeric_limits<real>::epsilon()) + " eps");
      const std::vector<real>& kept = slope_from_input(f.kind) ? x : y;
      k.activate_backward(f.kind, dx.data(), kept.data(), dy.data(), n);
      for (int64_t i = 0; i < n; i++) slope.push_back(double(dy[i]) * f.slope(double(kept[i])));
      CHECK_MESSAGE(nmse(dx, slope) <= kNmse<real>, where + " backward");
    }
  });
}

template <typename real>
void check_special() {
  const real inf = std::numeric_limits<real>::infinity(),
             nan = std::numeric_limits<real>::quiet_NaN();
  for_each_isa<real>([&](const Table<real>& k, const std::string& isa) {
    for (const Named& f : kActivations) {
      const std::string where = isa + " " + f.name;
      for (int64_t at : {0, 16}) {  // in a whole vector, and in the rest
        std::vector<real> x(17, real(0.5)), y(17);
        x[at] = inf;
        k.activate(f.kind, y.data(), x.data(), 17);
        CHECK_MESSAGE(y[at] == real(f.at_plus_infinity), where + " of inf");
        x[at] = -inf;
        k.activate(f.kind, y.data(), x.data(), 17);
        CHECK_MESSAGE(y[at] == real(f.at_minus_infinity), where + " of -inf");
        x[at] = nan;
        k.activate(f.kind, y.data(), x.data(), 17);
        CHECK_MESSAGE(std::isnan(y[at]), where + " of NaN");
      }
    }
  });
}

template <typename real>
void check_tails() {  // an element's bits do not depend on where it lies
  const std::vector<real> x = numbers<real>(300, 13, -3, 3);
  for_each_isa<real>([&](const Table<real>& k, const std::string& isa) {
    for (const Named& f : kActivations) {
      std::vector<real> whole(300);
      k.activate(f.kind, whole.data(), x.data(), 300);
      for (int64_t n : lengths()) {
        std::vector<real> y(static_cast<size_t>(n) + 1, real(7));
        k.activate(f.kind, y.data(), x.data(), n);
        CHECK_MESSAGE(y.back() == real(7), isa + " wrote beyond the end");
        y.pop_back();
        CHECK_MESSAGE(same_bits(y, std::vector<real>(whole.begin(), whole.begin() + n)),
                      isa + " " + f.name);
      }
    }
  });
}

template <typename real>
void check_softmax() {
  for_each_isa<real>([&](const Table<real>& k, const std::string& isa) {
    for (int64_t K : lengths()) {
      const int64_t rows = 3;
      const auto x = numbers<real>(rows * K, 14, -8, 8), dy = numbers<real>(rows * K, 15);
      std::vector<real> y(x.size()), dx(x.size()), shifted(x.size());
      std::vector<double> expected(x.size()), back(x.size());
      k.softmax(y.data(), x.data(), rows, K);
      k.softmax_backward(dx.data(), y.data(), dy.data(), rows, K);
      for (int64_t r = 0; r < rows; r++) {
        double sum = 0, dot = 0;
        for (int64_t i = r * K; i < (r + 1) * K; i++) sum += std::exp(double(x[i]));
        for (int64_t i = r * K; i < (r + 1) * K; i++) expected[i] = std::exp(double(x[i])) / sum;
        for (int64_t i = r * K; i < (r + 1) * K; i++) dot += double(y[i]) * double(dy[i]);
        for (int64_t i = r * K; i < (r + 1) * K; i++)
          back[i] = double(y[i]) * (double(dy[i]) - dot);
      }
      const std::string where = isa + " K=" + std::to_string(K);
      CHECK_MESSAGE(nmse(y, expected) <= kNmse<real>, where);
      // K=1: the exact gradient is 0, and y*dy - y*dy is
      CHECK_MESSAGE(nmse(dx, back) <= kNmse<real> * 10,
                    where + " backward");  // 10: dy - dot cancels
      std::vector<real> large = x;
      for (real& v : large) v += real(1000);  // would overflow without taking the largest off
      k.softmax(shifted.data(), large.data(), rows, K);
      CHECK_MESSAGE(k.all_finite(shifted.data(), rows * K), where + " of large numbers");
    }
  });
}

TEST(activations_of_every_isa) { check_values<float>(), check_values<double>(); }
TEST(activations_of_infinity_and_nan) { check_special<float>(), check_special<double>(); }
TEST(activations_do_not_depend_on_position) { check_tails<float>(), check_tails<double>(); }
TEST(softmax_of_every_isa) { check_softmax<float>(), check_softmax<double>(); }

TEST(every_activation_is_compared) {
  const auto is_compared = [](const std::string& name) {
    return name == "softmax" || std::any_of(std::begin(kActivations), std::end(kActivations),
                                            [&](const Named& f) { return f.name == name; });
  };
  for (const char* name : kActivationNames) CHECK_MESSAGE(is_compared(name), name);
}

TEST(broken_activation_is_caught) {
  const std::vector<float> x = arguments<float>();
  std::vector<float> y(x.size());
  std::vector<double> expected;
  for (float v : x) expected.push_back(std::tanh(double(v)));
  for (size_t i = 0; i < x.size();
       i++)  // the usual shortcut: 2 sigmoid(2x) - 1 loses the small ones
    y[i] = 2 / (1 + std::exp(-2 * x[i])) - 1;
  CHECK(worst(y, expected) > kRelative<float>);
  for (size_t i = 0; i < x.size(); i++)
    y[i] = static_cast<float>(expected[i]) * (i % 7 ? 1 : 1.00001f);
  CHECK(nmse(y, expected) > kNmse<float>);
}

TEST(unknown_isa_is_an_error) {
  CHECK_ERROR(kernels_for<float>("avx1024"), Code::kOption,
              "instruction set must be one of scalar");
  CHECK_ERROR(kernels_for<double>(""), Code::kOption, "got ''");
}

}  // namespace
}  // namespace test
}  // namespace hs
