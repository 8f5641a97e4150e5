// What a mask or a weight of 0 leaves out of a loss is left out whatever it is; what nothing is
// left of has no mean. The values of real Keras are compared in test/golden.
#include <algorithm>
#include <cmath>
#include <limits>

#include "device/cpu/objectives/objective.h"
#include "test/plan_spec.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

const double kNaN = std::numeric_limits<double>::quiet_NaN();
const double kInfinity = std::numeric_limits<double>::infinity();

// Those for targets as wide as the output.
std::vector<std::string> wide_metrics() {
  std::vector<std::string> all;
  for (const char* const* name = metric_names(); *name; name++) {
    const Objective<double>* loss = objective<double>(*name);
    if (!loss || !loss->sparse) all.push_back(*name);
  }
  return all;
}

// Words [B, T] -> embedding that masks word 0 -> probabilities [B, T, 2].
Config tagger(const char* floatx, const char* objective_name) {
  Config embedding =
      op("embedding", "e", {"input"}, "e",
         tree({{"inputDim", number(5)}, {"outputDim", number(3)}, {"maskZero", flag(true)}}),
         {param("W", {5, 3})});
  embedding.tree["maskOut"] = text("e/mask");
  Config spec = model({-1}, {embedding, dense("d", "e", 3, 2, "softmax")}, "d");
  spec.tree["floatx"] = text(floatx);
  output_of(spec)["mask"] = text("e/mask");
  output_of(spec)["temporal"] = flag(true);
  output_of(spec)["loss"] = text(objective_name);
  return spec;
}

// Samples of three numbers to two, about 1 for small ones.
Config classifier(const char* floatx, const char* objective_name) {
  Config spec = model({3}, {dense("d", "input", 3, 2, "linear")}, "d");
  spec.tree["floatx"] = text(floatx);
  output_of(spec)["loss"] = text(objective_name);
  return spec;
}

std::shared_ptr<const DataSet> in(const char* floatx, const std::shared_ptr<const DataSet>& set) {
  if (floatx == std::string("float64")) return set;
  auto narrow = std::make_shared<DataSet>(*set);
  for (Array* a : {&narrow->x[0], &narrow->y[0], &narrow->weights[0]})
    a->f32.assign(a->f64.begin(), a->f64.end()), a->f64.clear();
  return narrow;
}

struct Outcome {
  double loss;
  std::vector<double> metrics;
  std::vector<std::vector<double>> gradients;
  RunResult result;
};

Outcome gradient_of(const Config& spec, const std::shared_ptr<const DataSet>& set) {
  const auto plan = compile(spec);
  fill(*plan);
  Array ones = plan->read("d/b");
  ones.f32.clear(), ones.f64.assign(2, 1.0);
  plan->write("d/b", ones);
  Outcome all;
  all.result = run(*plan, Mode::kGradient, set);
  all.loss = all.result.last[0];
  all.metrics.assign(all.result.last.begin() + 1, all.result.last.end());
  for (const std::string& name : plan->names()) {
    if (name.find(":grad") == std::string::npos) continue;
    const Array a = plan->read(name);
    all.gradients.emplace_back(a.f64.begin(), a.f64.end());
    all.gradients.back().insert(all.gradients.back().end(), a.f32.begin(), a.f32.end());
  }
  return all;
}

bool all_finite(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

template <typename Fn>
void each_objective(const Fn& fn) {
  for (const char* floatx : {"float32", "float64"})
    for (const char* const* name = objective_names(); *name; name++)
      fn(floatx, *name, objective<double>(*name)->sparse);
}

const std::vector<double> kWords = {1, 2, 0, 3, 0, 4};  // [2, 3]
const std::vector<double> kWeights = {1, 0.5, 2, 0, 3, 1};
const size_t kLeftOut[] = {2, 3, 4};  // steps with word 0, or of weight 0

std::shared_ptr<const DataSet> tags(const std::vector<double>& y, bool sparse) {
  return data(array({2, 3}, kWords), array({2, 3, sparse ? 1 : 2}, y), array({2, 3}, kWeights));
}

}  // namespace

TEST(loss_leaves_out_what_is_masked_or_weighs_nothing) {
  each_objective([](const char* floatx, const char* name, bool sparse) {
    Config spec = tagger(floatx, name);
    const size_t K = sparse ? 1 : 2;
    std::vector<double> y = noise(6 * K, 5, 0.4);
    for (double& t : y) t = sparse ? double(t > 0) : 0.5 + t;
    const Outcome plain = gradient_of(spec, in(floatx, tags(y, sparse)));
    CHECK_MESSAGE(plain.result.bad_batches == 0, name);
    for (const double there : {kNaN, kInfinity, -kInfinity, 1e20, -1e300, 0.0}) {
      if (sparse && there != 0) continue;  // no class: refused before
      std::vector<double> changed = y;
      for (const size_t step : kLeftOut) std::fill_n(changed.data() + step * K, K, there);
      const Outcome got = gradient_of(spec, in(floatx, tags(changed, sparse)));
      CHECK_MESSAGE(got.loss == plain.loss, name);
      CHECK_MESSAGE(got.gradients == plain.gradients, name);
      CHECK_MESSAGE(got.result.bad_batches == 0, name);
      std::vector<double> at_one = y;  // what counts, counts
      std::fill_n(at_one.data(), K, sparse ? 1 - y[0] : there);
      CHECK_MESSAGE(gradient_of(spec, in(floatx, tags(at_one, sparse))).loss != plain.loss, name);
    }
  });
}

TEST(loss_has_no_gradient_where_a_prediction_that_weighs_nothing_is_not_finite) {
  each_objective([](const char* floatx, const char* name, bool sparse) {
    const Config spec = classifier(floatx, name);
    std::vector<double> x = noise(9, 6, 0.3), y = {1, 0, 1, 0, 1, 0};
    y.resize(sparse ? 3 : 6);
    const auto set = [&] {
      return in(floatx,
                data(array({3, 3}, x), array({3, sparse ? 1 : 2}, y), array({3}, {1, 0, 2})));
    };
    const Outcome plain = gradient_of(spec, set());
    x[3] = kInfinity;
    const Outcome got = gradient_of(spec, set());
    CHECK_MESSAGE(got.loss == plain.loss, name);
    CHECK(got.gradients.size() == 2);  // W, b: that of b is the sum of what comes from the loss
    CHECK_MESSAGE(got.gradients == plain.gradients ||
                      (got.gradients[1] == plain.gradients[1] && !all_finite(got.gradients[0])),
                  name);
  });
}

TEST(metrics_that_are_not_finite_are_of_the_rows_that_count) {
  for (const char* floatx : {"float32", "float64"}) {
    Config spec = tagger(floatx, "mean_squared_error");
    const std::vector<std::string> names = wide_metrics();
    for (const std::string& name : names)
      output_of(spec)["metrics"].list.push_back(tree({{"name", text(name)}}));
    std::vector<double> y = {1, 0, 0, 1, 0, 1, 1, 0, 1, 0, 0, 1};
    const Outcome plain = gradient_of(spec, in(floatx, tags(y, false)));
    CHECK(all_finite(plain.metrics));
    Config short_spec = spec;  // the same words without those that do not count
    const auto short_set = data(array({1, 3}, {1, 2, 4}), array({1, 3, 2}, {1, 0, 0, 1, 0, 1}));
    output_of(short_spec)["temporal"] = flag(false);
    const Outcome counting = gradient_of(short_spec, in(floatx, short_set));
    for (const double there : {kNaN, 0.0}) {
      for (const size_t step : kLeftOut) std::fill_n(y.data() + step * 2, 2, there);
      const Outcome got = gradient_of(spec, in(floatx, tags(y, false)));
      int taken_over_those_that_count = 0;
      for (size_t i = 0; i < got.metrics.size(); i++) {
        const std::string& name = names[i];
        CHECK_MESSAGE(std::isfinite(got.metrics[i]), name);
        if (std::fabs(got.metrics[i] - counting.metrics[i]) < 1e-6) taken_over_those_that_count++;
        if (name == "cosine_proximity" || (name == "mean_squared_error" && there != 0))
          CHECK_CLOSE(got.metrics[i], counting.metrics[i], 1e-6);
      }
      CHECK(taken_over_those_that_count < int(got.metrics.size()));  // the others see all steps
    }
  }
}

TEST(a_batch_of_which_nothing_counts_is_told_and_left_out_of_the_sums) {
  Config spec = classifier("float64", "mean_squared_error");
  output_of(spec)["metrics"] = list({tree({{"name", text("mean_absolute_error")}})});
  const std::vector<double> x = noise(12, 6), y = {1, 0, 1, 0, 1, 0, 0, 1};
  const auto set = data(array({4, 3}, x), array({4, 2}, y), array({4}, {1, 2, 0, 0}));
  const auto plan = compile(spec);
  fill(*plan);
  const RunResult first = run(*plan, Mode::kTest, set, 2, 1);
  const RunResult both = run(*plan, Mode::kTest, set, 2);
  CHECK(both.bad_batches == 1 && both.bad_batch == 1 && both.bad_nothing == "weights");
  CHECK(std::isnan(both.last[0]) && std::isfinite(both.last[1]));
  CHECK(both.sums[0] == first.sums[0]);
  CHECK((both.counted == std::vector<int64_t>{2, 4}));

  const auto masked = compile(tagger("float64", "mean_squared_error"));
  fill(*masked);
  const std::vector<double> before = masked->read("d/W").f64;
  const auto nothing = data(array({1, 3}, {0, 0, 0}), array({1, 3, 2}, noise(6, 7)));
  Config plain_weights = tagger("float64", "mean_squared_error");
  output_of(plain_weights)["temporal"] = flag(false);
  const RunResult result = run(*masked, Mode::kTrain, nothing);
  CHECK(result.bad_nothing == "mask" && result.bad_layer == "loss");
  CHECK(result.counted == std::vector<int64_t>{0} && result.sums[0] == 0);
  CHECK(masked->read("d/W").f64 == before);
}

TEST(the_first_number_of_a_bad_batch_that_is_not_finite_is_named) {
  const auto plan = compile(tagger("float64", "mean_squared_error"));
  fill(*plan);
  std::vector<double> y = noise(12, 5), w = kWeights;
  y[4] = kInfinity;  // at a masked step
  y[11] = kNaN;
  const auto place = [&](Mode mode, std::vector<int32_t> order) {
    RunRequest request;
    request.mode = mode;
    request.data = data(array({2, 3}, kWords), array({2, 3, 2}, y), array({2, 3}, w));
    request.order = std::move(order);
    const std::atomic<bool> never{false};
    return plan->run(request, never).bad_number;
  };
  for (const Mode mode : {Mode::kTrain, Mode::kTest}) {
    for (const std::vector<int32_t>& order : {std::vector<int32_t>{}, {1, 0}, {0, 1, 1}}) {
      const BadNumber bad = place(mode, order);
      CHECK(bad.array == "y0" && bad.sample == 1 && bad.at == (Dims{2, 1}) &&
            std::isnan(bad.value));
    }
    CHECK(place(mode, {0}).array.empty());
  }
  w[1] = -kInfinity;
  const BadNumber weight = place(Mode::kTrain, {});
  CHECK(weight.array == "weights0" && weight.sample == 0 && weight.at == Dims{1});
  CHECK(weight.value == -kInfinity);

  const auto images = compile(classifier("float64", "mean_squared_error"));
  fill(*images);
  std::vector<double> x = noise(9, 6);
  x[7] = kNaN;
  const auto set = data(array({3, 3}, x), array({3, 2}, noise(6, 7)));
  const BadNumber input = run(*images, Mode::kTrain, set).bad_number;
  CHECK(input.array == "x0" && input.sample == 2 && input.at == Dims{1});
}

}  // namespace test
}  // namespace hs
