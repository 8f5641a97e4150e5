// A card without memory for a batch, and one whose context is dead. On the stand-in driver
// (test/stand_in) alone.
#include "base/error.h"
#include "test/card.h"
#include "test/plan_spec.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

constexpr int kLaunchFailed = 719;

Config small_model(const char* device = "cuda") {
  Config spec =
      model({4, 3}, {lstm("r", "input", 3, 2, false), dense("d", "r", 2, 2, "softmax")}, "d");
  output_of(spec)["loss"] = text("categorical_crossentropy");
  spec.tree["optimizer"] = tree({{"name", text("rmsprop")}, {"lr", number(0.1)}});
  spec.tree["device"] = text(device);
  return spec;
}

std::shared_ptr<const DataSet> samples(int64_t rows) {
  const std::vector<double> targets(size_t(rows) * 2, 0.5);
  return data(array({rows, 4, 3}, noise(rows * 12, 1)), array({rows, 2}, targets));
}

std::unique_ptr<Plan> made(const char* device = "cuda") {
  auto plan = compile(small_model(device));
  fill(*plan);
  return plan;
}

bool is_stand_in() {
  if (!card_wanted()) return false;
  card<double>();  // opens the driver
  return launches() >= 0;
}

}  // namespace

TEST(a_batch_that_a_card_has_no_memory_for_is_refused_before_it_begins) {
  if (!is_stand_in()) return;
  const int64_t many = 2000;
  const auto small = samples(3), large = samples(many);
  auto plan = made();
  run(*plan, Mode::kTrain, small);
  const std::vector<double> before = plan->read("r/W").f64;
  RunRequest request;
  request.mode = Mode::kTrain, request.data = large, request.batch_size = many;
  const std::atomic<bool> cancelled{false};
  leave_memory(200 << 10);
  const long launched = launches();
  std::string said;
  try {
    plan->run(request, cancelled);
  } catch (const Error& error) {
    CHECK(error.code == Code::kOutOfMemory);
    said = error.message;
  }
  CHECK_MESSAGE(said.find("the memory that is free on the card, 0 MiB, got ") != std::string::npos,
                said);
  CHECK(launches() == launched);
  CHECK(plan->read("r/W").f64 == before);
  run(*plan, Mode::kTrain, small);  // in what there is
  CHECK(plan->read("r/W").f64 != before);
  leave_memory(kMuchMemory);
  plan->run(request, cancelled);
}

TEST(a_card_whose_context_is_dead_says_so_at_every_call_and_the_processor_goes_on) {
  if (!is_stand_in()) return;
  auto cpu = made("cpu");
  const auto refuses = [](const auto& act) {
    try {
      act();
      return false;
    } catch (const Error& error) {
      return error.code == Code::kDevice &&
             error.message.find("of no use to this process any more") != std::string::npos;
    }
  };
  long call = 0;  // at each of those of a batch, cuBLAS' too
  for (;; call++) {
    auto plan = made();
    fail_call(call, kLaunchFailed, true);
    const bool refused = refuses([&] { run(*plan, Mode::kTrain, samples(3)); });
    if (counted("stand_in_calls") <= call) break;
    CHECK_MESSAGE(refused, "call " + std::to_string(call));
    CHECK(refuses([&] { run(*plan, Mode::kPredict, samples(3)); }));
    CHECK(refuses([&] { plan->read("r/W"); }));
    CHECK(refuses([&] { plan->write("d/b", array({2}, {1, 2})); }));
    CHECK(refuses([&] { compile(small_model()); }));
    run(*cpu, Mode::kTrain, samples(3));
    plan.reset();  // frees what it can
    fail_call(-1, 0);
  }
  fail_call(-1, 0);
  CHECK_MESSAGE(call > 50, std::to_string(call));
  run(*made(), Mode::kTrain, samples(3));
}

}  // namespace test
}  // namespace hs
