// Objectives and metrics: one table each, rows of the last axis in, one number a row out.
#pragma once
#include <cstdint>

namespace hs {

template <typename real>
struct Objective {
  const char* name;  // Keras 1.2.2's: "mean_squared_error"
  // score[r] = fn(y[r, :], p[r, :]) for rows r; y has Ky columns (1 for
  // sparse_categorical_crossentropy, else K), p has K.
  void (*value)(real* score, const real* y, const real* p, int64_t rows, int64_t Ky, int64_t K);
  // dp[r, :] = coef[r] * d score[r] / d p[r, :]
  void (*gradient)(real* dp, const real* coef, const real* y, const real* p, int64_t rows,
                   int64_t Ky, int64_t K);
  bool sparse;  // the target has a last axis of 1: labels
};

template <typename real>
struct Metric {
  const char* name;
  // over the whole batch; metrics ignore masks and weights (Keras 1.2.2 training.py)
  double (*value)(const real* y, const real* p, int64_t rows, int64_t Ky, int64_t K,
                  double argument);
  const char* argument;  // "k" of top_k_categorical_accuracy, "beta" of fbeta_score; nullptr: none
  double by_default;     // of the argument
  // Of one that is no mean over rows: the sums [kMetricSums] that its value is computed from, which
  // those of parts of a batch add up to; and the value of them. nullptr: it is one.
  void (*sums)(double* to, const real* y, const real* p, int64_t rows, int64_t Ky, int64_t K,
               double argument);
  double (*of_sums)(const double* sums, double rows, double K, double argument);
};
constexpr int kMetricSums = 3;

template <typename real>
const Objective<real>* objective(const char* name);  // nullptr when unknown
// Where the loss is the mean of a value: no targets, and none of objective_names().
template <typename real>
const Objective<real>& output_itself();
template <typename real>
const Metric<real>* metric(const char* name);
const char* const* objective_names();  // nullptr-terminated, canonical names
const char* const* metric_names();

}  // namespace hs
