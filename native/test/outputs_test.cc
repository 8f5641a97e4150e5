// Ops with several outputs, and losses that are a value of the graph.
#include <cmath>

#include "base/error.h"
#include "test/plan_spec.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

constexpr int64_t B = 4, T = 5, D = 2, H = 3;

// A recurrence that gives its last states, too: "r", "r h", and of an LSTM "r c".
Config giving(const std::string& cell, int bits) {
  const bool masked = bits & 1, sequences = bits & 2, learned = bits & 4, segments = bits & 8;
  const int64_t G = cell == "lstm" ? 4 : cell == "simple_rnn" ? 1 : 3;
  std::vector<Config> params = {param("W", {D, G * H}), param("U", {H, G * H}),
                                param("b", {G * H})};
  if (cell == "gru_reset_after") params.push_back(param("c", {G * H}));
  if (learned) params.push_back(param("h0", {H}));
  if (learned && cell == "lstm") params.push_back(param("c0", {H}));
  Config one = op("recurrence", "r", {masked ? "m" : "input"}, "r",
                  tree({{"cell", text(cell)},
                        {"units", number(double(H))},
                        {"innerActivation", text("sigmoid")},
                        {"returnSequences", flag(sequences)},
                        {"learnedStates", flag(learned)},
                        {"checkpoint", number(segments ? 2 : 0)},
                        {"givesStates", flag(true)}}),
                  params);
  one.tree["outputs"].list.push_back(text("r h"));
  if (cell == "lstm") one.tree["outputs"].list.push_back(text("r c"));
  if (masked) one.tree["mask"] = text("m/mask");
  return one;
}

Config concatenated(const std::vector<std::string>& values) {
  return op("merge", "all", values, "all", tree({{"mode", text("concat")}, {"axis", number(0)}}));
}

// What reads the recurrence makes [H, 2H or 3H], and a dense layer two numbers of it.
Config read(const std::string& cell, int bits, const std::vector<std::string>& values) {
  std::vector<Config> ops;
  if (bits & 1) {
    Config masking = op("masking", "m", {"input"}, "m", tree({{"maskValue", number(0)}}));
    masking.tree["maskOut"] = text("m/mask");
    ops.push_back(masking);
  }
  ops.push_back(giving(cell, bits));
  ops.push_back(concatenated(values));
  ops.push_back(dense("d", "all", H * int64_t(values.size()), 2, "linear"));
  return model({T, D}, ops, "d");
}

Array inputs(bool masked) {
  std::vector<double> x = noise(size_t(B * T * D), 3);
  if (masked) std::fill(x.begin() + (T - 2) * D, x.begin() + T * D, 0.0);  // the end of row 0
  if (masked) std::fill(x.begin() + T * D, x.begin() + 2 * T * D, 0.0);    // all of row 1
  return array({B, T, D}, x);
}

}  // namespace

TEST(gradients_through_several_outputs) {
  for (const char* cell : {"lstm", "gru", "gru_reset_after", "simple_rnn"}) {
    std::vector<std::vector<std::string>> readers = {{"r h"}};
    if (cell == std::string("lstm")) readers = {{"r h"}, {"r c"}, {"r h", "r c"}};
    for (int bits = 0; bits < 16; bits++) {
      for (std::vector<std::string> values : readers) {
        for (bool y_too : {false, true}) {  // else no gradient reaches the first output
          if (y_too && (bits & 2)) continue;
          if (y_too) values.push_back("r");
          const auto plan = compile(read(cell, bits, values));
          fill(*plan);
          const auto set = data(inputs(bits & 1), array({B, 2}, noise(B * 2, 4)));
          const double error = gradient_error(*plan, set);
          CHECK_MESSAGE(error < 1e-6, std::string(cell) + " " + std::to_string(bits) + ", " +
                                          values.front() + ": " + std::to_string(error));
        }
      }
    }
  }
}

TEST(last_states_are_those_after_the_last_step) {
  const auto plan = compile(read("lstm", 0, {"r", "r h", "r c"}));
  fill(*plan);
  run(*plan, Mode::kPredict, data(inputs(false), {}));
  CHECK(plan->read("r h").f64 == plan->read("r").f64);
  const std::vector<double> c = plan->read("r/c").f64;  // [T+1, B, H]
  CHECK(plan->read("r c").f64 == std::vector<double>(c.end() - B * H, c.end()));
  CHECK((plan->read("r c").dims == Dims{B, H}));
}

TEST(an_op_names_as_many_outputs_as_it_makes) {
  for (const char* more : {"none", "two"}) {
    Config spec = read("gru", 0, {"r"});
    Config& outputs = spec.tree["ops"].list[0].tree["outputs"];
    if (more == std::string("none")) outputs.list.pop_back();
    if (more == std::string("two")) outputs.list.push_back(text("r c"));
    const auto plan = compile(spec);
    CHECK_ERROR(run(*plan, Mode::kPredict, data(inputs(false), {})), Code::kInternal,
                "r (recurrence): the number of its outputs must be 2");
  }
  Config twice = read("gru", 0, {"r"});
  twice.tree["ops"].list[0].tree["outputs"].list[1] = text("r");
  CHECK_ERROR(compile(twice), Code::kInternal, "'r' again");
}

// input [3] -> d -> s, whose mean is the loss; p reads d as well, and is what is predicted.
Config valued(const std::string& loss) {
  Config spec = model({3},
                      {dense("d", "input", 3, 4, "tanh"), dense("s", "d", 4, 2, "softplus"),
                       dense("p", "d", 4, 5, "linear")},
                      "p");
  output_of(spec)["loss"] = tree({{"value", text(loss)}});
  return spec;
}

TEST(a_loss_may_be_a_value_of_the_graph) {
  const Array x = array({B, 3}, noise(B * 3, 5));
  for (const char* value : {"s", "d"}) {  // d is read by other ops, too
    const auto plan = compile(valued(value));
    fill(*plan);
    const RunResult tested = run(*plan, Mode::kTest, data(x, {}));
    double mean = 0;
    const std::vector<double> numbers = plan->read(value).f64;
    for (double v : numbers) mean += v / double(numbers.size());
    CHECK_CLOSE(tested.last[0], mean, 1e-14);
    CHECK(gradient_error(*plan, data(x, {})) < 1e-6);
    CHECK((run(*plan, Mode::kPredict, data(x, {})).outputs[0].dims == Dims{B, 5}));
    for (int step = 0; step < 20; step++) run(*plan, Mode::kTrain, data(x, {}));
    CHECK(run(*plan, Mode::kTest, data(x, {})).last[0] < tested.last[0]);
  }
  // weights of samples count as in every loss
  const auto plan = compile(valued("s"));
  fill(*plan);
  const auto weighted = data(x, {}, array({B}, {0, 2, 0, 0}));
  const double loss = run(*plan, Mode::kTest, weighted).last[0];
  const std::vector<double> s = plan->read("s").f64;
  CHECK_CLOSE(loss, 2 * (s[2] + s[3]) / 2, 1e-12);
  CHECK(gradient_error(*plan, weighted) < 1e-6);
}

// p is no part of the loss: its gradient is that of its penalty alone, w of l2 * w^2 with l2 = 1/2,
// in every batch anew.
TEST(unreached_parameters_keep_no_gradient_of_the_batch_before) {
  Config spec = valued("s");
  param_of(spec, "p/W").tree["penalty"] = tree({{"l2", number(0.5)}});
  const auto plan = compile(spec);
  fill(*plan);
  for (int batch = 0; batch < 2; batch++) {
    run(*plan, Mode::kGradient, data(array({B, 3}, noise(B * 3, 5)), {}));
    CHECK(plan->read("p/W:grad").f64 == plan->read("p/W").f64);
    CHECK(plan->read("p/b:grad").f64 == std::vector<double>(5, 0.0));
  }
}

TEST(a_loss_that_is_no_value_is_refused) {
  CHECK_ERROR(compile(valued("none")), Code::kInternal, "'none'");
  Config measured = valued("s");
  output_of(measured)["metrics"] = list({tree({{"name", text("mean_squared_error")}})});
  CHECK_ERROR(compile(measured), Code::kOption, "metrics");
}

}  // namespace test
}  // namespace hs
