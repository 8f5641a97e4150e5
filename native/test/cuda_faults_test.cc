// A card that refuses a call: each call of what a program does with a plan is refused once, with
// each kind of error. Then there is a typed error, the plan is as before or has done all of it, and
// the same again gives the bits of a plan that was never refused anything. On the stand-in driver
// (test/stand_in) alone; what a card that is lost for good does stands elsewhere.
#include <algorithm>
#include <functional>
#include <map>

#include "base/error.h"
#include "test/card.h"
#include "test/plan_spec.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

constexpr int kOutOfMemory = 2, kSystemNotReady = 802, kLaunchFailed = 719, kOutOfResources = 701;

// A masked, stateful GRU with dropout between an Embedding and a Dense; penalties, clipping, a
// constraint, moments, a metric.
Config words_model(bool stateful) {
  Config embedding =
      op("embedding", "e", {"input"}, "e",
         tree({{"inputDim", number(7)}, {"outputDim", number(3)}}), {param("W", {7, 3})});
  embedding.tree["maskOut"] = text("real");
  Config gru = op("recurrence", "g", {"e"}, "g",
                  tree({{"cell", text("gru")},
                        {"units", number(2)},
                        {"stateful", flag(stateful)},
                        {"dropoutU", number(0.3)}}),
                  {param("W", {3, 6}), param("U", {2, 6}), param("b", {6})});
  gru.tree["mask"] = text("real");
  Config spec = model({4}, {embedding, gru, dense("d", "g", 2, 2, "softmax")}, "d");
  output_of(spec)["loss"] = text("categorical_crossentropy");
  output_of(spec)["metrics"] = list({tree({{"name", text("categorical_accuracy")}})});
  spec.tree["optimizer"] =
      tree({{"name", text("adam")}, {"lr", number(0.1)}, {"clipnorm", number(1)}});
  param_of(spec, "g/W").tree["penalty"] = tree({{"l1", number(0.1)}, {"l2", number(0.1)}});
  param_of(spec, "d/W").tree["constraint"] = tree({{"name", text("maxnorm")}, {"m", number(0.3)}});
  return spec;
}

Config frames_model() {
  Config spec =
      model({4, 3}, {lstm("r", "input", 3, 2, true), dense("d", "r", 2, 2, "softmax")}, "d");
  output_of(spec)["loss"] = text("categorical_crossentropy");
  spec.tree["optimizer"] = tree({{"name", text("rmsprop")}, {"lr", number(0.1)}});
  return spec;
}

std::shared_ptr<const DataSet> words() {
  return data(array({3, 4}, {1, 2, 3, 4, 0, 0, 5, 6, 0, 1, 1, 3}),
              array({3, 2}, {1, 0, 0, 1, 1, 0}));
}
std::shared_ptr<const DataSet> frames() {
  return data(array({3, 4, 3}, noise(36, 1)), array({3, 2}, {1, 0, 0, 1, 1, 0}));
}

// What a plan is from one batch to the next: parameters, moments, states, counts, by name. Moments
// and states that are there since the first batch and are 0 are left out.
using State = std::map<std::string, std::vector<double>>;
State all_of(const Plan& plan, const Config& spec) {
  State all;
  const auto add = [&](const std::string& name) {
    const std::vector<double> numbers = plan.read(name).f64;
    const auto is_0 = [](double number) { return number == 0; };
    if (!std::all_of(numbers.begin(), numbers.end(), is_0)) all[name] = numbers;
  };
  for (const Config& p : spec.at("params").list) add(p.str("path"));
  for (const std::string& name : plan.names()) {
    const size_t colon = name.find(':');
    if (colon != std::string::npos && name.substr(colon) != ":grad") add(name);
  }
  for (const char* count : {"optimizer/iterations", "random/step"}) add(count);
  return all;
}

struct Program {
  const char* name;
  Config spec;
  std::function<void(Plan&)> before, work;
  bool changes = true;  // the plan
};

std::vector<Program> programs() {
  const auto nothing = [](Plan&) {};
  const auto doing = [](Mode mode, const std::shared_ptr<const DataSet>& samples) {
    return [=](Plan& plan) { run(plan, mode, samples); };
  };
  const auto save_and_load = [](Plan& plan) {
    for (const char* name : {"g/W", "g/U", "d/W"}) plan.write(name, plan.read(name));
  };
  const Config word = words_model(false), stateful = words_model(true), frame = frames_model();
  return {
      {"a first batch of words", stateful, nothing, doing(Mode::kTrain, words())},
      {"a batch of words", stateful, doing(Mode::kTrain, words()), doing(Mode::kTrain, words())},
      {"a first batch of frames", frame, nothing, doing(Mode::kTrain, frames())},
      {"a batch of frames", frame, doing(Mode::kTrain, frames()), doing(Mode::kTrain, frames())},
      {"predictions", word, nothing, doing(Mode::kPredict, words()), false},
      {"predictions with states", frame, nothing, doing(Mode::kPredict, frames())},
      {"evaluation", word, doing(Mode::kTrain, words()), doing(Mode::kTest, words()), false},
      {"weights out and in", word, nothing, save_and_load, false},
  };
}

}  // namespace

TEST(a_card_that_refuses_a_call_leaves_a_plan_that_goes_on) {
  if (!card_wanted()) return;
  card<double>();  // opens the driver
  if (launches() < 0) return;
  long refused = 0;
  for (const Program& program : programs()) {
    const auto made = [&] {
      auto plan = compile(program.spec);
      fill(*plan);
      program.before(*plan);
      return plan;
    };
    const auto done = [&](Plan& plan) {
      program.work(plan);
      return all_of(plan, program.spec);
    };
    auto twin = made();
    const State before = all_of(*twin, program.spec), whole = done(*twin);
    const State twice = done(*twin);
    CHECK_MESSAGE((before != whole) == program.changes, program.name);
    for (const int code : {kLaunchFailed, kOutOfMemory, kSystemNotReady, kOutOfResources}) {
      for (long call = 0;; call++) {
        auto plan = made();  // of its own: the first batch allocates, too
        fail_call(call, code);
        bool failed = false;
        try {
          program.work(*plan);
        } catch (const Error& error) {
          failed = true;
          CHECK_MESSAGE(error.code == Code::kDevice || error.code == Code::kOutOfMemory,
                        error.message);
        }
        fail_call(-1, 0);
        const std::string where = std::string(program.name) + ", call " + std::to_string(call) +
                                  ", error " + std::to_string(code);
        const State after = all_of(*plan, program.spec);
        if (!failed) {
          CHECK_MESSAGE(after == whole, where);
          break;
        }
        refused++;
        CHECK_MESSAGE(after == before || after == whole, where);
        CHECK_MESSAGE(done(*plan) == (after == before ? whole : twice), where);
      }
    }
  }
  std::printf("%ld calls refused\n", refused);
  CHECK_MESSAGE(refused >= 2000, std::to_string(refused));
}

// The memory that both pass through is used again when the first are there.
TEST(numbers_that_come_late_from_a_card_are_not_sent_back) {
  if (!card_wanted()) return;
  card<double>();
  if (launches() < 0) return;
  OnCard<double> from(card<double>(), {5}), to(card<double>(), {0});
  const double sent = 9;
  long refused = 0;
  for (long call = 0; call < 4; call++) {
    double got = 0;
    fail_call(call, kLaunchFailed);
    try {
      card<double>().download(&got, from.data(), sizeof(got));
    } catch (const Error&) {
      refused++;
    }
    fail_call(-1, 0);
    card<double>().upload(to.data(), &sent, sizeof(sent));
    CHECK_MESSAGE(to.read()[0] == 9, "call " + std::to_string(call));
    card<double>().zero(to.data(), sizeof(sent));
  }
  CHECK_MESSAGE(refused >= 2, std::to_string(refused));
}

TEST(a_card_that_refuses_a_call_of_compile_says_so) {
  if (!card_wanted()) return;
  card<double>();
  if (launches() < 0) return;
  for (const int code : {kLaunchFailed, kOutOfMemory}) {
    long call = 0;
    for (bool failed = true; failed; call++) {
      failed = false;
      fail_call(call, code);
      try {
        compile(words_model(true));
      } catch (const Error& error) {
        failed = true;
        CHECK_MESSAGE(error.code == Code::kDevice || error.code == Code::kOutOfMemory,
                      error.message);
      }
      fail_call(-1, 0);
    }
    CHECK_MESSAGE(call > 5, std::to_string(call));
  }
}

}  // namespace test
}  // namespace hs
