// The plan as a whole: training steps, graphs with branches, losses with weights, batches that
// fail, changing extents.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "device/cpu/threads/parallel.h"
#include "test/card.h"
#include "test/plan_spec.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

const double kNaN = std::numeric_limits<double>::quiet_NaN();

// All that outlives a batch: parameters, moments, states, counts.
std::vector<std::vector<double>> everything(const Plan& plan) {
  std::vector<std::vector<double>> all;
  const std::vector<std::string> names = plan.names();
  for (const std::string& name : names) {
    const bool param = std::find(names.begin(), names.end(), name + ":grad") != names.end();
    const bool lasting =
        param || name.rfind("optimizer/", 0) == 0 || name.find(":carry") != std::string::npos ||
        name.find(":0") != std::string::npos || name.find(":1") != std::string::npos;
    if (lasting) all.push_back(plan.read(name).f64);
  }
  return all;
}

std::vector<double> value(const Plan& plan, const std::string& name) { return plan.read(name).f64; }

Config two_layers() {
  return model({3}, {dense("a", "input", 3, 5, "tanh"), dense("b", "a", 5, 2, "linear")}, "b");
}

std::shared_ptr<const DataSet> regression(int64_t N) {
  const std::vector<double> x = noise(size_t(N) * 3, 90);
  std::vector<double> y;
  for (size_t b = 0; b < size_t(N); b++) {
    y.push_back(x[3 * b] - x[3 * b + 1]);
    y.push_back(x[3 * b] * x[3 * b + 2]);
  }
  return data(array({N, 3}, x), array({N, 2}, y));
}

}  // namespace

TEST(plan_small_model_trains) {
  Config spec = two_layers();
  output_of(spec)["metrics"] = list({tree({{"name", text("mean_absolute_error")}})});
  const auto plan = compile(spec);
  fill(*plan);
  const auto set = regression(10);
  const RunResult first = run(*plan, Mode::kTrain, set, 4);
  CHECK(first.batches == 3);
  CHECK(first.samples == 10);
  CHECK(first.sums.size() == 2 && first.last.size() == 2);
  CHECK(first.bad_batch == -1);
  RunResult last;
  for (int epoch = 0; epoch < 200; epoch++) last = run(*plan, Mode::kTrain, set, 4);
  CHECK(last.sums[0] < 0.1 * first.sums[0]);
  CHECK(value(*plan, "optimizer/iterations")[0] == 603);
  const RunResult p = run(*plan, Mode::kPredict, set, 3);
  CHECK(p.outputs[0].dims == (Dims{10, 2}));
  const RunResult whole = run(*plan, Mode::kPredict, set);
  CHECK(p.outputs[0].f64 == whole.outputs[0].f64);
}

TEST(a_device_that_there_is_not_is_refused) {
  Config spec = model({2}, {dense("a", "input", 2, 1, "linear")}, "a");
  spec.tree["device"] = text("gpu");
  CHECK_ERROR(compile(spec), Code::kUnknownName, "device must be cpu, cuda or cuda:N, got 'gpu'");
}

TEST(plan_parameters_begin_as_zeros_and_are_written_in_parts) {
  const auto plan = compile(two_layers());
  CHECK(value(*plan, "a/W") == std::vector<double>(15, 0));  // [3, 5]
  plan->write("a/W", array({2}, {1, 2}), 4);
  plan->write("a/W", array({1}, {3}), 14);
  plan->write("a/W", array({0}, {}), 15);
  std::vector<double> expected(15, 0);
  expected[4] = 1, expected[5] = 2, expected[14] = 3;
  CHECK(value(*plan, "a/W") == expected);
  CHECK(value(*plan, "a/b") == std::vector<double>(5, 0));
  CHECK_ERROR(plan->write("a/W", array({2}, {1, 2}), 14), Code::kShape, "from number 14");
  CHECK_ERROR(plan->write("a/W", array({1}, {1}), 16), Code::kShape, "from number 16");
  CHECK_ERROR(plan->write("a/W", array({1, 1}, {1}), 0), Code::kShape, "from number 0");
  CHECK(value(*plan, "a/W") == expected);
}

TEST(plan_float32_follows_float64) {
  Config spec = two_layers();
  const auto wide = compile(spec);
  spec.tree["floatx"] = text("float32");
  const auto narrow = compile(spec);
  fill(*wide), fill(*narrow);
  auto set = std::make_shared<DataSet>(*regression(6));
  run(*wide, Mode::kTrain, set);
  for (Array* a : {&set->x[0], &set->y[0]})
    a->f32.assign(a->f64.begin(), a->f64.end()), a->f64.clear();
  run(*narrow, Mode::kTrain, set);
  const Array w = narrow->read("a/W");
  CHECK(w.f64.empty() && w.f32.size() == 15);
  for (size_t i = 0; i < 15; i++) CHECK_CLOSE(w.f32[i], value(*wide, "a/W")[i], 1e-6);
}

TEST(plan_gradients_of_a_graph_with_branches) {
  // a is read three times, once twice by the same op; `dead` leads nowhere; b and the output have
  // activity penalties.
  Config b = dense("b", "a", 4, 4, "sigmoid");
  b.tree["activity"] = tree({{"l1", number(0.03)}, {"l2", number(0.02)}});
  Config out = dense("out", "sum", 4, 2, "linear");
  out.tree["activity"] = tree({{"l1", number(0)}, {"l2", number(0.05)}});
  out.tree["params"].list[0].tree["penalty"] = tree({{"l1", number(0.01)}, {"l2", number(0.02)}});
  Config dead = dense("dead", "a", 4, 3, "tanh");
  dead.tree["params"].list[0].tree["penalty"] = tree({{"l1", number(0)}, {"l2", number(0.1)}});
  // leads nowhere but for its activity penalty
  Config seeding = dense("seeding", "a", 4, 3, "tanh");
  seeding.tree["activity"] = tree({{"l1", number(0)}, {"l2", number(0.04)}});
  Config frozen = dense("frozen", "a", 4, 4, "tanh");
  for (Config& p : frozen.tree["params"].list) p.tree["trainable"] = flag(false);
  const Config merge = op("merge", "sum", {"a", "b", "a", "frozen"}, "sum",
                          tree({{"mode", text("sum")}, {"axis", number(-1)}}));
  const auto plan = compile(
      model({3}, {dense("a", "input", 3, 4, "tanh"), b, dead, seeding, frozen, merge, out}, "out"));
  fill(*plan);
  CHECK(gradient_error(*plan, regression(5)) < 1e-7);
  bool has_frozen = false;
  for (const std::string& name : plan->names()) has_frozen = has_frozen || name == "frozen/W:grad";
  CHECK(!has_frozen);
  const std::vector<double> before = value(*plan, "frozen/W"), dead_before = value(*plan, "dead/b");
  run(*plan, Mode::kTrain, regression(5));
  CHECK(value(*plan, "frozen/W") == before);
  CHECK(value(*plan, "dead/b") == dead_before);
}

TEST(plan_gradient_check_sees_a_wrong_gradient) {
  const auto plan = compile(two_layers());
  fill(*plan);
  const auto set = regression(5);
  Array y = set->y[0];
  y.f64[3] += 0.01;  // of one target alone
  CHECK(gradient_error(*plan, set) < 1e-7);
  CHECK(gradient_error(*plan, set, data(set->x[0], y)) > 1e-4);
}

TEST(plan_weights_of_samples) {
  const auto plan = compile(two_layers());
  fill(*plan);
  const auto plain = regression(4);
  const std::vector<double> p = run(*plan, Mode::kPredict, plain).outputs[0].f64;
  const std::vector<double> w = {2, 0, 0.5, 0};
  double expected = 0;
  for (size_t b = 0; b < 4; b++) {
    double score = 0;
    for (size_t j = 0; j < 2; j++)
      score += std::pow(p[2 * b + j] - plain->y[0].f64[2 * b + j], 2) / 2;
    expected += score * w[b] / 4;
  }
  expected /= 0.5;  // half of the weights are not zero
  const auto weighted = data(plain->x[0], plain->y[0], array({4}, w));
  CHECK_CLOSE(run(*plan, Mode::kTest, weighted).last[0], expected, 1e-12);
  CHECK(gradient_error(*plan, weighted) < 1e-7);
  const auto nothing = data(plain->x[0], plain->y[0], array({4}, {0, 0, 0, 0}));
  const RunResult nan = run(*plan, Mode::kTrain, nothing);
  CHECK(std::isnan(nan.last[0]));
  CHECK(nan.bad_batches == 1 && nan.bad_layer == "loss");
}

TEST(plan_masked_loss_with_temporal_weights) {
  Config embedding =
      op("embedding", "e", {"input"}, "e",
         tree({{"inputDim", number(5)}, {"outputDim", number(3)}, {"maskZero", flag(true)}}),
         {param("W", {5, 3})});
  embedding.tree["maskOut"] = text("e/mask");
  Config spec = model({-1}, {embedding, dense("d", "e", 3, 2, "linear")}, "d");
  output_of(spec)["mask"] = text("e/mask");
  output_of(spec)["temporal"] = flag(true);
  const auto plan = compile(spec);
  fill(*plan);
  const std::vector<double> ids = {1, 2, 0, 3, 0, 4};
  const std::vector<double> w = {1, 0.5, 2, 0, 3, 1};
  const auto set = data(array({2, 3}, ids), array({2, 3, 2}, noise(12, 5)), array({2, 3}, w));
  const std::vector<double> p = run(*plan, Mode::kPredict, set).outputs[0].f64;
  double expected = 0;
  for (size_t i = 0; i < 6; i++) {
    const double score = (std::pow(p[2 * i] - set->y[0].f64[2 * i], 2) +
                          std::pow(p[2 * i + 1] - set->y[0].f64[2 * i + 1], 2)) /
                         2;
    expected += score * (ids[i] != 0) / (4.0 / 6) * w[i] / (5.0 / 6) / 6;
  }
  CHECK_CLOSE(run(*plan, Mode::kTest, set).last[0], expected, 1e-12);
  CHECK(gradient_error(*plan, set) < 1e-7);
}

TEST(plan_clips_by_one_norm_then_by_value) {
  Config spec = two_layers();
  param_of(spec, "a/W").tree["penalty"] = tree({{"l1", number(0)}, {"l2", number(0.5)}});
  spec.tree["optimizer"] = tree({{"name", text("sgd")},
                                 {"lr", number(1)},
                                 {"clipnorm", number(0.3)},
                                 {"clipvalue", number(0.1)}});
  const auto plan = compile(spec);
  fill(*plan);
  const auto set = regression(6);
  run(*plan, Mode::kGradient, set);
  const std::vector<std::string> names = {"a/W", "a/b", "b/W", "b/b"};
  std::vector<std::vector<double>> gradients, before;
  double squares = 0;
  for (const std::string& name : names) {
    gradients.push_back(value(*plan, name + ":grad"));
    before.push_back(value(*plan, name));
    for (double g : gradients.back()) squares += g * g;
  }
  const double factor = 0.3 / std::sqrt(squares);
  CHECK(factor < 1);
  run(*plan, Mode::kTrain, set);
  bool cut = false;
  for (size_t k = 0; k < names.size(); k++) {
    const std::vector<double> after = value(*plan, names[k]);
    for (size_t i = 0; i < after.size(); i++) {
      const double g = gradients[k][i] * factor;
      cut = cut || std::fabs(g) > 0.1;
      CHECK_CLOSE(before[k][i] - after[i], std::max(-0.1, std::min(0.1, g)), 1e-12);
    }
  }
  CHECK(cut);
}

TEST(plan_bad_batch_leaves_no_trace) {
  Config spec =
      model({2, 3}, {lstm("l", "input", 3, 4, true), dense("d", "l", 4, 1, "linear")}, "d");
  spec.tree["optimizer"] = tree({{"name", text("adam")},
                                 {"lr", number(0.01)},
                                 {"beta1", number(0.9)},
                                 {"beta2", number(0.999)}});
  const auto plan = compile(spec);
  fill(*plan);
  std::vector<double> x = noise(6 * 6, 3);
  const Array y = array({6, 1}, noise(6, 4));
  run(*plan, Mode::kTrain, data(array({6, 2, 3}, x), y), 2);
  const auto before = everything(*plan);
  CHECK(before.size() == 5 + 2 * 5 + 2 + 2);  // parameters, moments, states, counts
  x[13] = kNaN;                               // the second batch of two rows
  const RunResult r = run(*plan, Mode::kTrain, data(array({6, 2, 3}, x), y), 2, 2);
  CHECK(r.batches == 2 && r.bad_batches == 1 && r.bad_batch == 1);
  CHECK(r.bad_layer == "input");
  CHECK(std::isnan(r.last[0]));
  CHECK(everything(*plan) != before);  // the first batch has trained

  const auto now = everything(*plan);
  const std::vector<double> bad(x.begin() + 12, x.begin() + 24);
  CHECK(
      run(*plan, Mode::kTrain, data(array({2, 2, 3}, bad), array({2, 1}, {0, 0})), 2).bad_batches ==
      1);
  CHECK(everything(*plan) == now);
}

TEST(plan_infinite_gradient_of_a_finite_loss) {
  const auto plan = compile(model({1}, {dense("d", "input", 1, 1, "linear")}, "d"));
  plan->write("d/W", array({1, 1}, {1e-308}));
  const RunResult r = run(*plan, Mode::kTrain, data(array({1, 1}, {1e308}), array({1, 1}, {-100})));
  CHECK(std::isfinite(r.last[0]));
  CHECK(r.bad_batch == 0 && r.bad_layer == "d");
  CHECK(value(*plan, "d/W")[0] == 1e-308);
  CHECK(value(*plan, "optimizer/iterations")[0] == 0);
}

TEST(plan_rebinding_keeps_weights_and_moments) {
  Config spec =
      model({-1, 3}, {lstm("l", "input", 3, 4, false), dense("d", "l", 4, 1, "linear")}, "d");
  spec.tree["optimizer"] =
      tree({{"name", text("sgd")}, {"lr", number(0.1)}, {"momentum", number(0.9)}});
  const auto a = compile(spec), b = compile(spec);
  fill(*a), fill(*b);
  const auto set = data(array({5, 4, 3}, noise(60, 8)), array({5, 1}, noise(5, 9)));
  const auto other = data(array({7, 9, 3}, noise(7 * 27, 10)), array({7, 1}, noise(7, 11)));
  for (int i = 0; i < 5; i++) {
    run(*a, Mode::kTrain, set, 2);
    run(*b, Mode::kTrain, set, 2);
    run(*b, Mode::kPredict, other, 3);
    run(*b, Mode::kTest, other);
  }
  for (const char* name : {"l/W", "l/U", "l/b", "d/W", "d/b", "l/U:0", "d/b:0"})
    CHECK_MESSAGE(value(*a, name) == value(*b, name), name);
}

TEST(plan_packed_weights_follow_every_write) {
  const auto plan = compile(
      model({-1, 3}, {lstm("l", "input", 3, 4, false), dense("d", "l", 4, 1, "linear")}, "d"));
  const auto fresh = compile(
      model({-1, 3}, {lstm("l", "input", 3, 4, false), dense("d", "l", 4, 1, "linear")}, "d"));
  fill(*plan), fill(*fresh);
  const auto set = data(array({2, 4, 3}, noise(24, 8)), array({2, 1}, noise(2, 9)));
  run(*plan, Mode::kPredict, set);
  for (Plan* p : {plan.get(), fresh.get()}) p->write("l/U", array({4, 16}, noise(64, 33)));
  CHECK(run(*plan, Mode::kPredict, set).outputs[0].f64 ==
        run(*fresh, Mode::kPredict, set).outputs[0].f64);
  for (Plan* p : {plan.get(), fresh.get()}) run(*p, Mode::kTrain, set);
  const auto again = compile(
      model({-1, 3}, {lstm("l", "input", 3, 4, false), dense("d", "l", 4, 1, "linear")}, "d"));
  for (const char* name : {"l/W", "l/U", "l/b", "d/W", "d/b"}) again->write(name, plan->read(name));
  CHECK(run(*plan, Mode::kPredict, set).outputs[0].f64 ==
        run(*again, Mode::kPredict, set).outputs[0].f64);
}

TEST(plan_states_are_carried_and_guarded) {
  const auto plan = compile(
      model({-1, 3}, {lstm("l", "input", 3, 4, true), dense("d", "l", 4, 1, "linear")}, "d"));
  fill(*plan);
  const std::vector<double> x = noise(2 * 6 * 3, 21);
  const auto part = [&](int64_t from, int64_t T) {
    std::vector<double> cut;
    for (int64_t b = 0; b < 2; b++)
      cut.insert(cut.end(), x.begin() + (b * 6 + from) * 3, x.begin() + (b * 6 + from + T) * 3);
    return data(array({2, T, 3}, cut), {});
  };
  const std::vector<double> whole = run(*plan, Mode::kPredict, part(0, 6)).outputs[0].f64;
  plan->reset_states();
  run(*plan, Mode::kPredict, part(0, 2));
  const std::vector<double> halves = run(*plan, Mode::kPredict, part(2, 4)).outputs[0].f64;
  for (size_t i = 0; i < 2; i++) CHECK_CLOSE(halves[i], whole[i], 1e-14);
  CHECK_ERROR(run(*plan, Mode::kPredict, data(array({3, 2, 3}, noise(18, 1)), {})), Code::kShape,
              "resetStates()");
  CHECK(value(*plan, "l/h:carry").size() == 8);
  plan->reset_states();
  run(*plan, Mode::kPredict, data(array({3, 2, 3}, noise(18, 1)), {}));
  const auto kept = value(*plan, "l/h:carry");
  run(*plan, Mode::kGradient, data(array({3, 2, 3}, noise(18, 1)), array({3, 1}, noise(3, 2))));
  CHECK(value(*plan, "l/h:carry") == kept);
}

TEST(plan_takes_states_before_the_first_batch) {
  const auto made = [] {
    auto plan = compile(
        model({-1, 3}, {lstm("l", "input", 3, 4, true), dense("d", "l", 4, 1, "linear")}, "d"));
    fill(*plan);
    return plan;
  };
  const auto x = data(array({2, 2, 3}, noise(12, 21)), {});
  const auto first = made(), second = made();
  run(*first, Mode::kPredict, x);
  const Array h = first->read("l/h:carry"), c = first->read("l/c:carry");
  second->write("l/h:carry", h);
  second->write("l/c:carry", c);
  CHECK(value(*second, "l/c:carry") == c.f64);
  CHECK(run(*second, Mode::kPredict, x).outputs[0].f64 ==
        run(*first, Mode::kPredict, x).outputs[0].f64);
  CHECK_ERROR(second->write("m/h:carry", h), Code::kUnknownName, "m/h:carry");

  // none of that name or shape: as if it had not been written
  const auto third = made();
  third->write("m/h:carry", h);
  third->write("l/h:carry", array({4, 2}, h.f64));
  const auto fourth = made();
  CHECK(run(*third, Mode::kPredict, x).outputs[0].f64 ==
        run(*fourth, Mode::kPredict, x).outputs[0].f64);
  CHECK(third->names() == fourth->names());

  const auto fifth = made();
  fifth->write("l/h:carry", h);
  fifth->reset_states();
  CHECK_ERROR(fifth->read("l/h:carry"), Code::kUnknownName, "l/h:carry");
}

TEST(plan_same_bits_for_any_number_of_threads) {
  const int before = threads();
  std::vector<double> seen[2];
  for (int n = 1; n <= 2; n++) {
    set_threads(n);
    Config spec = model(
        {40}, {dense("a", "input", 40, 300, "tanh"), dense("b", "a", 300, 200, "linear")}, "b");
    spec.tree["optimizer"].tree["clipnorm"] = number(0.5);
    param_of(spec, "a/W").tree["penalty"] = tree({{"l1", number(0.01)}, {"l2", number(0.01)}});
    const auto plan = compile(spec);
    fill(*plan, 0.1);
    for (int i = 0; i < 3; i++)
      run(*plan, Mode::kTrain,
          data(array({200, 40}, noise(8000, 1)), array({200, 200}, noise(40000, 2))), 128);
    seen[n - 1] = value(*plan, "a/W");
  }
  set_threads(before);
  CHECK(seen[0] == seen[1]);
}

TEST(plan_refuses_what_does_not_fit) {
  const auto plan = compile(two_layers());
  const auto x = array({4, 3}, noise(12, 1)), y = array({4, 2}, noise(8, 2));
  CHECK_ERROR(run(*plan, Mode::kTrain, data(array({4, 5}, noise(20, 1)), y)), Code::kShape,
              "[null, 3]");
  CHECK_ERROR(run(*plan, Mode::kTrain, data(x, array({3, 2}, noise(6, 1)))), Code::kShape,
              "samples");
  CHECK_ERROR(run(*plan, Mode::kTrain, data(x, array({4, 3}, noise(12, 1)))), Code::kShape,
              "[4, 2]");
  CHECK_ERROR(run(*plan, Mode::kTrain, data(x, {})), Code::kShape, "y must be given");
  CHECK_ERROR(run(*plan, Mode::kTrain, data(x, y, array({4, 1}, {1, 1, 1, 1}))), Code::kShape,
              "sample weights");
  CHECK_ERROR(run(*plan, Mode::kTrain, data(x, y), 0), Code::kOption, "batchSize");
  CHECK_ERROR(plan->write("a/W", array({5, 3}, noise(15, 1))), Code::kShape, "Transposed?");
  CHECK_ERROR(plan->read("a/V"), Code::kUnknownName, "a/V");
  CHECK_ERROR(plan->set("learning_rate", 1), Code::kUnknownName, "learning_rate");
  CHECK_ERROR(plan->set("lr", kNaN), Code::kOption, "finite");
  RunRequest request;
  request.mode = Mode::kPredict;
  request.data = data(x, {});
  request.order = {0, 4};
  const std::atomic<bool> never{false};
  CHECK_ERROR(plan->run(request, never), Code::kOption, "from 0 to 3, got 4");

  Config spec = two_layers();
  param_of(spec, "a/W").tree["dims"] = extents({3, 4});
  CHECK_ERROR(run(*compile(spec), Mode::kPredict, data(x, {})), Code::kInternal,
              "a/W: shape must be [3, 5], got [3, 4]");
  spec = two_layers();
  spec.tree["ops"].list[0].tree["op"] = text("no_such_op");
  // On a card it is one of those that run on the CPU alone.
  CHECK_ERROR(compile(spec), card_wanted() ? Code::kOption : Code::kInternal, "no_such_op");
  spec = two_layers();
  output_of(spec)["loss"] = Config();
  CHECK_ERROR(run(*compile(spec), Mode::kTrain, data(x, y)), Code::kNotCompiled, "compiled");
  spec = two_layers();
  output_of(spec)["loss"] = text("sparse_categorical_crossentropy");
  CHECK_ERROR(run(*compile(spec), Mode::kTrain, data(x, array({4, 1}, {0, 1, 2, 0}))),
              Code::kOption, "from 0 to 1, got 2");
}

TEST(plan_shows_nothing_of_a_batch_that_failed) {
  const auto plan = compile(two_layers());
  fill(*plan);
  const auto set = data(array({4, 3}, noise(12, 1)), {});
  RunRequest request;
  request.data = set;
  request.order = {0, 4};
  const std::atomic<bool> never{false};
  CHECK_ERROR(plan->run(request, never), Code::kOption, "from 0 to 3, got 4");
  CHECK_ERROR(plan->read("a"), Code::kUnknownName, "'a' now");  // laid out, but never computed
  CHECK_ERROR(plan->read("input"), Code::kUnknownName, "'input' now");
  const std::vector<std::string> names = plan->names();
  CHECK(std::find(names.begin(), names.end(), "a") == names.end());
  for (const std::string& name : names) CHECK(std::isfinite(plan->read(name).f64[0]));
  request.order = {0, 1};
  plan->run(request, never);
  const Array shown = plan->read("a");
  CHECK(shown.dims == (Dims{2, 5}));
  request.order = {0, 4};
  CHECK_ERROR(plan->run(request, never), Code::kOption, "from 0 to 3, got 4");
  CHECK(plan->read("a").f64 == shown.f64);  // the batch before it
}

TEST(plan_reports_the_same_loss_whether_it_learns_or_not) {
  Config spec = two_layers();
  const Config penalty = tree({{"l1", number(0.03)}, {"l2", number(0.01)}});
  for (Config& op : spec.tree["ops"].list) op.tree["activity"] = penalty;
  param_of(spec, "a/W").tree["penalty"] = penalty;
  param_of(spec, "b/W").tree["penalty"] = tree({{"eigenvalue", number(0.2)}});
  for (const bool frozen : {false, true}) {
    for (Config& param : spec.tree["params"].list) param.tree["trainable"] = flag(!frozen);
    const auto plan = compile(spec);
    fill(*plan);
    const auto set = data(array({4, 3}, noise(12, 1)), array({4, 2}, noise(8, 2)));
    const double tested = run(*plan, Mode::kTest, set).last[0];
    CHECK(tested > 0.05);
    CHECK(run(*plan, Mode::kGradient, set).last[0] == tested);
    CHECK(run(*plan, Mode::kTrain, set).last[0] == tested);
  }
}

TEST(plan_refuses_numbers_that_would_spoil_the_weights) {
  const auto plan = compile(two_layers());
  const auto x = array({4, 3}, noise(12, 1)), y = array({4, 2}, noise(8, 2));
  fill(*plan);
  for (const char* name : {"optimizer/iterations", "random/seed", "random/step"}) {
    const auto before = value(*plan, name);
    for (const double bad : {kNaN, -1.0, 0.5, 1e300})
      CHECK_ERROR(plan->write(name, array({}, {bad})), Code::kOption, "a whole number from 0");
    CHECK(value(*plan, name) == before);
  }
  for (const double bad : {kNaN, -1.0, std::numeric_limits<double>::infinity()})
    CHECK_ERROR(plan->write("optimizer/m_schedule", array({}, {bad})), Code::kOption, "from 0");
  CHECK_ERROR(plan->set("seed", 0.5), Code::kOption, "a whole number from 0");
  CHECK_ERROR(plan->set("step", -1), Code::kOption, "a whole number from 0");
  run(*plan, Mode::kTrain, data(x, y));
  CHECK(std::isfinite(value(*plan, "a/W")[0]));

  Config spec = two_layers();
  spec.tree["seed"] = number(kNaN);
  CHECK_ERROR(compile(spec), Code::kOption, "seed");
  spec = two_layers();
  spec.tree["optimizer"].tree["decay"] = number(kNaN);
  CHECK_ERROR(compile(spec), Code::kOption, "decay");
}

}  // namespace test
}  // namespace hs
