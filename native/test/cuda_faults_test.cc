// A card that refuses a call, each call of a step once: a typed error, weights of before the batch
// or of all of it, and the next batch runs. On the stand-in driver (test/stand_in) alone.
#include "base/error.h"
#include "test/card.h"
#include "test/plan_spec.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

constexpr int kOutOfMemory = 2, kLaunchFailed = 719;

Config small_model() {
  Config spec =
      model({4, 3}, {lstm("r", "input", 3, 2, true), dense("d", "r", 2, 2, "softmax")}, "d");
  output_of(spec)["loss"] = text("categorical_crossentropy");
  output_of(spec)["metrics"] = list({tree({{"name", text("categorical_accuracy")}})});
  spec.tree["optimizer"] = tree({{"name", text("rmsprop")},
                                 {"lr", number(0.1)},
                                 {"rho", number(0.9)},
                                 {"clipnorm", number(1)}});
  param_of(spec, "r/W").tree["penalty"] = tree({{"l2", number(0.1)}});
  return spec;
}

std::vector<double> weights(const Plan& plan) {
  std::vector<double> all;
  for (const char* name : {"r/W", "r/U", "r/b", "d/W", "d/b"}) {
    const Array array = plan.read(name);
    all.insert(all.end(), array.f64.begin(), array.f64.end());
  }
  return all;
}

}  // namespace

TEST(a_card_that_refuses_a_call_leaves_a_model_that_goes_on) {
  if (!card_wanted()) return;
  card<double>();  // opens the driver
  if (launches() < 0) return;
  const auto samples = data(array({3, 4, 3}, noise(36, 1)), array({3, 2}, {1, 0, 0, 1, 1, 0}));
  long refused = 0;
  for (const int code : {kLaunchFailed, kOutOfMemory}) {
    for (long call = 0;; call++) {
      // A plan of its own: the first batch allocates, too.
      auto plan = compile(small_model());
      fill(*plan);
      const std::vector<double> before = weights(*plan);
      auto twin = compile(small_model());
      fill(*twin);
      run(*twin, Mode::kTrain, samples);
      const std::vector<double> whole = weights(*twin);
      fail_call(call, code);
      bool failed = false;
      try {
        run(*plan, Mode::kTrain, samples);
      } catch (const Error& error) {
        failed = true;
        CHECK_MESSAGE(error.code == Code::kDevice || error.code == Code::kOutOfMemory,
                      error.message);
      }
      fail_call(-1, 0);
      const std::string where = "call " + std::to_string(call) + ", " + std::to_string(code);
      const std::vector<double> after = weights(*plan);
      if (!failed) {
        CHECK_MESSAGE(after == whole, where);
        break;
      }
      refused++;
      CHECK_MESSAGE(after == before || after == whole, where);
      run(*plan, Mode::kTrain, samples);
      CHECK_MESSAGE(weights(*plan) != after, where);
    }
  }
  CHECK_MESSAGE(refused > 100, std::to_string(refused));
}

}  // namespace test
}  // namespace hs
