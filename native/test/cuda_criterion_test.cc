// Objectives and metrics of a card against those of the CPU, over the same rows. Runs where
// HIDDENSTATE_DEVICE names a card (test/card.h).
#include <string>

#include "base/error.h"
#include "device/cpu/cpu.h"
#include "device/cpu/host_memory.h"
#include "device/cpu/objectives/objective.h"
#include "test/card.h"
#include "test/plan_spec.h"
#include "test/program_cases.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

struct Sizes {
  int64_t B, T, rest, K;
};
enum class Mask { kNone, kSome, kNothing };
enum class Weighted { kNone, kSamples, kSteps, kNothing };

struct ScoredCase {
  Sizes sizes;
  Mask mask;
  Weighted weights;
  double weight;
  bool nan;  // in rows that do not count
  std::string name(const std::string& loss) const {
    return loss + " B" + std::to_string(sizes.B) + " T" + std::to_string(sizes.T) + " rest" +
           std::to_string(sizes.rest) + " K" + std::to_string(sizes.K) + " mask " +
           std::to_string(int(mask)) + " weights " + std::to_string(int(weights)) +
           (nan ? " NaN" : "") + " weight " + std::to_string(weight);
  }
};

std::vector<ScoredCase> scored_cases() {
  const Sizes sizes[] = {
      {5, 3, 1, 4},   {3, 2, 2, 5},
      {4, 1, 1, 1},   {70, 5, 1, 3},  // more rows than threads of a sum
      {3, 2, 1, 64},  {2, 2, 1, 77},  // several threads a row; columns that they do not share out
      {40, 8, 1, 65},
  };
  std::vector<ScoredCase> all;
  for (const Sizes& s : sizes) {
    for (const Mask mask : {Mask::kNone, Mask::kSome, Mask::kNothing}) {
      for (const Weighted weights :
           {Weighted::kNone, Weighted::kSamples, Weighted::kSteps, Weighted::kNothing}) {
        const bool selects = mask == Mask::kSome || weights == Weighted::kSteps;
        all.push_back({s, mask, weights, 1, false});
        if (selects) all.push_back({s, mask, weights, 0.3, true});
      }
    }
    all.push_back({s, Mask::kNone, Weighted::kNone, 0.3, false});
  }
  return all;
}

// Targets and outputs at which formulas bend, between numbers at which they do not.
template <typename real>
std::vector<real> bent(int64_t n, unsigned seed) {
  const double corners[] = {0, 1, 0.5, 1e-7, 1 - 1e-7, 1.5, 2.5, -0.25, 1e-9, 0.5};
  std::vector<real> numbers;
  for (const double x : noise(size_t(n), seed)) {
    const int64_t i = int64_t((x + 1) * 20);
    numbers.push_back(i % 2 ? real(corners[i / 2 % 10]) : real(0.5 + 0.49 * x));
  }
  return numbers;
}

// What a batch holds, on the host.
template <typename real>
struct ScoredBatch {
  ScoredBatch(const ScoredCase& c, bool sparse, bool targets) {
    const Sizes& z = c.sizes;
    const int64_t steps = z.T * z.B;
    s.B = z.B, s.T = z.T, s.R = steps * z.rest, s.K = z.K;
    s.Ky = !targets ? 0 : sparse ? 1 : z.K;
    s.temporal = c.weights == Weighted::kSteps, s.weight = c.weight;
    if (z.T > 1) s.p_dims.push_back(z.T);
    s.p_dims.push_back(z.B);
    if (z.rest > 1) s.p_dims.push_back(z.rest);
    s.y_dims = s.p_dims;
    s.p_dims.push_back(s.K), s.y_dims.push_back(s.Ky);
    p = bent<real>(s.R * s.K, 3), y = bent<real>(s.R * s.Ky, 4);
    for (int64_t r = 0; sparse && r < s.R; r++) y[size_t(r)] = real((r * 7 + 1) % s.K);
    if (c.mask != Mask::kNone) {
      for (int64_t i = 0; i < steps; i++)
        mask.push_back(c.mask == Mask::kSome && i % 3 != 1 ? real(1) : real(0));
    }
    if (c.weights != Weighted::kNone) {
      const real some[] = {1, 0.25, 0, 2, 3};
      for (int64_t i = 0; i < (s.temporal ? steps : z.B); i++)
        weights.push_back(c.weights == Weighted::kNothing ? real(0) : some[i % 5]);
    }
    for (int64_t r = 0; c.nan && r < s.R; r++) {
      const int64_t i = r / z.rest;
      const bool counts = (mask.empty() || mask[size_t(i)] != 0) &&
                          (weights.empty() || weights[size_t(s.temporal ? i : i % z.B)] != 0);
      if (counts) continue;
      p[size_t(r * s.K + r % s.K)] = real(NAN);
      if (targets && !sparse) std::fill_n(&y[size_t(r * s.K)], s.K, real(r % 2 ? NAN : 0));
    }
  }
  Scored<real> s;
  std::vector<real> p, y, weights, mask;
};

template <typename real>
struct Outcome {
  std::vector<double> values;  // loss, weighted, nothing; those of the metrics
  std::vector<real> coef, dp;
};

template <typename real>
Outcome<real> outcome(const ScoredBatch<real>& batch, Criterion<real>& criterion, Memory& memory) {
  Scored<real> s = batch.s;
  const OnCard<real> p(memory, batch.p), y(memory, batch.y), weights(memory, batch.weights),
      mask(memory, batch.mask), coef(memory, std::vector<real>(size_t(s.R), real(NAN))),
      score(memory, std::vector<real>(size_t(s.R), real(NAN))),
      dp(memory, std::vector<real>(size_t(s.R * s.K), real(NAN)));
  const OnCard<double> values(memory,
                              std::vector<double>(size_t(3 + criterion.metrics()), double(NAN)));
  s.p = p.data(), s.y = y.data(), s.weights = weights.data(), s.mask = mask.data();
  s.coef = coef.data(), s.score = score.data();
  double* const to = values.data();
  criterion.value(s, to, to + 1, to + 2);
  Outcome<real> all;
  all.coef = coef.read();
  criterion.measure(s, to + 3);
  criterion.gradient(s, dp.data());
  all.values = values.read(), all.dp = dp.read();
  return all;
}

// One objective, with every metric that takes its targets.
template <typename real>
Config criterion_spec(const std::string& loss, bool sparse) {
  Config metrics = list({});
  for (const char* const* name = metric_names(); *name; name++) {
    const Objective<real>* const as_objective = objective<real>(*name);
    const bool labels = (as_objective && as_objective->sparse) ||
                        std::string(*name) == "sparse_categorical_accuracy";
    if (sparse ? !labels : as_objective && as_objective->sparse) continue;
    metrics.list.push_back(tree({{"name", text(*name)}}));
  }
  if (!sparse) {
    metrics.list.push_back(tree({{"name", text("top_k_categorical_accuracy")}, {"k", number(2)}}));
    metrics.list.push_back(tree({{"name", text("fbeta_score")}, {"beta", number(2)}}));
  }
  return tree({{"loss", text(loss)}, {"metrics", metrics}});
}

template <typename real>
void compare(const std::string& loss, const ScoredCase& c, Criterion<real>& cpu,
             Criterion<real>& cuda, bool sparse, bool targets) {
  // Sums in another order, log by another polynomial: some roundings. A float may be rounded to its
  // neighbour, and 1 / (1 - q) of the one beside 1 differs by 2e-7 of itself then.
  const double tolerance = sizeof(real) == 8 ? 1e-12 : 1e-5;
  const ScoredBatch<real> batch(c, sparse, targets);
  const Outcome<real> want = outcome<real>(batch, cpu, host_memory());
  const Outcome<real> got = outcome<real>(batch, cuda, card<real>());
  const std::string name = c.name(loss) + (sizeof(real) == 8 ? " f64" : " f32");
  for (size_t i = 0; i < want.values.size(); i++) {
    const double d = distance(&got.values[i], &want.values[i], 1, 1e-2);
    const std::string which = i < 3 ? std::vector<std::string>{"loss", "weighted", "nothing"}[i]
                                    : "metric " + std::to_string(i - 3);
    CHECK_MESSAGE(d <= tolerance, name + ": " + which + " is " + std::to_string(got.values[i]) +
                                      ", not " + std::to_string(want.values[i]) + ": " +
                                      std::to_string(d / tolerance) + " tolerances");
  }
  CHECK_MESSAGE(distance(got.coef.data(), want.coef.data(), batch.s.R) == 0, name + ": coef");
  const double d = distance(got.dp.data(), want.dp.data(), batch.s.R * batch.s.K, 1e-9);
  CHECK_MESSAGE(d <= tolerance,
                name + ": gradient, " + std::to_string(d / tolerance) + " tolerances");
}

template <typename real>
void compare(const std::string& loss, const Config& spec, bool sparse, bool targets) {
  Cpu<real> cpu(kernels<real>());
  const auto want = cpu.criterion(spec);
  const auto got = card<real>().criterion(spec);
  CHECK(got->metrics() == want->metrics() && got->sparse() == want->sparse() &&
        got->target_dim() == want->target_dim() && got->has_targets() == want->has_targets());
  for (const ScoredCase& c : scored_cases()) compare(loss, c, *want, *got, sparse, targets);
}

// The mean of (1.5 y - p)^2 over these axes of targets y and outputs p.
Config written(const Dims& over) {
  ProgramText p;
  const int y = p.mul(p.number(1.5), p.input(0));
  const int squares = p.node("square", {p.node("sub", {y, p.input(1)})});
  const int mean = p.node("mean", {squares}, {{"axes", over}});
  Config c = tree(p.expression({mean}));
  c.tree["output"] = number(mean);
  return c;
}

Config as_metric(Config c) {
  c.tree["name"] = text("written");
  return c;
}

// A score for each row, or for each sample; beside it metrics that are one number, and many, and
// one with a name.
template <typename real>
void compare_written() {
  for (const ScoredCase& c : scored_cases()) {
    const int64_t steps = c.sizes.T > 1, axes = 2 + steps + (c.sizes.rest > 1);
    const Dims row = {axes - 1};
    Dims sample, all;
    for (int64_t i = 0; i < axes; i++) {
      all.push_back(i);
      if (i != steps) sample.push_back(i);
    }
    for (const Dims& over : {row, sample}) {
      const Config metrics =
          list({as_metric(written(all)), tree({{"name", text("hinge")}}), as_metric(written(row))});
      const Config spec = tree({{"loss", written(over)}, {"metrics", metrics}});
      Cpu<real> cpu(kernels<real>());
      compare("written over " + std::to_string(over.size()) + " axes", c, *cpu.criterion(spec),
              *card<real>().criterion(spec), false, true);
    }
  }
}

}  // namespace

TEST(objectives_and_metrics_of_a_card_agree_with_those_of_the_cpu) {
  if (!card_wanted()) return;
  for (const char* const* name = objective_names(); *name; name++) {
    const bool sparse = objective<double>(*name)->sparse;
    compare<double>(*name, criterion_spec<double>(*name, sparse), sparse, true);
    compare<float>(*name, criterion_spec<float>(*name, sparse), sparse, true);
  }
  const Config itself = tree({{"loss", tree({{"value", text("v")}})}});
  compare<double>("value", itself, false, false);
  compare<float>("value", itself, false, false);
}

TEST(written_losses_and_metrics_of_a_card_agree_with_those_of_the_cpu) {
  if (!card_wanted()) return;
  compare_written<double>();
  compare_written<float>();
}

// The mean of p y^T over its last axis: a product, which a loss makes in the precision of a loss.
TEST(products_of_a_written_loss_are_not_rounded) {
  if (!card_wanted()) return;
  ProgramText p;
  const int product = p.dot(p.input(1), p.input(0), true);
  const int mean = p.node("mean", {product}, {{"axes", Dims{1}}});
  Config loss = tree(p.expression({mean}));
  loss.tree["output"] = number(mean);
  const Config spec = tree({{"loss", loss}, {"metrics", list({as_metric(loss)})}});
  Cpu<float> cpu(mixed_kernels());
  Cuda<float> cuda(0, Operands::kBfloat16);
  const ScoredBatch<float> batch({{5, 1, 1, 7}, Mask::kNone, Weighted::kNone, 1, false}, false,
                                 true);
  const Outcome<float> want = outcome<float>(batch, *cpu.criterion(spec), cpu);
  const Outcome<float> got = outcome<float>(batch, *cuda.criterion(spec), cuda);
  CHECK(distance(got.values.data(), want.values.data(), int64_t(want.values.size())) < 1e-6);
  CHECK(distance(got.dp.data(), want.dp.data(), batch.s.R * batch.s.K) < 1e-6);
}

// 1 - q cut off at 53 bits would leave 9 digits of the logarithm.
TEST(a_small_loss_of_a_card_has_all_its_digits) {
  if (!card_wanted()) return;
  const Config spec = tree({{"loss", text("binary_crossentropy")}});
  ScoredBatch<double> batch({{1, 1, 1, 1}, Mask::kNone, Weighted::kNone, 1, false}, false, true);
  batch.y = {0}, batch.p = {3e-7};
  const double loss =
      outcome<double>(batch, *card<double>().criterion(spec), card<double>()).values[0];
  CHECK_CLOSE(loss / -std::log1p(-3e-7), 1, 1e-14);
}

TEST(a_loss_of_a_card_is_few_launches) {
  if (!card_wanted() || launches() < 0) return;
  const auto count = [](const Sizes& sizes, Mask mask) {
    const auto criterion = card<float>().criterion(criterion_spec<float>("hinge", false));
    const ScoredBatch<float> batch({sizes, mask, Weighted::kNone, 1, false}, false, true);
    const long before = launches();
    outcome<float>(batch, *criterion, card<float>());
    return launches() - before;
  };
  CHECK(count({5, 3, 1, 4}, Mask::kNone) == 5);    // read, terms, loss; metrics; gradient
  CHECK(count({5, 3, 1, 4}, Mask::kSome) == 7);    // what counts, in two halves
  CHECK(count({70, 5, 1, 4}, Mask::kNone) == 6);   // sums in two halves
  CHECK(count({5, 3, 1, 100}, Mask::kNone) == 6);  // rows are read twice
}

TEST(losses_that_there_are_not_are_told) {
  if (!card_wanted()) return;
  const auto made = [](const Config& loss, const Config& metrics) {
    return card<double>().criterion(tree({{"loss", loss}, {"metrics", metrics}}));
  };
  CHECK_ERROR(made(text("mse"), list({})), Code::kUnknownName, "no objective named 'mse'");
  CHECK_ERROR(made(text("hinge"), list({tree({{"name", text("acc")}})})), Code::kUnknownName,
              "no metric named 'acc'");
  CHECK_ERROR(made(tree({{"value", text("v")}}), list({tree({{"name", text("hinge")}})})),
              Code::kOption, "no targets");
  CHECK_ERROR(made(tree({{"name", text("ctc")}}), list({})), Code::kOption,
              "the loss on a card must be one that runs there, got 'ctc'");
}

}  // namespace test
}  // namespace hs
