// The CTC cost against the sum over all paths, its gradient against differences, and both where
// probabilities are out of the range of numbers. PyTorch's values are compared in test/golden.
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>

#include "base/error.h"
#include "device/cpu/ctc/edit_distance.h"
#include "device/cpu/ctc/loss.h"
#include "device/cpu/threads/parallel.h"
#include "test/card.h"
#include "test/compare.h"
#include "test/plan_spec.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

using Label = std::vector<int32_t>;

// Frames side by side, all of them counting.
template <typename real>
struct Rows {
  Rows(std::vector<real> logits, int64_t K) : z(std::move(logits)), K(K) {
    for (int64_t t = 0; t < int64_t(z.size()) / K; t++) frames.push_back(t);
  }
  CtcSample<real> with(const Label& label, int64_t blank) const {
    return {z.data(), frames.data(), int64_t(frames.size()), K,
            blank,    label.data(),  int64_t(label.size())};
  }
  std::vector<real> z;  // [T, K]
  int64_t K;
  std::vector<int64_t> frames;
};

template <typename real>
double cost(const Rows<real>& rows, const Label& label, int64_t blank, real* dz = nullptr) {
  CtcSpace space;
  return space.cost(rows.with(label, blank), dz);
}

// -log of the sum over all K^T paths that become the label, by the definition.
double by_paths(const std::vector<double>& z, int64_t K, const Label& label, int64_t blank) {
  const int64_t T = int64_t(z.size()) / K;
  std::vector<double> p(z.size());
  for (int64_t t = 0; t < T; t++) {
    double sum = 0;
    for (int64_t k = 0; k < K; k++) sum += std::exp(z[size_t(t * K + k)]);
    for (int64_t k = 0; k < K; k++) p[size_t(t * K + k)] = std::exp(z[size_t(t * K + k)]) / sum;
  }
  int64_t paths = 1;
  for (int64_t t = 0; t < T; t++) paths *= K;
  double total = 0;
  for (int64_t path = 0; path < paths; path++) {
    double product = 1;
    Label made;
    int64_t rest = path, before = blank;
    for (int64_t t = 0; t < T; t++, rest /= K) {
      const int64_t k = rest % K;
      product *= p[size_t(t * K + k)];
      if (k != before && k != blank) made.push_back(int32_t(k));
      before = k;
    }
    if (made == label) total += product;
  }
  return -std::log(total);
}

// Every label of up to `most` of K - 1 classes.
std::vector<Label> all_labels(int64_t K, int64_t blank, int64_t most) {
  std::vector<Label> all = {{}};
  for (size_t i = 0; i < all.size(); i++) {
    if (int64_t(all[i].size()) == most) continue;
    for (int32_t k = 0; k < K; k++) {
      if (k == blank) continue;
      Label longer = all[i];
      longer.push_back(k);
      all.push_back(longer);
    }
  }
  return all;
}

bool is_close(double a, double b, double tolerance) {
  return a == b || std::fabs(a - b) <= tolerance * std::max(1.0, std::fabs(b));
}

TEST(ctc_cost_is_the_sum_over_all_paths_of_every_label) {
  std::mt19937 draw(1);
  int cases = 0, wrong = 0;
  while (cases < 1000) {
    const int64_t T = 1 + draw() % 6, K = 2 + draw() % 3, blank = draw() % K;
    const Rows<double> rows(numbers<double>(T * K, draw(), -4, 4), K);
    // All of them for small ones; of the others, some.
    std::vector<Label> labels = all_labels(K, blank, T + 1);
    std::shuffle(labels.begin(), labels.end(), draw);
    if (labels.size() > 20) labels.resize(20);
    for (const Label& label : labels) {
      const double expected = by_paths(rows.z, K, label, blank);
      wrong += !is_close(cost(rows, label, blank), expected, 1e-13);  // sums of 4^6 products
      cases++;
    }
  }
  CHECK_MESSAGE(wrong == 0, std::to_string(wrong) + " of " + std::to_string(cases));
}

TEST(ctc_costs_of_all_labels_are_probabilities_that_add_up_to_1) {
  const Rows<double> rows(numbers<double>(5 * 4, 3, -3, 3), 4);
  double sum = 0;
  for (const Label& label : all_labels(4, 2, 5)) sum += std::exp(-cost(rows, label, 2));
  CHECK_CLOSE(sum, 1, 1e-13);
}

TEST(ctc_gradient_is_the_slope_of_the_cost) {
  std::mt19937 draw(2);
  for (int i = 0; i < 200; i++) {
    const int64_t T = 2 + draw() % 9, K = 2 + draw() % 5, blank = draw() % K;
    Label label;
    for (int64_t L = draw() % 5; L > 0; L--) {
      const int32_t k = int32_t(draw() % K);
      if (k != blank) label.push_back(k);
    }
    Rows<double> rows(numbers<double>(T * K, draw(), -5, 5), K);
    if (int64_t(label.size()) + ctc_repeats(label.data(), int64_t(label.size())) > T) continue;
    std::vector<double> dz(rows.z.size(), 7);
    cost(rows, label, blank, dz.data());
    for (size_t j = 0; j < dz.size(); j++) {
      const double kept = rows.z[j], step = 1e-5;
      rows.z[j] = kept + step;
      const double above = cost(rows, label, blank);
      rows.z[j] = kept - step;
      const double below = cost(rows, label, blank);
      rows.z[j] = kept;
      CHECK_CLOSE(dz[j], (above - below) / (2 * step), 1e-8);
    }
  }
}

// The recursion in logarithms of long doubles, which is what no case may be far from.
double by_logarithms(const std::vector<double>& z, int64_t K, const Label& label, int64_t blank) {
  const auto add = [](long double a, long double b) {
    const long double top = std::max(a, b);
    return std::isinf(top) ? top : top + std::log1p(std::exp(std::min(a, b) - top));
  };
  const long double none = -std::numeric_limits<long double>::infinity();
  const int64_t T = int64_t(z.size()) / K, S = 2 * int64_t(label.size()) + 1;
  const auto class_of = [&](int64_t s) {
    return s % 2 == 0 ? blank : int64_t(label[size_t(s / 2)]);
  };
  std::vector<long double> a(size_t(S), none);
  for (int64_t t = 0; t < T; t++) {
    const double* const row = z.data() + t * K;
    long double sum = none;
    for (int64_t k = 0; k < K; k++) sum = add(sum, row[k]);
    std::vector<long double> next(size_t(S), none);
    for (int64_t s = 0; s < S; s++) {
      long double from = t == 0 ? (s < 2 ? 0 : none) : a[size_t(s)];
      if (t > 0 && s > 0) from = add(from, a[size_t(s - 1)]);
      if (t > 0 && s > 1 && s % 2 == 1 && class_of(s) != class_of(s - 2))
        from = add(from, a[size_t(s - 2)]);
      next[size_t(s)] = from + row[class_of(s)] - sum;
    }
    a = next;
  }
  return double(-(S > 1 ? add(a[size_t(S - 1)], a[size_t(S - 2)]) : a[size_t(S - 1)]));
}

// Sharp nets, labels against their outputs, repeats, as long as the frames allow: nothing that
// float64 could hold as it is.
TEST(ctc_is_finite_and_exact_in_ten_thousand_cases) {
  std::mt19937 draw(3);
  int wrong = 0, not_finite = 0, gradients = 0;
  for (int i = 0; i < 10000; i++) {
    const int64_t T = 1 + draw() % 60, K = 2 + draw() % 9, blank = draw() % K;
    const double scale = std::pow(10.0, double(draw() % 5) - 1);
    Label label;
    const int repeats = int(draw() % 3);
    for (int64_t L = draw() % (T + 1); L > 0; L--) {
      int32_t k = int32_t(draw() % K);
      if (repeats > 0 && !label.empty() && draw() % 3 != 0) k = label.back();
      if (k != blank) label.push_back(k);
      if (int64_t(label.size()) + ctc_repeats(label.data(), int64_t(label.size())) > T) {
        label.pop_back();
        break;
      }
    }
    const Rows<double> rows(numbers<double>(T * K, draw(), -scale, scale), K);
    std::vector<double> dz(rows.z.size());
    const double c = cost(rows, label, blank, dz.data());
    not_finite += !std::isfinite(c);
    wrong += !is_close(c, by_logarithms(rows.z, K, label, blank), 1e-11);
    for (int64_t t = 0; t < T; t++) {
      double sum = 0, most = 0;
      for (int64_t k = 0; k < K; k++) {
        sum += dz[size_t(t * K + k)];
        most = std::max(most, std::fabs(dz[size_t(t * K + k)]));
      }
      // softmax and occupancy are shares of 1 each
      gradients += !(std::fabs(sum) < 1e-10 && most < 1 + 1e-10);
    }
  }
  CHECK_MESSAGE(not_finite == 0, std::to_string(not_finite));
  CHECK_MESSAGE(wrong == 0, std::to_string(wrong));
  CHECK_MESSAGE(gradients == 0, std::to_string(gradients));
}

// Where some classes have the probability 0 in some frames.
TEST(ctc_is_exact_beside_probabilities_of_0) {
  std::mt19937 draw(4);
  int possible = 0;
  for (int i = 0; i < 500; i++) {
    const int64_t T = 4 + draw() % 20, K = 3 + draw() % 3;
    Rows<double> rows(numbers<double>(T * K, draw(), -40, 40), K);
    for (double& z : rows.z) {
      if (draw() % 4 == 0) z = -std::numeric_limits<double>::infinity();
    }
    for (int64_t t = 0; t < T; t++) rows.z[size_t(t * K + t % K)] = 1;  // not all of a frame
    const Label label = {0, 1, 0};
    const double expected = by_logarithms(rows.z, K, label, K - 1);
    possible += std::isfinite(expected);
    CHECK(is_close(cost(rows, label, K - 1), expected, 1e-11));
  }
  CHECK(possible > 100 && possible < 500);
}

template <typename real>
void check_ten_thousand_frames(double scale) {
  const int64_t T = 10000, K = 30;
  const Rows<real> rows(numbers<real>(T * K, 5, -scale, scale), K);
  Label label;
  for (int i = 0; i < 400; i++) label.push_back(int32_t(i * i % 29));
  std::vector<real> dz(rows.z.size());
  const double c = cost(rows, label, K - 1, dz.data());
  const double expected = by_logarithms(as_double(rows.z), K, label, K - 1);
  CHECK_MESSAGE(is_close(c, expected, 1e-11), std::to_string(c) + " " + std::to_string(expected));
  double worst = 0;
  for (int64_t t = 0; t < T; t++) {
    double sum = 0;
    for (int64_t k = 0; k < K; k++) sum += double(dz[size_t(t * K + k)]);
    worst = std::max(worst, std::fabs(sum));
  }
  CHECK(worst < (sizeof(real) == 4 ? 1e-6 : 1e-9));
}

TEST(ctc_of_ten_thousand_frames) {
  check_ten_thousand_frames<float>(2);
  check_ten_thousand_frames<float>(500);
  check_ten_thousand_frames<double>(500);
}

TEST(ctc_of_what_cannot_be_is_infinite) {
  const double infinity = std::numeric_limits<double>::infinity();
  const Rows<double> rows(numbers<double>(3 * 3, 1), 3);
  CHECK(cost(rows, {0, 1, 0, 1}, 2) == infinity);  // four labels
  CHECK(cost(rows, {0, 0, 1}, 2) == infinity);     // three, of which one repeats
  CHECK(std::isfinite(cost(rows, {0, 0}, 2)));
  const Rows<double> nothing({}, 3);
  CHECK(cost(nothing, {}, 2) == 0);
  CHECK(cost(nothing, {1}, 2) == infinity);
  Rows<double> never(numbers<double>(3 * 3, 1), 3);
  for (int t = 0; t < 3; t++) never.z[size_t(t * 3)] = -infinity;  // class 0
  CHECK(cost(never, {0}, 2) == infinity);
  CHECK(std::isfinite(cost(never, {1}, 2)));
  never.z[1] = std::numeric_limits<double>::quiet_NaN();
  CHECK(std::isnan(cost(never, {1}, 2)));
}

TEST(ctc_frames_lie_anywhere) {
  const std::vector<double> z = numbers<double>(9 * 4, 6, -3, 3);
  Rows<double> some(z, 4);
  some.frames = {7, 2, 4, 5};
  std::vector<double> packed;
  for (int64_t t : some.frames)
    packed.insert(packed.end(), &z[size_t(t * 4)], &z[size_t(t * 4)] + 4);
  const Rows<double> rows(packed, 4);
  std::vector<double> dz(z.size(), 9), packed_dz(packed.size());
  CHECK(cost(some, {1, 2}, 0, dz.data()) == cost(rows, {1, 2}, 0, packed_dz.data()));
  for (size_t i = 0; i < 4; i++) {
    for (size_t k = 0; k < 4; k++)
      CHECK(dz[size_t(some.frames[i]) * 4 + k] == packed_dz[i * 4 + k]);
  }
  CHECK(dz[0] == 9);  // a frame that does not count
}

TEST(edit_distances) {
  EditDistance distance;
  CHECK(distance({}, {}) == 0);
  CHECK(distance({1, 2, 3}, {}) == 3);
  CHECK(distance({}, {4}) == 1);
  CHECK(distance({1, 2, 3}, {1, 3}) == 1);
  CHECK(distance({10, 8, 19, 19, 4, 13}, {18, 8, 19, 19, 8, 13, 6}) == 3);  // kitten, sitting
}

// Words [B, T] -> embedding that masks word 0 -> probabilities [B, T, K]; scored before the softmax
Config labeller(const char* floatx, bool zero_infinity) {
  Config embedding =
      op("embedding", "e", {"input"}, "e",
         tree({{"inputDim", number(9)}, {"outputDim", number(6)}, {"maskZero", flag(true)}}),
         {param("W", {9, 6})});
  embedding.tree["maskOut"] = text("e/mask");
  Config softmax = op("activation", "s", {"d"}, "s", tree({{"activation", text("softmax")}}), {});
  Config spec = model({-1}, {embedding, dense("d", "e", 6, 5, "linear"), softmax}, "s");
  spec.tree["floatx"] = text(floatx);
  output_of(spec)["mask"] = text("e/mask");
  output_of(spec)["scored"] = text("d");
  output_of(spec)["loss"] =
      tree({{"name", text("ctc")}, {"blank", number(4)}, {"zeroInfinity", flag(zero_infinity)}});
  return spec;
}

// Three samples of 7 steps, of which the second has 3 in the middle and the third all.
std::shared_ptr<const DataSet> three(const std::vector<double>& y, Array weights = {}) {
  return data(array({3, 7}, {1, 2, 3, 4, 5, 6, 7, 0, 0, 8, 0, 2, 2, 0, 3, 3, 1, 5, 8, 2, 4}),
              array({3, 4}, y), std::move(weights));
}

TEST(ctc_as_a_loss_has_the_gradient_of_a_mean_of_samples) {
  if (card_wanted()) return;  // the loss is refused there
  for (const Array& weights : {Array{}, array({3}, {0.5, 2, 0})}) {
    const auto plan = compile(labeller("float64", false));
    fill(*plan, 2);
    const auto set = three({1, 1, -1, -1, 2, 0, -1, -1, 3, -1, -1, -1}, weights);
    CHECK(gradient_error(*plan, set) < 1e-7);
    const auto other = three({1, 2, -1, -1, 2, 0, -1, -1, 3, -1, -1, -1}, weights);
    CHECK(gradient_error(*plan, other, set) > 1e-3);
  }
}

// A masked step is as if it were not there, wherever it is.
TEST(ctc_masked_frames_are_not_there) {
  if (card_wanted()) return;  // the loss is refused there
  const auto plan = compile(labeller("float64", false));
  fill(*plan, 2);
  const auto masked = data(array({1, 7}, {0, 0, 8, 0, 2, 2, 0}), array({1, 2}, {2, 0}));
  const auto packed = data(array({1, 3}, {8, 2, 2}), array({1, 3}, {2, 0, -1}));
  CHECK(run(*plan, Mode::kTest, masked).last == run(*plan, Mode::kTest, packed).last);
}

std::vector<double> weights_of(Plan& plan) { return plan.read("d/W").f64; }

TEST(ctc_names_the_sample_that_has_too_few_frames) {
  if (card_wanted()) return;  // the loss is refused there
  const auto plan = compile(labeller("float64", false));
  fill(*plan, 1);
  const std::vector<double> before = weights_of(*plan);
  // 3 frames in sample 1, and a label of 2 that needs a blank between, then one more
  const auto set = three({1, 1, -1, -1, 2, 2, 0, -1, 3, -1, -1, -1});
  CHECK_ERROR(run(*plan, Mode::kTrain, set), Code::kShape,
              "frames of sample 1 must be at least 4, for 3 labels and 1 repeats, got 3");
  CHECK(weights_of(*plan) == before);
  // Known before the first batch, where no mask has to be known: 7 steps are too few for any.
  const auto long_ones =
      data(array({2, 3}, {1, 2, 3, 4, 5, 6}), array({2, 4}, {1, -1, -1, -1, 1, 2, 1, 2}));
  CHECK_ERROR(run(*plan, Mode::kTrain, long_ones, 1), Code::kShape, "frames of sample 1");
  CHECK(weights_of(*plan) == before);
  // A weight of 0 leaves it out.
  run(*plan, Mode::kTrain,
      three({1, 1, -1, -1, 2, 2, 0, -1, 3, -1, -1, -1}, array({3}, {1, 0, 1})));
  CHECK(weights_of(*plan) != before);
}

TEST(ctc_with_zero_infinity_counts_what_cannot_be_as_0) {
  if (card_wanted()) return;  // the loss is refused there
  const auto strict = compile(labeller("float64", false)),
             plan = compile(labeller("float64", true));
  fill(*plan, 1), fill(*strict, 1);
  const auto set = three({1, 1, -1, -1, 2, 2, 0, -1, 3, -1, -1, -1});
  const auto weights = array({3}, {1, 0, 1});
  const auto without = three({1, 1, -1, -1, 2, 2, 0, -1, 3, -1, -1, -1}, weights);
  const double all = run(*plan, Mode::kTest, set).last[0];
  // weighted by 1 / mean(w != 0) = 3 / 2
  CHECK_CLOSE(all, run(*strict, Mode::kTest, without).last[0] * 2 / 3, 1e-12);
  CHECK(gradient_error(*plan, set) < 1e-7);
}

TEST(ctc_labels_must_be_classes) {
  if (card_wanted()) return;  // the loss is refused there
  const auto plan = compile(labeller("float64", false));
  fill(*plan, 1);
  for (double bad : {4.0, 5.0, 0.5, -2.0, std::numeric_limits<double>::quiet_NaN()}) {
    CHECK_ERROR(run(*plan, Mode::kTest, three({1, 1, -1, -1, bad, 2, 0, -1, 3, -1, -1, -1})),
                Code::kOption, "label of sample 1");
  }
  CHECK_ERROR(run(*plan, Mode::kTest, three({1, -1, 1, -1, 2, 2, 0, -1, 3, -1, -1, -1})),
              Code::kOption, "label of sample 0");
}

TEST(ctc_has_the_same_bits_for_any_number_of_threads) {
  if (card_wanted()) return;  // the loss is refused there
  const int before = threads_wanted();
  const int64_t B = 40, T = 100;  // enough for several threads
  std::vector<double> x, y;
  std::mt19937 draw(7);
  for (int64_t i = 0; i < B * T; i++) x.push_back(double(draw() % 9));
  for (int64_t i = 0; i < B * 6; i++) y.push_back(double(draw() % 4));
  auto set = std::make_shared<DataSet>(*data(array({B, T}, x), array({B, 6}, y)));
  for (Array* a : {&set->x[0], &set->y[0]})
    a->f32.assign(a->f64.begin(), a->f64.end()), a->f64.clear();
  std::vector<float> first;
  for (int n : {1, 2, 3, 4}) {
    set_threads(n);
    Config spec = labeller("float32", true);
    const auto plan = compile(spec);
    for (const char* name : {"e/W", "d/W", "d/b"}) {
      Array w = plan->read(name);
      w.f32 = numbers<float>(int64_t(w.f32.size()), 3);
      plan->write(name, w, -1);
    }
    for (int i = 0; i < 3; i++) run(*plan, Mode::kTrain, set);
    const std::vector<float> w = plan->read("d/W").f32;
    if (first.empty()) first = w;
    CHECK_MESSAGE(same_bits(w, first), std::to_string(n) + " threads");
  }
  set_threads(before);
}

}  // namespace
}  // namespace test
}  // namespace hs
