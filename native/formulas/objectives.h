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
//
// A struct here is (rows.h) what is found in a row, and
//   kName, kSparse             Keras' name; the target has a last axis of 1: labels
//   score(First, Second, row)  of the row; Second of add<kForScore>
//   Slope(coef, First, Second, row), then (k)  coef * d score / d p[k]; Second of add<kForSlope>
#pragma once
#include "formulas/rows.h"

// Every objective: enumerator, struct. A new one has its line and its struct here.
#define HS_OBJECTIVES(EACH)                                       \
  EACH(kSquaredError, MeanOf<SquaredError>)                       \
  EACH(kAbsoluteError, MeanOf<AbsoluteError>)                     \
  EACH(kPercentageError, MeanOf<PercentageError>)                 \
  EACH(kSquaredLogarithmicError, MeanOf<SquaredLogarithmicError>) \
  EACH(kSquaredHinge, MeanOf<SquaredHinge>)                       \
  EACH(kHinge, MeanOf<Hinge>)                                     \
  EACH(kCategoricalCrossentropy, CategoricalCrossentropy)         \
  EACH(kSparseCrossentropy, SparseCrossentropy)                   \
  EACH(kBinaryCrossentropy, MeanOf<BinaryCrossentropy>)           \
  EACH(kKullbackLeibler, KullbackLeibler)                         \
  EACH(kPoisson, MeanOf<Poisson>)                                 \
  EACH(kCosineProximity, CosineProximity)

namespace hs {
namespace HS_ROWS {

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
real sign(real x) {
  return x > 0 ? real(1) : x < 0 ? real(-1) : x;  // 0 and NaN stay
}

// What a second reading is for.
enum Want { kForScore = 1, kForSlope = 2 };

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
    return fabs_of(double(p) - double(t));
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
    const real a = fabs_of(t);
    return a < kEpsilon<real> ? kEpsilon<real> : a;
  }
  template <typename real>
  static double value(real t, real p) {
    return 100 * fabs_of(double(p) - double(t)) / size(t);
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
    const double d = log_of(raised(p)) - log_of(raised(t));
    return d * d;
  }
  template <typename real>
  static double slope(real t, real p) {
    if (p < kEpsilon<real>) return 0;
    return 2 * (log_of(raised(p)) - log_of(raised(t))) / raised(p);
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
    return -(t * log_of(q) + (1 - double(t)) * log1p_of(-q));
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
    return p - t * log_of(double(real(p + kEpsilon<real>)));
  }
  template <typename real>
  static double slope(real t, real p) {
    return 1 - t / double(real(p + kEpsilon<real>));
  }
};

// Of the second reading, where it is one sum for the score alone.
struct ScoreSum : OverRow {
  struct Second {
    double sum;
  };
  static constexpr bool kHasSecond = true, kSparse = false;
  static void join(Second& a, Second b) { a.sum += b.sum; }
  using OverRow::join;
};

template <class Rule>
struct MeanOf : ScoreSum {
  static constexpr const char* kName = Rule::kName;
  using OverRow::add;
  template <int want, class real>
  static void add(const First&, Second& s, const Row<real>& row, int64_t k) {
    if (want & kForScore) s.sum += Rule::template value<real>(row.t[k], row.p[k]);
  }
  template <class real>
  static real score(const First&, const Second& s, const Row<real>& row) {
    return real(s.sum / double(row.K));
  }
  template <class real>
  struct Slope {
    Slope(real coef, const First&, const Second&, const Row<real>& row)
        : row(row), c(double(coef) / double(row.K)) {}
    real operator()(int64_t k) const {
      return real(c * Rule::template slope<real>(row.t[k], row.p[k]));
    }
    const Row<real> row;
    const double c;
  };
};

// --- whole rows

struct KullbackLeibler : ScoreSum {
  static constexpr const char* kName = "kullback_leibler_divergence";
  using OverRow::add;
  template <int want, class real>
  static void add(const First&, Second& s, const Row<real>& row, int64_t k) {
    if (!(want & kForScore)) return;
    const double u = clip(row.t[k], kEpsilon<real>, real(1)),
                 q = clip(row.p[k], kEpsilon<real>, real(1));
    s.sum += u * log_of(u / q);
  }
  template <class real>
  static real score(const First&, const Second& s, const Row<real>&) {
    return real(s.sum);
  }
  template <class real>
  struct Slope {
    Slope(real coef, const First&, const Second&, const Row<real>& row) : row(row), coef(coef) {}
    real operator()(int64_t k) const {
      const real u = clip(row.t[k], kEpsilon<real>, real(1)), p = row.p[k];
      return p < kEpsilon<real> || p > real(1) ? real(0) : -coef * u / p;
    }
    const Row<real> row;
    const real coef;
  };
};

// Both cross entropies of classes: the row is divided by its sum first.
struct Normalised : OverRow {
  struct First {
    double s;  // sum p
  };
  static constexpr bool kHasFirst = true;
  using OverRow::add;
  using OverRow::join;
  template <class real>
  static void add(First& f, const Row<real>& row, int64_t k) {
    f.s += row.p[k];
  }
  template <class real>
  static void join(First& a, First b, const Row<real>&) {
    a.s += b.s;
  }
  // The share of p in a row whose sum is s, in the precision in which it is clipped.
  template <class real>
  static real share(real p, double s) {
    return real(p / s);
  }
  template <class real>
  static bool clipped(real n) {
    return n < kEpsilon<real> || n > kOneMinus<real>;
  }
  template <class real>
  static double log_clipped(real n) {
    return log_of(double(clip(n, kEpsilon<real>, kOneMinus<real>)));
  }
};

struct CategoricalCrossentropy : Normalised {
  static constexpr const char* kName = "categorical_crossentropy";
  static constexpr bool kHasSecond = true, kSparse = false;
  struct Second {
    double logs, mean;  // sum t log n, sum d n
  };
  using Normalised::add;
  using Normalised::join;
  template <class real>
  static double slope(real t, real n) {
    return clipped(n) ? 0.0 : -double(t) / double(n);
  }
  template <int want, class real>
  static void add(const First& f, Second& s, const Row<real>& row, int64_t k) {
    const real t = row.t[k];
    if (t == 0) return;
    const real n = share(row.p[k], f.s);
    if (want & kForScore) s.logs += t * log_clipped(n);
    if (want & kForSlope) s.mean += slope(t, n) * double(n);
  }
  static void join(Second& a, Second b) { a.logs += b.logs, a.mean += b.mean; }
  // 0 * s: NaN and infinity must not hide behind the zeros of t.
  template <class real>
  static real score(const First& f, const Second& s, const Row<real>&) {
    return real(-(0 * f.s + s.logs));
  }
  template <class real>
  struct Slope {
    Slope(real coef, const First& f, const Second& s, const Row<real>& row)
        : row(row), coef(coef), s(f.s), mean(0 * f.s + s.mean) {}
    real operator()(int64_t k) const {
      const real t = row.t[k];
      const double d = t == 0 ? 0.0 : slope(t, share(row.p[k], s));
      return real(coef * (d - mean) / s);
    }
    const Row<real> row;
    const real coef;
    const double s, mean;
  };
};

struct SparseCrossentropy : Normalised {
  static constexpr const char* kName = "sparse_categorical_crossentropy";
  static constexpr bool kSparse = true;
  // -1: not one of the classes. The cast cuts fractions off, as Theano's to int32.
  template <class real>
  static int64_t label(const Row<real>& row) {
    const real t = row.t[0];
    return t > real(-1) && t < real(row.K) ? static_cast<int64_t>(t) : -1;
  }
  template <class real>
  static real score(const First& f, const Second&, const Row<real>& row) {
    const int64_t k = label(row);
    if (k < 0) return real(NAN);
    return real(-(0 * f.s + log_clipped(share(row.p[k], f.s))));
  }
  template <class real>
  struct Slope {
    Slope(real coef, const First& f, const Second&, const Row<real>& row) : at(label(row)) {
      c = of_label = NAN;
      if (at < 0) return;
      const real n = share(row.p[at], f.s);
      // d n = -1 inside the clip: every other class gets +1/s. 0 * s keeps a NaN.
      c = (clipped(n) ? 0 * f.s : double(coef)) / f.s;
      of_label = clipped(n) ? c : c * (1 - 1 / double(n));
    }
    real operator()(int64_t k) const { return real(k == at ? of_label : c); }
    const int64_t at;
    double c, of_label;
  };
};

struct CosineProximity : OverRow {
  static constexpr const char* kName = "cosine_proximity";
  static constexpr bool kHasFirst = true, kSparse = false;
  struct First {
    double tt, pp, tp;  // sums of products
  };
  using OverRow::add;
  using OverRow::join;
  template <class real>
  static void add(First& f, const Row<real>& row, int64_t k) {
    const double t = row.t[k], p = row.p[k];
    f.tt += t * t, f.pp += p * p, f.tp += t * p;
  }
  template <class real>
  static void join(First& a, First b, const Row<real>&) {
    a.tt += b.tt, a.pp += b.pp, a.tp += b.tp;
  }
  // A vector of zeros gives NaN, as on Theano.
  template <class real>
  static real score(const First& f, const Second&, const Row<real>& row) {
    return real(-f.tp / (sqrt_of(f.tt) * sqrt_of(f.pp)) / double(row.K));
  }
  template <class real>
  struct Slope {
    Slope(real coef, const First& f, const Second&, const Row<real>& row)
        : row(row),
          nt(sqrt_of(f.tt)),
          np(sqrt_of(f.pp)),
          ab(f.tp / (nt * np)),
          c(-double(coef) / (np * double(row.K))) {}
    real operator()(int64_t k) const { return real(c * (row.t[k] / nt - row.p[k] / np * ab)); }
    const Row<real> row;
    const double nt, np, ab, c;
  };
};

// Where the output is itself the loss: the score of a row is the mean of its numbers; there is no
// target.
struct Itself : ScoreSum {
  static constexpr const char* kName = "";
  using OverRow::add;
  template <int want, class real>
  static void add(const First&, Second& s, const Row<real>& row, int64_t k) {
    if (want & kForScore) s.sum += double(row.p[k]);
  }
  template <class real>
  static real score(const First&, const Second& s, const Row<real>& row) {
    return real(s.sum / double(row.K));
  }
  template <class real>
  struct Slope {
    Slope(real coef, const First&, const Second&, const Row<real>& row)
        : each(coef / real(row.K)) {}
    real operator()(int64_t) const { return each; }
    const real each;
  };
};

#define HS_ENUMERATOR(kind, Of) kind,
enum class ObjectiveKind : int { HS_OBJECTIVES(HS_ENUMERATOR) kItself };
#undef HS_ENUMERATOR

}  // namespace HS_ROWS
}  // namespace hs
