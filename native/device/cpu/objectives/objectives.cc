// Keras 1.2.2's objectives, value and gradient side by side: objectives.py:7-61,
// theano_backend.py:1236-1259 (cross entropies) and :1307 (l2_normalize). t target, p prediction,
// one row of K of each; e = 1e-7 (Keras' epsilon, written 10e-8 there).
//
//   name                            value                               gradient
//   mean_squared_error              mean (p - t)^2                      2 (p - t) / K
//   mean_absolute_error             mean |p - t|                        sign(p - t) / K
//   mean_absolute_percentage_error  100 mean |t - p| / max(|t|, e)
//       gradient 100 sign(p - t) / max(|t|, e) / K
//   mean_squared_logarithmic_error  mean (l(p) - l(t))^2
//       gradient 2 (l(p) - l(t)) / (max(p, e) + 1) [p >= e] / K; l(x) = log(max(x, e) + 1)
//   squared_hinge                   mean max(1 - t p, 0)^2              -2 t max(1 - t p, 0) / K
//   hinge                           mean max(1 - t p, 0)                -t [1 - t p >= 0] / K
//   binary_crossentropy             -mean t log q + (1 - t) log(1 - q)
//       gradient ((1 - t) / (1 - q) - t / q) [e <= p <= 1 - e] / K; q = clip(p, e, 1 - e)
//   poisson                         mean p - t log(p + e)               (1 - t / (p + e)) / K
//   kullback_leibler_divergence     sum u log(u / q)                    -u / q [e <= p <= 1]
//       u = clip(t, e, 1), q = clip(p, e, 1)
//   categorical_crossentropy        -sum t log clip(n, e, 1 - e)        (d - sum d n) / s
//       n = p / s, s = sum p, d = -t / n [e <= n <= 1 - e]
//   sparse_categorical_crossentropy the same, t the one-hot row of an integer
//   cosine_proximity                -mean a b                           -(a - b sum(a b)) / |p| / K
//       a = t / |t|, b = p / |p|
//
// Kinks: Theano lets the gradient through at both ends of a clip (scalar/basic.py, Clip.grad: x >=
// min & x <= max), through max where both sides are equal, and sign(0) = 0. Clipping happens in
// `real`, as Keras' graph does it in floatx: float32's 1 - 1e-7 is 0.99999988, so
// binary_crossentropy saturates at 15.94. Sums run in double, in order.
#include "device/cpu/objectives/objective.h"

#include <cmath>
#include <cstring>
#include <string>

#include "base/error.h"

namespace hs {
namespace {

template <typename real>
constexpr real kEpsilon = real(1e-7);
template <typename real>
constexpr real kOneMinus = real(1.0 - 1e-7);

// NaN goes through: a NaN prediction must become a NaN loss.
template <typename real>
real clip(real x, real low, real high) {
  return x < low ? low : x > high ? high : x;
}
template <typename real>
bool within(real x, real low, real high) {
  return x >= low && x <= high;
}
template <typename real>
real sign(real x) {
  return x > 0 ? real(1) : x < 0 ? real(-1) : x;  // 0 and NaN stay
}

// Checks that y has as many columns as p. The plan has done so for a whole model; this keeps any
// other call from reading beyond the rows.
void check_columns(const char* name, int64_t Ky, int64_t K) {
  if (Ky != K)
    fail(Code::kShape, name, "last axis of the target", std::to_string(K), std::to_string(Ky));
}

// --- mean over the row of f(t, p); `slope` is df/dp

struct SquaredError {
  static constexpr const char* kName = "mean_squared_error";
  template <typename real>
  static double value(real t, real p) {
    const double d = double(p) - double(t);
    return d * d;
  }
  template <typename real>
  static double slope(real t, real p) {
    return 2 * (double(p) - double(t));
  }
};

struct AbsoluteError {
  static constexpr const char* kName = "mean_absolute_error";
  template <typename real>
  static double value(real t, real p) {
    return std::fabs(double(p) - double(t));
  }
  template <typename real>
  static double slope(real t, real p) {
    return sign(double(p) - double(t));
  }
};

struct PercentageError {
  static constexpr const char* kName = "mean_absolute_percentage_error";
  template <typename real>
  static double size(real t) {
    const real a = std::fabs(t);
    return a < kEpsilon<real> ? kEpsilon<real> : a;
  }
  template <typename real>
  static double value(real t, real p) {
    return 100 * std::fabs(double(p) - double(t)) / size(t);
  }
  template <typename real>
  static double slope(real t, real p) {
    return 100 * sign(double(p) - double(t)) / size(t);
  }
};

struct SquaredLogarithmicError {
  static constexpr const char* kName = "mean_squared_logarithmic_error";
  template <typename real>
  static double raised(real x) {
    return real((x < kEpsilon<real> ? kEpsilon<real> : x) + real(1));
  }
  template <typename real>
  static double value(real t, real p) {
    const double d = std::log(raised(p)) - std::log(raised(t));
    return d * d;
  }
  template <typename real>
  static double slope(real t, real p) {
    if (p < kEpsilon<real>) return 0;
    return 2 * (std::log(raised(p)) - std::log(raised(t))) / raised(p);
  }
};

struct SquaredHinge {
  static constexpr const char* kName = "squared_hinge";
  template <typename real>
  static double value(real t, real p) {
    const double m = 1 - double(t) * double(p);
    return m < 0 ? 0 : m * m;
  }
  template <typename real>
  static double slope(real t, real p) {
    const double m = 1 - double(t) * double(p);
    return m < 0 ? 0 : -2 * t * m;
  }
};

struct Hinge {
  static constexpr const char* kName = "hinge";
  template <typename real>
  static double value(real t, real p) {
    const double m = 1 - double(t) * double(p);
    return m < 0 ? 0 : m;
  }
  template <typename real>
  static double slope(real t, real p) {
    return 1 - double(t) * double(p) < 0 ? 0 : -double(t);
  }
};

struct BinaryCrossentropy {
  static constexpr const char* kName = "binary_crossentropy";
  template <typename real>
  static double value(real t, real p) {
    const double q = clip(p, kEpsilon<real>, kOneMinus<real>);
    return -(t * std::log(q) + (1 - double(t)) * std::log1p(-q));
  }
  template <typename real>
  static double slope(real t, real p) {
    if (p < kEpsilon<real> || p > kOneMinus<real>) return 0;
    const double q = p;
    return (1 - double(t)) / (1 - q) - t / q;
  }
};

struct Poisson {
  static constexpr const char* kName = "poisson";
  template <typename real>
  static double value(real t, real p) {
    return p - t * std::log(double(real(p + kEpsilon<real>)));
  }
  template <typename real>
  static double slope(real t, real p) {
    return 1 - t / double(real(p + kEpsilon<real>));
  }
};

template <typename real, typename Rule>
void mean_value(real* score, const real* y, const real* p, int64_t rows, int64_t Ky, int64_t K) {
  check_columns(Rule::kName, Ky, K);
  for (int64_t r = 0; r < rows; r++) {
    double sum = 0;
    for (int64_t i = r * K; i < (r + 1) * K; i++) sum += Rule::template value<real>(y[i], p[i]);
    score[r] = real(sum / double(K));
  }
}

template <typename real, typename Rule>
void mean_gradient(real* dp, const real* coef, const real* y, const real* p, int64_t rows,
                   int64_t Ky, int64_t K) {
  check_columns(Rule::kName, Ky, K);
  for (int64_t r = 0; r < rows; r++) {
    const double c = double(coef[r]) / double(K);
    for (int64_t i = r * K; i < (r + 1) * K; i++)
      dp[i] = real(c * Rule::template slope<real>(y[i], p[i]));
  }
}

// --- whole rows

template <typename real>
void kld_value(real* score, const real* y, const real* p, int64_t rows, int64_t Ky, int64_t K) {
  check_columns("kullback_leibler_divergence", Ky, K);
  for (int64_t r = 0; r < rows; r++) {
    double sum = 0;
    for (int64_t i = r * K; i < (r + 1) * K; i++) {
      const double u = clip(y[i], kEpsilon<real>, real(1)), q = clip(p[i], kEpsilon<real>, real(1));
      sum += u * std::log(u / q);
    }
    score[r] = real(sum);
  }
}

template <typename real>
void kld_gradient(real* dp, const real* coef, const real* y, const real* p, int64_t rows,
                  int64_t Ky, int64_t K) {
  check_columns("kullback_leibler_divergence", Ky, K);
  for (int64_t i = 0; i < rows * K; i++) {
    const real u = clip(y[i], kEpsilon<real>, real(1));
    dp[i] = p[i] < kEpsilon<real> || p[i] > real(1) ? real(0) : -coef[i / K] * u / p[i];
  }
}

template <typename real>
double row_sum(const real* p, int64_t K) {
  double s = 0;
  for (int64_t k = 0; k < K; k++) s += p[k];
  return s;
}

// The share of p in a row whose sum is s, in the precision in which it is clipped.
template <typename real>
real normalised(real p, double s) {
  return real(p / s);
}

template <typename real>
double log_clipped(real n) {
  return std::log(double(clip(n, kEpsilon<real>, kOneMinus<real>)));
}

template <typename real>
void cce_value(real* score, const real* y, const real* p, int64_t rows, int64_t Ky, int64_t K) {
  check_columns("categorical_crossentropy", Ky, K);
  for (int64_t r = 0; r < rows; r++) {
    const double s = row_sum(p + r * K, K);
    double sum = 0 * s;  // NaN and infinity must not hide behind the zeros of t
    for (int64_t i = r * K; i < (r + 1) * K; i++) {
      if (y[i] != 0) sum += y[i] * log_clipped(normalised(p[i], s));
    }
    score[r] = real(-sum);
  }
}

template <typename real>
void cce_gradient(real* dp, const real* coef, const real* y, const real* p, int64_t rows,
                  int64_t Ky, int64_t K) {
  check_columns("categorical_crossentropy", Ky, K);
  for (int64_t r = 0; r < rows; r++) {
    const real* t = y + r * K;
    const real* q = p + r * K;
    const double s = row_sum(q, K);
    const auto slope = [&](int64_t k) {
      if (t[k] == 0) return 0.0;
      const real n = normalised(q[k], s);
      return n < kEpsilon<real> || n > kOneMinus<real> ? 0.0 : -double(t[k]) / double(n);
    };
    double mean = 0 * s;  // sum d n
    for (int64_t k = 0; k < K; k++) {
      if (t[k] != 0) mean += slope(k) * double(normalised(q[k], s));
    }
    for (int64_t k = 0; k < K; k++) dp[r * K + k] = real(coef[r] * (slope(k) - mean) / s);
  }
}

template <typename real>
int64_t label(real t, int64_t row, int64_t K) {
  // Theano's to_one_hot fails likewise; the cast to int32 cuts fractions off.
  if (!(t > real(-1) && t < real(K))) {
    fail(Code::kOption, "sparse_categorical_crossentropy", "label of row " + std::to_string(row),
         "an integer from 0 to " + std::to_string(K - 1), std::to_string(t));
  }
  return static_cast<int64_t>(t);
}

void check_sparse(int64_t Ky) {
  if (Ky != 1)
    fail(Code::kShape, "sparse_categorical_crossentropy", "last axis of the target", "1",
         std::to_string(Ky));
}

template <typename real>
void sparse_value(real* score, const real* y, const real* p, int64_t rows, int64_t Ky, int64_t K) {
  check_sparse(Ky);
  for (int64_t r = 0; r < rows; r++) {
    const int64_t k = label(y[r], r, K);
    const double s = row_sum(p + r * K, K);
    score[r] = real(-(0 * s + log_clipped(normalised(p[r * K + k], s))));
  }
}

template <typename real>
void sparse_gradient(real* dp, const real* coef, const real* y, const real* p, int64_t rows,
                     int64_t Ky, int64_t K) {
  check_sparse(Ky);
  for (int64_t r = 0; r < rows; r++) {
    const int64_t k = label(y[r], r, K);
    const double s = row_sum(p + r * K, K);
    const real n = normalised(p[r * K + k], s);
    const bool clipped = n < kEpsilon<real> || n > kOneMinus<real>;
    // d n = -1 inside the clip: every other class gets +1/s. 0 * s keeps a NaN.
    const double c = (clipped ? 0 * s : double(coef[r])) / s;
    for (int64_t j = 0; j < K; j++) dp[r * K + j] = real(c);
    dp[r * K + k] = real(clipped ? c : c * (1 - 1 / double(n)));
  }
}

template <typename real>
double norm(const real* x, int64_t K) {
  double s = 0;
  for (int64_t k = 0; k < K; k++) s += double(x[k]) * double(x[k]);
  return std::sqrt(s);
}

template <typename real>
double dot(const real* x, const real* y, int64_t K) {
  double s = 0;
  for (int64_t k = 0; k < K; k++) s += double(x[k]) * double(y[k]);
  return s;
}

template <typename real>
void cosine_value(real* score, const real* y, const real* p, int64_t rows, int64_t Ky, int64_t K) {
  check_columns("cosine_proximity", Ky, K);
  for (int64_t r = 0; r < rows; r++) {
    const real *t = y + r * K, *q = p + r * K;
    // a vector of zeros gives NaN, as on Theano
    score[r] = real(-dot(t, q, K) / (norm(t, K) * norm(q, K)) / double(K));
  }
}

template <typename real>
void cosine_gradient(real* dp, const real* coef, const real* y, const real* p, int64_t rows,
                     int64_t Ky, int64_t K) {
  check_columns("cosine_proximity", Ky, K);
  for (int64_t r = 0; r < rows; r++) {
    const real *t = y + r * K, *q = p + r * K;
    const double nt = norm(t, K), nq = norm(q, K), ab = dot(t, q, K) / (nt * nq);
    const double c = -double(coef[r]) / (nq * double(K));
    for (int64_t k = 0; k < K; k++) dp[r * K + k] = real(c * (t[k] / nt - q[k] / nq * ab));
  }
}

template <typename real, typename Rule>
constexpr Objective<real> mean_of() {
  return {Rule::kName, mean_value<real, Rule>, mean_gradient<real, Rule>, false};
}

template <typename real>
constexpr Objective<real> kObjectives[] = {
    mean_of<real, SquaredError>(),
    mean_of<real, AbsoluteError>(),
    mean_of<real, PercentageError>(),
    mean_of<real, SquaredLogarithmicError>(),
    mean_of<real, SquaredHinge>(),
    mean_of<real, Hinge>(),
    {"categorical_crossentropy", cce_value<real>, cce_gradient<real>, false},
    {"sparse_categorical_crossentropy", sparse_value<real>, sparse_gradient<real>, true},
    mean_of<real, BinaryCrossentropy>(),
    {"kullback_leibler_divergence", kld_value<real>, kld_gradient<real>, false},
    mean_of<real, Poisson>(),
    {"cosine_proximity", cosine_value<real>, cosine_gradient<real>, false},
};

constexpr int64_t kCount = sizeof(kObjectives<float>) / sizeof(kObjectives<float>[0]);

}  // namespace

template <typename real>
const Objective<real>* objective(const char* name) {
  for (const Objective<real>& o : kObjectives<real>) {
    if (!std::strcmp(o.name, name)) return &o;
  }
  return nullptr;
}
template const Objective<float>* objective<float>(const char*);
template const Objective<double>* objective<double>(const char*);

const char* const* objective_names() {
  static const struct Names {
    const char* list[kCount + 1] = {};
    Names() {
      for (int64_t i = 0; i < kCount; i++) list[i] = kObjectives<float>[i].name;
    }
  } names;
  return names.list;
}

}  // namespace hs
