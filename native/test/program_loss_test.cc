// Losses and metrics that are programs: a mean squared error written down is the built-in one, with
// masks, weights and gradients.
#include <cmath>

#include "base/error.h"
#include "test/plan_spec.h"
#include "test/program_cases.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

// { nodes, output } of mean((y - p)^2, last axis), of targets [.., K] with `axes` axes; the
// difference is (y / part - p / part) part.
Config squared_error(int axes, double part = 1) {
  ProgramText p;
  const auto share = [&](int x) { return p.node("div", {x, p.number(part)}); };
  const int difference =
      p.mul(p.node("sub", {share(p.input(0)), share(p.input(1))}), p.number(part));
  const int mean = p.node("mean", {p.node("square", {difference})}, {{"axes", Dims{axes - 1}}});
  Config c = tree(p.expression({mean}));
  c.tree["output"] = number(mean);
  return c;
}

// Words [B, T], masked where 0 -> [B, T, 2], or its last step through a recurrence.
Config tagger(Config loss, bool sequences) {
  Config embedding =
      op("embedding", "e", {"input"}, "e",
         tree({{"inputDim", number(5)}, {"outputDim", number(3)}, {"maskZero", flag(true)}}),
         {param("W", {5, 3})});
  embedding.tree["maskOut"] = text("e/mask");
  std::vector<Config> ops = {embedding};
  if (!sequences) {
    ops.push_back(lstm("l", "e", 3, 3, false));
    ops.back().tree["mask"] = text("e/mask");
  }
  ops.push_back(dense("d", sequences ? "e" : "l", 3, 2, "tanh"));
  Config spec = model({-1}, ops, "d");
  if (sequences) {
    output_of(spec)["mask"] = text("e/mask");
    output_of(spec)["temporal"] = flag(true);
  }
  Config metric = loss.kind == Config::Kind::kText ? tree({{"name", loss}}) : loss;
  metric.tree["name"] = text("mean_squared_error");
  output_of(spec)["metrics"] = list({metric});
  output_of(spec)["loss"] = std::move(loss);
  return spec;
}

TEST(a_loss_that_is_a_program_is_the_named_one) {
  for (const bool sequences : {true, false}) {
    const std::unique_ptr<Plan> named = compile(tagger(text("mean_squared_error"), sequences)),
                                written =
                                    compile(tagger(squared_error(sequences ? 3 : 2), sequences));
    fill(*named), fill(*written);
    const Array x = array({4, 3}, {1, 2, 0, 3, 4, 1, 0, 0, 2, 4, 4, 4});
    const Array y = sequences ? array({4, 3, 2}, noise(24, 5)) : array({4, 2}, noise(8, 5));
    const Array weights = sequences ? array({4, 3}, {1, 2, 1, 0, 1, 3, 1, 1, 1, 0.5, 1, 1})
                                    : array({4}, {1, 0, 2, 0.5});
    const auto set = data(x, y, weights);
    for (int step = 0; step < 3; step++) {
      const RunResult want = run(*named, Mode::kTrain, set), got = run(*written, Mode::kTrain, set);
      CHECK(want.last.size() == 2 && got.last.size() == 2);
      for (size_t i = 0; i < 2; i++) CHECK_CLOSE(got.last[i], want.last[i], 1e-12);
    }
    for (size_t i = 0; i < 15; i++)
      CHECK_CLOSE(written->read("e/W").f64[i], named->read("e/W").f64[i], 1e-12);
    CHECK(gradient_error(*written, set) < 1e-7);
  }
}

// The numbers of a program lie where those of the batch before did, whatever its size.
TEST(a_loss_that_is_a_program_takes_batches_of_all_sizes) {
  const std::unique_ptr<Plan> named = compile(tagger(text("mean_squared_error"), false)),
                              written = compile(tagger(squared_error(2, 0.5), false));
  fill(*named), fill(*written);
  const auto four =
      data(array({4, 3}, {1, 2, 0, 3, 4, 1, 0, 0, 2, 4, 4, 4}), array({4, 2}, noise(8, 5)));
  const auto one = data(array({1, 3}, {3, 1, 2}), array({1, 2}, noise(2, 6)));
  for (const auto& set : {four, four, four, four, one, four, one, one, one, one, four}) {
    const RunResult want = run(*named, Mode::kTrain, set), got = run(*written, Mode::kTrain, set);
    CHECK_CLOSE(got.last[0], want.last[0], 1e-12);
  }
}

// Labels [.., 1] of an output [.., K]: -log of the output's share that the label picks.
Config crossentropy(int axes, double target_dim) {
  ProgramText p;
  const Dims rows = axes == 3 ? Dims{-2, -3} : Dims{-2};  // the extents that the targets have
  const int labels = p.node("reshape", {p.input(0)}, {{"dims", rows}});
  const int outputs = p.input(1), all = p.node("sum", {outputs}, {{"axes", Dims{axes - 1}}});
  const int share = p.node("div", {p.node("pick", {outputs, labels}), all});
  const int score = p.mul(p.number(-1), p.node("log", {share}));
  Config c = tree(p.expression({score}));
  c.tree["output"] = number(score);
  if (target_dim != 0) c.tree["targetDim"] = number(target_dim);
  return c;
}

TEST(targets_of_a_program_have_a_last_axis_of_their_own) {
  for (const bool sequences : {true, false}) {
    const auto spec = [&](Config loss) {
      Config c = tagger(std::move(loss), sequences);
      for (Config& op : c.tree["ops"].list)
        if (op.tree.count("layer") && op.str("layer") == "d")
          op.tree["options"].tree["activation"] = text("sigmoid");
      output_of(c)["metrics"] = list({tree({{"name", text("sparse_categorical_accuracy")}})});
      return c;
    };
    const int axes = sequences ? 3 : 2;
    const std::unique_ptr<Plan> named = compile(spec(text("sparse_categorical_crossentropy"))),
                                written = compile(spec(crossentropy(axes, 1)));
    fill(*named), fill(*written);
    const Array x = array({4, 3}, {1, 2, 0, 3, 4, 1, 0, 0, 2, 4, 4, 4});
    const Array y = sequences ? array({4, 3, 1}, {0, 1, 1, 0, 0, 0, 1, 0, 1, 1, 1, 0})
                              : array({4, 1}, {0, 1, 1, 0});
    const auto set = data(x, y, sequences ? Array{} : array({4}, {1, 0, 2, 0.5}));
    for (int step = 0; step < 3; step++) {
      const RunResult want = run(*named, Mode::kTrain, set), got = run(*written, Mode::kTrain, set);
      for (size_t i = 0; i < 2; i++) CHECK_CLOSE(got.last[i], want.last[i], 1e-12);
    }
    for (size_t i = 0; i < 15; i++)
      CHECK_CLOSE(written->read("e/W").f64[i], named->read("e/W").f64[i], 1e-12);
    CHECK(gradient_error(*written, set) < 1e-7);
    const std::unique_ptr<Plan> wide = compile(spec(crossentropy(axes, 0)));
    CHECK_ERROR(run(*wide, Mode::kTrain, set), Code::kShape, "targets");
    CHECK_ERROR(compile(spec(crossentropy(axes, -1))), Code::kOption, "targetDim");
  }
}

TEST(a_loss_that_is_a_program_gives_a_number_for_each_row) {
  ProgramText p;
  const int all = p.node("sum", {p.input(1)}, {{"axes", Dims{0, 1, 2}}});
  Config loss = tree(p.expression({all}));
  loss.tree["output"] = number(all);
  const std::unique_ptr<Plan> plan = compile(tagger(loss, true));
  const auto set = data(array({1, 3}, {1, 2, 3}), array({1, 3, 2}, noise(6, 5)));
  CHECK_ERROR(run(*plan, Mode::kTrain, set), Code::kShape, "loss");
}

}  // namespace
}  // namespace test
}  // namespace hs
