// What layers with statistics, noise and parameters of their own do; gradients, instruction sets
// and threads are checked over layer_cases.cc.
#include <algorithm>
#include <cmath>

#include "test/layer_cases.h"
#include "test/plan_spec.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

Rig<double> rig_of(const std::string& layer, const Options& options, const Extent& x,
                   bool training) {
  return Rig<double>(make_layer<double>(layer, tree(options)), {x}, training);
}

Rig<double> batch_normalization(int mode, bool training) {
  Rig<double> rig =
      rig_of("batch_normalization",
             {{"mode", mode}, {"axis", 1}, {"features", 1}, {"epsilon", 0.25}, {"momentum", 0.75}},
             {4, {1}}, training);
  rig.inputs[0] = {1, 3, 5, 7};  // mean 4, variance 5
  *rig.value("gamma") = 2, *rig.value("beta") = 10;
  *rig.value("running_mean") = 1, *rig.value("running_std") = 3.75;
  return rig;
}

TEST(batch_normalization_by_the_batch_in_training) {
  for (int mode : {0, 2}) {
    Rig<double> rig = batch_normalization(mode, true);
    const auto y = rig.forward();
    for (size_t i = 0; i < 4; i++)
      CHECK_CLOSE(y[i], 10 + 2 * (rig.inputs[0][i] - 4) / std::sqrt(5.25), 1e-12);
    CHECK(rig.nexts.size() == (mode == 0 ? 2u : 0u));
    if (mode != 0) continue;
    CHECK_CLOSE(*rig.next("running_mean"), 0.75 * 1 + 0.25 * 4, 1e-12);
    CHECK_CLOSE(*rig.next("running_std"), 0.75 * 3.75 + 0.25 * 5.25, 1e-12);  // epsilon in it
    CHECK(*rig.value("running_mean") == 1);                                   // the plan's business
  }
}

TEST(batch_normalization_by_running_statistics_elsewhere) {
  Rig<double> rig = batch_normalization(0, false);
  CHECK_CLOSE(rig.forward()[3], 10 + 2 * (7 - 1) / 2.0, 1e-12);
  Rig<double> always = batch_normalization(2, false);
  CHECK_CLOSE(always.forward()[3], 10 + 2 * 3 / std::sqrt(5.25), 1e-12);
}

TEST(batch_normalization_refuses_another_extent) {
  CHECK_ERROR(rig_of("batch_normalization",
                     {{"mode", 0}, {"axis", 0}, {"features", 4}, {"epsilon", 1}, {"momentum", 1}},
                     {3, {2}}, false),
              Code::kShape, "axis 0 of the input must be of extent 4, got [3, 2]");
}

// bn: [2] -> [2], then a dense layer of one unit
std::unique_ptr<Plan> normalising_plan() {
  std::vector<Config> params = {param("gamma", {2}), param("beta", {2}), param("running_mean", {2}),
                                param("running_std", {2})};
  params[2].tree["trainable"] = params[3].tree["trainable"] = flag(false);
  auto plan = compile(model({2},
                            {op("batch_normalization", "bn", {"input"}, "bn",
                                tree({{"mode", number(0)},
                                      {"axis", number(1)},
                                      {"features", number(2)},
                                      {"epsilon", number(0.01)},
                                      {"momentum", number(0.5)}}),
                                params),
                             dense("d", "bn", 2, 1, "linear")},
                            "d"));
  fill(*plan);
  plan->write("bn/running_std", array({2}, {1, 2}));
  return plan;
}

TEST(the_plan_moves_running_statistics_with_a_training_batch) {
  const auto plan = normalising_plan();
  const auto read = [&] { return plan->read("bn/running_mean").f64; };
  const auto before = read();
  const auto set = data(array({2, 2}, {1, 2, 3, 6}), array({2, 1}, {0, 1}));
  for (Mode mode : {Mode::kTest, Mode::kPredict, Mode::kGradient}) run(*plan, mode, set);
  CHECK(read() == before);
  run(*plan, Mode::kTrain, set);
  CHECK_CLOSE(read()[0], (before[0] + 2) / 2, 1e-12);
  CHECK_CLOSE(read()[1], (before[1] + 4) / 2, 1e-12);
}

// A variance that overflows makes y = beta: loss and gradients are finite, and what the statistics
// would become alone is not.
TEST(the_plan_refuses_a_batch_for_its_statistics_alone) {
  const auto plan = normalising_plan();
  const auto weights = plan->read("d/W").f64, before = plan->read("bn/running_mean").f64;
  const RunResult bad =
      run(*plan, Mode::kTrain, data(array({2, 2}, {1e200, 2, -1e200, 6}), array({2, 1}, {0, 1})));
  CHECK(std::isfinite(bad.last[0]));
  CHECK(bad.bad_batch == 0 && bad.bad_layer == "bn");
  CHECK(plan->read("d/W").f64 == weights && plan->read("bn/running_mean").f64 == before);
}

TEST(noise_is_normal_and_only_in_training) {
  for (bool multiplies : {false, true}) {
    const Options options = {{"sigma", 0.5}, {"multiply", multiplies}};
    Rig<double> rig = rig_of("noise", options, {100, {100}}, true);
    std::fill(rig.inputs[0].begin(), rig.inputs[0].end(), 3.0);
    double mean = 0, square = 0;
    for (double v : rig.forward()) mean += v / 1e4, square += (v - 3) * (v - 3) / 1e4;
    const double sigma = multiplies ? 1.5 : 0.5;
    CHECK_CLOSE(mean, 3, 4 * sigma / 100);  // four standard errors
    CHECK_CLOSE(std::sqrt(square), sigma, 4 * sigma / std::sqrt(2e4));
    rig.pass.training = false;
    CHECK(rig.forward() == rig.inputs[0]);
    Rig<double> idle = rig_of("noise", options, {3, {4}}, false);
    const auto x = idle.inputs[0];
    CHECK(idle.forward() == x);
  }
}

TEST(maxout_gives_every_one_of_equals_the_gradient) {
  Rig<double> rig = rig_of("maxout_dense", {{"units", 1}, {"features", 3}}, {1, {1}}, true);
  rig.inputs[0] = {0};
  const double b[] = {2, 1, 2};
  std::copy_n(b, 3, rig.value("b"));
  rig.dy = {5};
  CHECK(rig.forward()[0] == 2);
  rig.backward();
  CHECK(rig.gradient("b")[0] == 5 && rig.gradient("b")[1] == 0 && rig.gradient("b")[2] == 5);
}

TEST(srelu_is_s_shaped) {
  Rig<double> rig = rig_of("parametric_activation",
                           {{"kind", "srelu"}, {"shared", Dims{1, 1, 1, 1}}}, {4, {1}}, false);
  rig.inputs[0] = {-3, 0, 1.5, 4};
  *rig.value("t_left") = -1, *rig.value("a_left") = 0.5;
  *rig.value("t_right") = -2.5, *rig.value("a_right") = 2;  // right threshold -1 + 2.5
  CHECK(rig.forward() == (std::vector<double>{-2, 0, 1.5, 6.5}));
}

TEST(nan_stays_nan) {
  for (const char* kind :
       {"leaky_relu", "elu", "thresholded_relu", "prelu", "srelu", "parametric_softplus"}) {
    const int params = kind[0] == 's'                 ? 4
                       : std::string(kind) == "prelu" ? 1
                       : kind[0] == 'p'               ? 2
                                                      : 0;
    Rig<double> rig =
        rig_of("parametric_activation",
               {{"kind", kind}, {"a", 0.5}, {"shared", Dims(size_t(params), 0)}}, {1, {1}}, false);
    rig.inputs[0] = {NAN};
    for (auto& [name, tensor] : rig.params) *rig.value(name) = 1;
    CHECK_MESSAGE(std::isnan(rig.forward()[0]), kind);
  }
}

}  // namespace
}  // namespace test
}  // namespace hs
