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
//
// A struct here is (rows.h) what is found in a row, and
//   kName, kArgument, kByDefault  Keras' name; its argument, nullptr: none; what that is by default
//   kAnyWidth                     targets may have another last axis than the output
//   count(to, First, Second, row, argument)  adds to `to` [kMostSums] what the row is to the batch
//   value(sums, rows, K, argument)  of the batch
#pragma once
#include "formulas/objectives.h"

// Every metric that is no objective: enumerator, struct. A new one has its line and struct here.
#define HS_METRICS(EACH)                                      \
  EACH(kBinaryAccuracy, BinaryAccuracy)                       \
  EACH(kCategoricalAccuracy, CategoricalAccuracy)             \
  EACH(kSparseCategoricalAccuracy, SparseCategoricalAccuracy) \
  EACH(kTopKCategoricalAccuracy, TopKCategoricalAccuracy)     \
  EACH(kMatthewsCorrelation, MatthewsCorrelation)             \
  EACH(kPrecision, Precision)                                 \
  EACH(kRecall, Recall)                                       \
  EACH(kFbetaScore, FbetaScore)                               \
  EACH(kFmeasure, Fmeasure)

namespace hs {
namespace HS_ROWS {

constexpr int kMostSums = 3;  // of a metric

struct MetricOverRow : OverRow {
  static constexpr const char* kArgument = nullptr;
  static constexpr double kByDefault = 0;
  static constexpr bool kAnyWidth = false;
};

// --- hits among all numbers, or among all rows

struct BinaryAccuracy : MetricOverRow {
  static constexpr const char* kName = "binary_accuracy";
  static constexpr bool kHasSecond = true;
  struct Second {
    int64_t hits;
  };
  using OverRow::add;
  using OverRow::join;
  template <int want, class real>
  static void add(const First&, Second& s, const Row<real>& row, int64_t k) {
    s.hits += row.t[k] == rounded(row.p[k]);
  }
  static void join(Second& a, Second b) { a.hits += b.hits; }
  template <class real>
  static void count(double* to, const First&, const Second& s, const Row<real>&, double) {
    to[0] += double(s.hits);
  }
  static double value(const double* sums, double rows, double K, double) {
    return sums[0] / (rows * K);
  }
};

// Where the largest of both lie, of equals the first. A NaN is largest where it comes first.
struct Largest : MetricOverRow {
  static constexpr bool kHasFirst = true;
  struct First {
    int64_t t, p;
  };
  using OverRow::add;
  using OverRow::join;
  template <class real>
  static void add(First& f, const Row<real>& row, int64_t k) {
    if (k < row.Ky && row.t[k] > row.t[f.t]) f.t = k;
    if (k < row.K && row.p[k] > row.p[f.p]) f.p = k;
  }
  template <class real>
  static void join(First& a, First b, const Row<real>& row) {
    a.t = first_of(row.t, a.t, b.t);
    a.p = first_of(row.p, a.p, b.p);
  }
  static double value(const double* sums, double rows, double, double) { return sums[0] / rows; }

 private:
  template <class real>
  static int64_t first_of(const real* x, int64_t a, int64_t b) {
    return x[b] > x[a] || (x[b] == x[a] && b < a) ? b : a;
  }
};

struct CategoricalAccuracy : Largest {
  static constexpr const char* kName = "categorical_accuracy";
  template <class real>
  static void count(double* to, const First& f, const Second&, const Row<real>&, double) {
    to[0] += f.t == f.p;
  }
};

struct SparseCategoricalAccuracy : Largest {
  static constexpr const char* kName = "sparse_categorical_accuracy";
  static constexpr bool kAnyWidth = true;
  template <class real>
  static void count(double* to, const First& f, const Second&, const Row<real>& row, double) {
    to[0] += row.t[f.t] == real(f.p);
  }
};

struct TopKCategoricalAccuracy : Largest {
  static constexpr const char* kName = "top_k_categorical_accuracy";
  static constexpr const char* kArgument = "k";
  static constexpr double kByDefault = 5;
  static constexpr bool kHasSecond = true;
  struct Second {
    int64_t above;
  };
  using Largest::add;
  using Largest::join;
  template <int want, class real>
  static void add(const First& f, Second& s, const Row<real>& row, int64_t k) {
    const real q = row.p[k], wanted = row.p[f.t];
    s.above += q > wanted || (q == wanted && k > f.t);
  }
  static void join(Second& a, Second b) { a.above += b.above; }
  template <class real>
  static void count(double* to, const First& f, const Second& s, const Row<real>& row, double top) {
    const real wanted = row.p[f.t];
    to[0] += double(s.above) < top && wanted == wanted;  // NaN is never a hit
  }
};

// --- the batch as one list of yes and no

struct YesAndNo : MetricOverRow {
  static constexpr bool kHasSecond = true;
  struct Second {
    double said, yes, both;  // round(clip01(.)) of p, of t, of what is both
  };
  using OverRow::add;
  using OverRow::join;
  template <class real>
  static double round01(real x) {
    return rounded(x < 0 ? real(0) : x > 1 ? real(1) : x);
  }
  template <int want, class real>
  static void add(const First&, Second& s, const Row<real>& row, int64_t k) {
    s.said += round01(row.p[k]), s.yes += round01(row.t[k]);
    s.both += round01(real(row.t[k] * row.p[k]));
  }
  static void join(Second& a, Second b) { a.said += b.said, a.yes += b.yes, a.both += b.both; }
  template <class real>
  static void count(double* to, const First&, const Second& s, const Row<real>&, double) {
    to[0] += s.said, to[1] += s.yes, to[2] += s.both;
  }
  static double precision(const double* sums) { return sums[2] / (sums[0] + 1e-7); }
  static double recall(const double* sums) { return sums[2] / (sums[1] + 1e-7); }
};

struct Precision : YesAndNo {
  static constexpr const char* kName = "precision";
  static double value(const double* sums, double, double, double) { return precision(sums); }
};

struct Recall : YesAndNo {
  static constexpr const char* kName = "recall";
  static double value(const double* sums, double, double, double) { return recall(sums); }
};

struct FbetaScore : YesAndNo {
  static constexpr const char* kName = "fbeta_score";
  static constexpr const char* kArgument = "beta";
  static constexpr double kByDefault = 1;
  static double value(const double* sums, double, double, double beta) {
    const double exact = precision(sums), found = recall(sums), bb = beta * beta;
    return (1 + bb) * exact * found / (bb * exact + found + 1e-7);
  }
};

struct Fmeasure : FbetaScore {
  static constexpr const char* kName = "fmeasure";
  static constexpr const char* kArgument = nullptr;
};

struct MatthewsCorrelation : YesAndNo {
  static constexpr const char* kName = "matthews_correlation";
  using OverRow::add;
  template <int want, class real>
  static void add(const First&, Second& s, const Row<real>& row, int64_t k) {
    const double yes = round01(row.t[k]), said = round01(row.p[k]);
    s.said += said, s.yes += yes, s.both += yes * said;
  }
  // The sums are whole numbers: whatever order gives the same.
  static double value(const double* sums, double rows, double K, double) {
    const double tp = sums[2], fp = sums[0] - tp, fn = sums[1] - tp;
    const double tn = rows * K - sums[0] - sums[1] + tp;
    const double product = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn);
    return (tp * tn - fp * fn) / (sqrt_of(product) + 1e-7);
  }
};

// An objective as a metric: the mean of its row scores.
template <class Of>
struct MeanScore : Of {
  static constexpr const char* kArgument = nullptr;
  static constexpr double kByDefault = 0;
  template <class real>
  static void count(double* to, const typename Of::First& f, const typename Of::Second& s,
                    const Row<real>& row, double) {
    to[0] += double(Of::score(f, s, row));
  }
  static double value(const double* sums, double rows, double, double) { return sums[0] / rows; }
};

// Those, and after them every objective.
#define HS_ENUMERATOR(kind, Of) kind,
enum class MetricKind : int { HS_METRICS(HS_ENUMERATOR) kObjectives };
#undef HS_ENUMERATOR

}  // namespace HS_ROWS
}  // namespace hs
