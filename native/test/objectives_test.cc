// Values that show where Keras 1.2.2 is peculiar; the recorded values of real Keras are compared in
// test/golden.
#include "device/cpu/objectives/objective.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

template <typename real>
double value(const char* name, const std::vector<real>& t, const std::vector<real>& p) {
  real score = 0;
  objective<real>(name)->value(&score, t.data(), p.data(), 1, int64_t(t.size()), int64_t(p.size()));
  return score;
}

template <typename real>
std::vector<real> gradient(const char* name, const std::vector<real>& t,
                           const std::vector<real>& p) {
  const real one = 1;
  std::vector<real> dp(p.size());
  objective<real>(name)->gradient(dp.data(), &one, t.data(), p.data(), 1, int64_t(t.size()),
                                  int64_t(p.size()));
  return dp;
}

double metric_of(const char* name, const std::vector<float>& t, const std::vector<float>& p,
                 int64_t rows, double argument) {
  return metric<float>(name)->value(t.data(), p.data(), rows, int64_t(t.size()) / rows,
                                    int64_t(p.size()) / rows, argument);
}
double metric_of(const char* name, const std::vector<float>& t, const std::vector<float>& p,
                 int64_t rows) {
  return metric_of(name, t, p, rows, metric<float>(name)->by_default);
}

TEST(objectives_saturate_as_floatx_does) {
  CHECK_CLOSE(value<float>("binary_crossentropy", {0}, {1}), 15.942385,
              1e-5);  // 1 - 1e-7 is 0.99999988 in float32
  CHECK_CLOSE(value<double>("binary_crossentropy", {0}, {1}), 16.118096, 1e-5);
  CHECK_CLOSE(value<float>("binary_crossentropy", {1}, {0}), 16.118096, 1e-5);
  CHECK(gradient<double>("binary_crossentropy", {1}, {1e-9})[0] == 0);  // outside the clip
  CHECK_CLOSE(gradient<double>("binary_crossentropy", {1}, {1e-7})[0] * 1e-7, -1,
              1e-9);  // at its end
}

TEST(crossentropy_normalises_first) {
  CHECK_CLOSE(value<double>("categorical_crossentropy", {0, 1}, {1, 3}), -std::log(0.75), 1e-12);
  CHECK_CLOSE(value<double>("sparse_categorical_crossentropy", {1}, {1, 3}), -std::log(0.75),
              1e-12);
  const auto dense = gradient<double>("categorical_crossentropy", {0, 0, 1}, {1, 3, 0.5});
  CHECK(dense == gradient<double>("sparse_categorical_crossentropy", {2}, {1, 3, 0.5}));
  CHECK_CLOSE(dense[0] * 1 + dense[1] * 3 + dense[2] * 0.5, 0, 1e-12);  // scaling p changes nothing
}

TEST(cosine_proximity_is_a_mean) {
  CHECK_CLOSE(value<double>("cosine_proximity", {1, 1, 1, 1}, {2, 2, 2, 2}), -0.25, 1e-12);
  CHECK(std::isnan(value<double>("cosine_proximity", {0, 0}, {1, 2})));
}

TEST(kinks_of_objectives_as_on_theano) {
  CHECK(gradient<double>("mean_absolute_error", {1}, {1})[0] == 0);
  CHECK(gradient<double>("hinge", {1}, {1})[0] == -1);
  CHECK(gradient<double>("hinge", {1}, {1.5})[0] == 0);
}

TEST(nan_predictions_become_nan_losses) {
  for (const char* const* name = objective_names(); *name; name++) {
    const bool sparse = objective<double>(*name)->sparse;
    const std::vector<double> t = sparse ? std::vector<double>{1} : std::vector<double>{0, 1};
    CHECK_MESSAGE(std::isnan(value<double>(*name, t, {NAN, 0.5})), *name);
  }
}

TEST(labels_out_of_range_are_errors) {
  for (double label : {-1.0, 3.0, 1e30, double(NAN), double(INFINITY)}) {
    CHECK_ERROR(value<double>("sparse_categorical_crossentropy", {label}, {0.2, 0.3, 0.5}),
                Code::kOption, "from 0 to 2");
    CHECK_ERROR(gradient<double>("sparse_categorical_crossentropy", {label}, {0.2, 0.3, 0.5}),
                Code::kOption, "label of row 0");
  }
}

TEST(targets_of_another_width_are_errors) {
  for (const char* const* name = objective_names(); *name; name++) {
    CHECK_ERROR(value<double>(*name, {1, 0, 1}, {0.5, 0.5}), Code::kShape,
                "last axis of the target");
    CHECK_ERROR(gradient<double>(*name, {1, 0, 1}, {0.5, 0.5}), Code::kShape,
                "last axis of the target");
  }
  for (const char* const* name = metric_names(); *name; name++) {
    if (std::strcmp(*name, "sparse_categorical_accuracy") == 0)
      continue;  // takes the maximum of any width
    CHECK_ERROR(metric_of(*name, {1, 0, 1}, {0.5f, 0.5f}, 1), Code::kShape,
                "last axis of the target");
  }
}

TEST(every_objective_is_a_metric) {
  for (const char* const* name = objective_names(); *name; name++)
    CHECK_MESSAGE(metric<float>(*name), *name);
  CHECK(!objective<float>("mse"));  // aliases are TypeScript's
  CHECK(!metric<float>("acc"));
  CHECK_CLOSE(metric_of("mean_squared_error", {0, 0, 0, 0}, {1, 2, 3, 4}, 2), 7.5, 1e-6);
}

TEST(accuracies) {
  CHECK_CLOSE(metric_of("binary_accuracy", {0, 1, 0, 1}, {0.5f, 0.5f, 1.5f, 0.9f}, 2), 0.5,
              1e-12);  // 0.5 -> 0, 1.5 -> 2
  CHECK_CLOSE(metric_of("categorical_accuracy", {1, 0, 1, 0}, {0.5f, 0.5f, 0.4f, 0.6f}, 2), 0.5,
              1e-12);  // the first of equals
  CHECK_CLOSE(metric_of("sparse_categorical_accuracy", {1, 0}, {0.5f, 0.6f, 0.4f, 0.6f}, 2), 0.5,
              1e-12);
  const std::vector<float> p = {1, 2, 3, 4, 5, 6, 7};
  CHECK(metric_of("top_k_categorical_accuracy", {0, 0, 1, 0, 0, 0, 0}, p, 1) == 1);
  CHECK(metric_of("top_k_categorical_accuracy", {0, 1, 0, 0, 0, 0, 0}, p, 1) == 0);
  CHECK(metric_of("top_k_categorical_accuracy", {1, 0}, {0, 1}, 1) == 1);  // fewer than 5 classes
  CHECK(metric_of("top_k_categorical_accuracy", {0, 0, 1, 0, 0, 0, 0}, p, 1, 4) == 0);
  CHECK(metric_of("top_k_categorical_accuracy", {0, 0, 0, 1, 0, 0, 0}, p, 1, 4) == 1);
}

TEST(precision_recall_and_their_mean) {
  const std::vector<float> t = {1, 1, 0, 0, 1},
                           p = {0.9f, 0.2f, 0.8f, 0.1f, 0.7f};  // tp 2, fp 1, fn 1, tn 1
  CHECK_CLOSE(metric_of("precision", t, p, 1), 2.0 / 3, 1e-6);
  CHECK_CLOSE(metric_of("recall", t, p, 1), 2.0 / 3, 1e-6);
  CHECK_CLOSE(metric_of("fmeasure", t, p, 1), 2.0 / 3, 1e-6);
  CHECK_CLOSE(metric_of("matthews_correlation", t, p, 1), 1.0 / 6, 1e-6);
  const std::vector<float> few = {0.9f, 0.2f, 0.8f, 0.6f, 0.1f};    // precision 1/3, recall 1/3
  const std::vector<float> eager = {0.9f, 0.8f, 0.8f, 0.6f, 0.7f};  // precision 3/5, recall 1
  CHECK_CLOSE(metric_of("fbeta_score", t, few, 1, 3), 1.0 / 3, 1e-6);
  CHECK_CLOSE(metric_of("fbeta_score", t, eager, 1, 0), 0.6, 1e-6);  // precision alone
  CHECK_CLOSE(metric_of("fbeta_score", t, eager, 1, 2), 5 * 0.6 / (4 * 0.6 + 1), 1e-6);
  // the small addend keeps 0/0 away
  CHECK(metric_of("matthews_correlation", {1, 1}, {1, 1}, 1) == 0);
}

}  // namespace
}  // namespace test
}  // namespace hs
