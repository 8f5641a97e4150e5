// Keras 1.2.2's metrics: metrics.py:5-171. One number over the whole batch; masks and sample
// weights play no part. t target, p prediction, e = 1e-7; round is half to even, clip01(x) =
// clip(x, 0, 1).
//
//   binary_accuracy              mean [t == round(p)]
//   categorical_accuracy         mean [argmax t == argmax p], of equals the first
//   sparse_categorical_accuracy  mean [max t == argmax p]
//   top_k_categorical_accuracy   mean [argmax t among the k largest of p], of equals the later
//                                ones, as argsort leaves them
//   every objective              mean of its row scores
//   matthews_correlation         (tp tn - fp fn) / (sqrt((tp + fp)(tp + fn)(tn + fp)(tn + fn)) + e)
//                                of round(clip01(.))
//   precision                    sum round(clip01(t p)) / (sum round(clip01(p)) + e)
//   recall                       sum round(clip01(t p)) / (sum round(clip01(t)) + e)
//   fbeta_score, fmeasure        (1 + b^2) precision recall / (b^2 precision + recall + e); b = 1
//                                in fmeasure. Keras' early return of 0 never happens: it compares a
//                                symbol with 0
#include <cmath>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "device/cpu/objectives/objective.h"

namespace hs {
namespace {

void check_columns(const char* name, int64_t Ky, int64_t K) {
  if (Ky != K)
    fail(Code::kShape, name, "last axis of the target", std::to_string(K), std::to_string(Ky));
}

template <typename real>
int64_t argmax(const real* x, int64_t K) {
  int64_t best = 0;
  for (int64_t k = 1; k < K; k++) {
    if (x[k] > x[best]) best = k;
  }
  return best;
}

template <typename real>
double binary_accuracy(const real* y, const real* p, int64_t rows, int64_t Ky, int64_t K, double) {
  check_columns("binary_accuracy", Ky, K);
  int64_t hits = 0;
  for (int64_t i = 0; i < rows * K; i++) hits += y[i] == std::nearbyint(p[i]);
  return double(hits) / double(rows * K);
}

template <typename real>
double categorical_accuracy(const real* y, const real* p, int64_t rows, int64_t Ky, int64_t K,
                            double) {
  check_columns("categorical_accuracy", Ky, K);
  int64_t hits = 0;
  for (int64_t r = 0; r < rows; r++) hits += argmax(y + r * K, K) == argmax(p + r * K, K);
  return double(hits) / double(rows);
}

template <typename real>
double sparse_categorical_accuracy(const real* y, const real* p, int64_t rows, int64_t Ky,
                                   int64_t K, double) {
  int64_t hits = 0;
  for (int64_t r = 0; r < rows; r++)
    hits += y[r * Ky + argmax(y + r * Ky, Ky)] == real(argmax(p + r * K, K));
  return double(hits) / double(rows);
}

template <typename real>
double top_k_categorical_accuracy(const real* y, const real* p, int64_t rows, int64_t Ky, int64_t K,
                                  double top) {
  check_columns("top_k_categorical_accuracy", Ky, K);
  int64_t hits = 0;
  for (int64_t r = 0; r < rows; r++) {
    const real* q = p + r * K;
    const int64_t target = argmax(y + r * K, K);
    int64_t above = 0;
    for (int64_t k = 0; k < K; k++) above += q[k] > q[target] || (q[k] == q[target] && k > target);
    hits += double(above) < top && q[target] == q[target];  // NaN is never a hit
  }
  return double(hits) / double(rows);
}

template <typename real>
double round01(real x) {
  return std::nearbyint(x < 0 ? real(0) : x > 1 ? real(1) : x);
}

// Of the batch as one list of yes and no; both: the sum of round(clip01(t p)).
struct Counts {
  double both = 0, predicted = 0, possible = 0, tp = 0, tn = 0, fp = 0, fn = 0;
};

template <typename real>
Counts counts(const char* name, const real* y, const real* p, int64_t rows, int64_t Ky, int64_t K) {
  check_columns(name, Ky, K);
  Counts c;
  for (int64_t i = 0; i < rows * K; i++) {
    const double yes = round01(y[i]), said = round01(p[i]);
    c.both += round01(real(y[i] * p[i]));
    c.predicted += said;
    c.possible += yes;
    c.tp += yes * said;
    c.tn += (1 - yes) * (1 - said);
    c.fp += (1 - yes) * said;
    c.fn += yes * (1 - said);
  }
  return c;
}

constexpr double kEpsilon = 1e-7;

template <typename real>
double matthews_correlation(const real* y, const real* p, int64_t rows, int64_t Ky, int64_t K,
                            double) {
  const Counts c = counts("matthews_correlation", y, p, rows, Ky, K);
  const double product = (c.tp + c.fp) * (c.tp + c.fn) * (c.tn + c.fp) * (c.tn + c.fn);
  return (c.tp * c.tn - c.fp * c.fn) / (std::sqrt(product) + kEpsilon);
}

template <typename real>
double precision(const real* y, const real* p, int64_t rows, int64_t Ky, int64_t K, double) {
  const Counts c = counts("precision", y, p, rows, Ky, K);
  return c.both / (c.predicted + kEpsilon);
}

template <typename real>
double recall(const real* y, const real* p, int64_t rows, int64_t Ky, int64_t K, double) {
  const Counts c = counts("recall", y, p, rows, Ky, K);
  return c.both / (c.possible + kEpsilon);
}

template <typename real>
double fbeta_score(const real* y, const real* p, int64_t rows, int64_t Ky, int64_t K, double beta) {
  const Counts c = counts("fbeta_score", y, p, rows, Ky, K);
  const double exact = c.both / (c.predicted + kEpsilon), found = c.both / (c.possible + kEpsilon);
  const double bb = beta * beta;
  return (1 + bb) * exact * found / (bb * exact + found + kEpsilon);
}

// An objective as a metric: the mean of its row scores. which: its place in objective_names().
template <typename real, size_t which>
double mean_score(const real* y, const real* p, int64_t rows, int64_t Ky, int64_t K, double) {
  std::vector<real> scores(static_cast<size_t>(rows));
  objective<real>(objective_names()[which])->value(scores.data(), y, p, rows, Ky, K);
  double sum = 0;
  for (real s : scores) sum += s;
  return sum / double(rows);
}

template <typename real>
constexpr Metric<real> kMetrics[] = {
    {"binary_accuracy", binary_accuracy<real>, nullptr, 0},
    {"categorical_accuracy", categorical_accuracy<real>, nullptr, 0},
    {"sparse_categorical_accuracy", sparse_categorical_accuracy<real>, nullptr, 0},
    {"top_k_categorical_accuracy", top_k_categorical_accuracy<real>, "k", 5},
    {"matthews_correlation", matthews_correlation<real>, nullptr, 0},
    {"precision", precision<real>, nullptr, 0},
    {"recall", recall<real>, nullptr, 0},
    {"fbeta_score", fbeta_score<real>, "beta", 1},
    {"fmeasure", fbeta_score<real>, nullptr, 1},
};
constexpr size_t kOwn = sizeof(kMetrics<float>) / sizeof(kMetrics<float>[0]);
// How many instances of mean_score are compiled: with more objectives the registry is refused.
constexpr size_t kMostObjectives = 32;

template <typename real>
struct Registry {  // the metrics above, then every objective of objectives.cc
  Metric<real> list[kOwn + kMostObjectives] = {};
  const char* names[kOwn + kMostObjectives + 1] = {};
  size_t size = 0;

  Registry() {
    for (const Metric<real>& m : kMetrics<real>) list[size++] = m;
    add_objectives(std::make_index_sequence<kMostObjectives>());
    for (size_t i = 0; i < size; i++) names[i] = list[i].name;
  }
  template <size_t... which>
  void add_objectives(std::index_sequence<which...>) {
    using Value = double (*)(const real*, const real*, int64_t, int64_t, int64_t, double);
    const Value values[] = {mean_score<real, which>...};
    for (size_t i = 0; objective_names()[i]; i++) {
      if (i == kMostObjectives)
        fail(Code::kInternal, "metrics.cc", "kMostObjectives", "raised", std::to_string(i));
      list[size++] = {objective_names()[i], values[i], nullptr, 0};
    }
  }
};

template <typename real>
const Registry<real>& registry() {
  static const Registry<real> all;
  return all;
}

}  // namespace

template <typename real>
const Metric<real>* metric(const char* name) {
  const Registry<real>& all = registry<real>();
  for (size_t i = 0; i < all.size; i++) {
    if (!std::strcmp(all.names[i], name)) return &all.list[i];
  }
  return nullptr;
}
template const Metric<float>* metric<float>(const char*);
template const Metric<double>* metric<double>(const char*);

const char* const* metric_names() { return registry<float>().names; }

}  // namespace hs
