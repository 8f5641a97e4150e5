// Updates and penalties of a card against those of the CPU. Runs where HIDDENSTATE_DEVICE names a
// card (test/card.h).
#include <string>

#include "base/error.h"
#include "device/cpu/cpu.h"
#include "test/card.h"
#include "test/optimizer_cases.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

// One of each constraint, one that is not trained, one longer than what a thread block takes; with
// gaps between them.
std::vector<Param> params() {
  const std::pair<Dims, Config> all[] = {
      {{150, 3}, tree({{"name", text("maxnorm")}, {"m", number(0.5)}, {"axis", number(0)}})},
      {{7}, {}},
      {{5, 4}, {}},
      {{4, 6}, tree({{"name", text("unitnorm")}, {"axis", number(1)}})},
      {{3, 5}, tree({{"name", text("nonneg")}})},
      {{2, 3, 4},
       tree({{"name", text("minmaxnorm")},
             {"low", number(0.8)},
             {"high", number(0.9)},
             {"rate", number(0.5)},
             {"axis", extents({0, 1})}})},
      {{2, 3, 4}, tree({{"name", text("maxnorm")}, {"m", number(0.5)}, {"axis", number(1)}})},
      {{600}, {}},
      {{1}, {}},
  };
  std::vector<Param> made;
  int64_t offset = 0;
  for (const auto& [dims, config] : all) {
    Param p;
    p.path = "p" + std::to_string(made.size());
    p.dims = dims, p.offset = offset, p.size = count(dims);
    p.trainable = made.size() != 2;
    if (config.kind == Config::Kind::kTree) p.constraint = Constraint::from(&config, dims, p.path);
    offset += (p.size + 20) / 16 * 16;
    made.push_back(std::move(p));
  }
  return made;
}

template <typename real>
std::vector<real> some(int64_t n, unsigned seed, double scale) {
  const std::vector<double> numbers = noise(size_t(n), seed, scale);
  return std::vector<real>(numbers.begin(), numbers.end());
}

template <typename real>
struct Trained {
  std::vector<real> values, moments;
};

// After `steps` updates, and then one of a batch that is not finite.
template <typename real>
Trained<real> train(Device<real>& device, const std::string& optimizer, const Clipping& clipping,
                    int steps, bool ends_badly = false) {
  const std::vector<Param> all = params();
  const int64_t n = all.back().offset + 16;
  const auto updater = device.updater(optimizer);
  const OnCard<real> values(device, some<real>(n, 1, 1)),
      moments(device, std::vector<real>(size_t(n * updater->moments()), real(0)));
  updater->prepare(all, false);
  double schedule = 1;
  for (int t = 1; t <= steps + (ends_badly ? 1 : 0); t++) {
    const OnCard<real> grads(device, some<real>(n, 10 + unsigned(t), t == 2 ? 0.01 : 1));
    const OnCard<double> finite(device, std::vector<double>{t <= steps ? 1.0 : 0.0});
    updater->apply(all, {values.data(), grads.data(), moments.data(), n},
                   hyper_at<real>(t, t % 2 == 1, &schedule), clipping, finite.data());
  }
  return {values.read(), moments.read()};
}

template <typename real>
void compare(const std::string& optimizer, const Clipping& clipping) {
  // double: the sum of squares in another order; float: as in optimizers_test.cc
  const double tolerance = sizeof(real) == 8 ? 1e-12 : 5e-5;
  Cpu<real> cpu(kernels<real>());
  for (const int steps : {0, 1, 4}) {
    const Trained<real> want = train<real>(cpu, optimizer, clipping, steps);
    const Trained<real> got = train<real>(card<real>(), optimizer, clipping, steps);
    const auto check = [&](const char* what, const std::vector<real>& a,
                           const std::vector<real>& b) {
      const double d = distance(a.data(), b.data(), int64_t(a.size()));
      CHECK_MESSAGE(d <= tolerance, optimizer + " clipnorm " + std::to_string(clipping.norm) +
                                        " clipvalue " + std::to_string(clipping.value) + ": " +
                                        what + " differ by " + std::to_string(d));
    };
    check("values", got.values, want.values);
    check("moments", got.moments, want.moments);
    const Trained<real> bad = train<real>(card<real>(), optimizer, clipping, steps, true);
    CHECK_MESSAGE(bad.values == got.values && bad.moments == got.moments,
                  optimizer + " after a batch that is not finite");
  }
}

}  // namespace

TEST(updates_of_a_card_agree_with_those_of_the_cpu) {
  if (!card_wanted()) return;
  for (const auto& [optimizer, formula] : kFormulas) {
    for (const Clipping& clipping : {Clipping{}, {0.3, 0}, {0, 0.1}, {25, 0.2}, {1e6, 0}}) {
      compare<double>(optimizer, clipping);
      compare<float>(optimizer, clipping);
    }
  }
  CHECK(!card<float>().updater("adma"));
}

TEST(penalties_of_a_card_agree_with_those_of_the_cpu) {
  if (!card_wanted()) return;
  const auto run = [](auto& device, auto zero, const Penalty& penalty, const Dims& dims,
                      bool gradient) {
    using real = decltype(zero);
    const OnCard<real> w(device, some<real>(count(dims), 5, 1)),
        dw(device, some<real>(count(dims), 6, 1));
    const OnCard<double> sum(device, std::vector<double>{0.5});
    device.penalize(sum.data(), penalty, w.data(), gradient ? dw.data() : nullptr, nullptr, dims);
    std::vector<double> all = sum.read();
    for (const real d : dw.read()) all.push_back(double(d));
    return all;
  };
  const auto compare = [&](auto zero, const Penalty& penalty, const Dims& dims) {
    using real = decltype(zero);
    Cpu<real> cpu(kernels<real>());
    for (const bool gradient : {true, false}) {
      const std::vector<double> want = run(cpu, zero, penalty, dims, gradient);
      const std::vector<double> got = run(card<real>(), zero, penalty, dims, gradient);
      // float: sums on the CPU are in float, a chunk each
      const double tolerance = sizeof(real) == 8 ? 1e-12 : 1e-6;
      CHECK(distance(&got[0], &want[0], 1) <= tolerance);
      CHECK(distance(&got[1], &want[1], int64_t(want.size()) - 1) <= tolerance);
    }
  };
  for (const Dims& dims : {Dims{1}, Dims{7, 5}, Dims{40, 30}, Dims{300, 300}}) {
    for (const auto& [l1, l2] : {std::pair{0.3, 0.0}, {0.0, 0.7}, {0.3, 0.7}, {0.0, 0.0}}) {
      Penalty penalty;
      penalty.l1 = l1, penalty.l2 = l2;
      compare(0.0, penalty, dims), compare(0.0f, penalty, dims);
    }
  }
  for (const Dims& dims : {Dims{1, 1}, Dims{5, 4}, Dims{3, 7}, Dims{40, 30}}) {
    Penalty penalty;
    penalty.eigenvalue = 2;
    compare(0.0, penalty, dims), compare(0.0f, penalty, dims);
    penalty.l1 = 0.3;
    compare(0.0, penalty, dims);
  }
  Penalty penalty;  // of zeros
  penalty.eigenvalue = 2;
  const OnCard<double> w(card<double>(), std::vector<double>(4, 0.0)),
      dw(card<double>(), std::vector<double>(4, 1.0)),
      sum(card<double>(), std::vector<double>{0.5});
  card<double>().penalize(sum.data(), penalty, w.data(), dw.data(), nullptr, {2, 2});
  CHECK(sum.read()[0] == 0.5 && dw.read() == std::vector<double>(4, 1.0));
}

}  // namespace test
}  // namespace hs
