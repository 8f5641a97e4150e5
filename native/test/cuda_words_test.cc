// Words that an Embedding on a card has no row for: the error is that of a processor, and the plan
// is as before the batch. Runs where HIDDENSTATE_DEVICE names a card (test/card.h).
#include <cmath>
#include <limits>

#include "base/error.h"
#include "test/card.h"
#include "test/plan_spec.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

// A stateful GRU over an Embedding; `behind`: of what another layer gives.
Config words_model(bool behind, const char* device) {
  Config embedding =
      op("embedding", "e", {behind ? "a" : "input"}, "e",
         tree({{"inputDim", number(7)}, {"outputDim", number(3)}}), {param("W", {7, 3})});
  embedding.tree["maskOut"] = text("real");
  Config gru = op("recurrence", "g", {"e"}, "g",
                  tree({{"cell", text("gru")}, {"units", number(2)}, {"stateful", flag(true)}}),
                  {param("W", {3, 6}), param("U", {2, 6}), param("b", {6})});
  gru.tree["mask"] = text("real");
  std::vector<Config> ops = {embedding, gru, dense("d", "g", 2, 2, "softmax")};
  if (behind)
    ops.insert(ops.begin(),
               op("activation", "a", {"input"}, "a", tree({{"activation", text("linear")}})));
  Config spec = model({3}, ops, "d");
  output_of(spec)["loss"] = text("categorical_crossentropy");
  spec.tree["optimizer"] = tree({{"name", text("adam")}, {"lr", number(0.1)}});
  spec.tree["device"] = text(device);
  return spec;
}

// The second row counts nothing: no NaN of it is in the loss of an evaluation.
std::shared_ptr<const DataSet> words(const std::vector<double>& ids) {
  return data(array({2, 3}, ids), array({2, 2}, {1, 0, 0, 1}), array({2}, {1, 0}));
}

std::vector<double> all_of(const Plan& plan) {
  std::vector<double> all;
  for (const std::string& name : plan.names()) {
    const size_t colon = name.find(':');  // of moments and states
    if (colon == std::string::npos || name.substr(colon) == ":grad") continue;
    const Array array = plan.read(name);
    all.insert(all.end(), array.f64.begin(), array.f64.end());
  }
  for (const char* name : {"e/W", "g/U", "d/W", "optimizer/iterations", "random/step"}) {
    const Array array = plan.read(name);
    all.insert(all.end(), array.f64.begin(), array.f64.end());
  }
  return all;
}

std::string error_of(Plan& plan, Mode mode, const std::shared_ptr<const DataSet>& samples) {
  try {
    run(plan, mode, samples);
  } catch (const Error& error) {
    return std::to_string(int(error.code)) + error.where + error.message;
  }
  return "none";
}

}  // namespace

TEST(words_that_are_none_leave_a_plan_of_a_card_as_it_was) {
  if (!card_wanted()) return;
  const auto good = words({0, 1, 6, 2, 2, 5});
  const double inf = std::numeric_limits<double>::infinity();
  for (const bool behind : {false, true}) {
    auto card_plan = compile(words_model(behind, "cuda")),
         twin = compile(words_model(behind, "cuda")), cpu = compile(words_model(behind, "cpu"));
    for (Plan* plan : {card_plan.get(), twin.get(), cpu.get()}) {
      fill(*plan);
      run(*plan, Mode::kTrain, good);
    }
    // Some of these are in graphs.
    for (int turn = 0; turn < 5; turn++) {
      for (const double wrong : {7.0, -1.0, 1e9, -inf, double(NAN)}) {
        const auto bad = words({0, 1, 6, 2, wrong, wrong + 1});
        for (const Mode mode : {Mode::kTrain, Mode::kTest, Mode::kPredict, Mode::kGradient}) {
          const std::string where =
              "mode " + std::to_string(int(mode)) + ", word " + std::to_string(wrong);
          const std::vector<double> before = all_of(*card_plan);
          const std::string wanted = error_of(*cpu, mode, bad);
          const std::string got = error_of(*card_plan, mode, bad);
          CHECK_MESSAGE(got == wanted, where + ": " + got + " instead of " + wanted);
          CHECK_MESSAGE(got.find("index at position 1 of row 1 of the batch") != std::string::npos,
                        got);
          CHECK_MESSAGE(all_of(*card_plan) == before, where);
        }
      }
      for (const Mode mode : {Mode::kTrain, Mode::kTest}) {
        run(*card_plan, mode, good), run(*twin, mode, good);
        CHECK(all_of(*card_plan) == all_of(*twin));
      }
    }
  }
}

}  // namespace test
}  // namespace hs
