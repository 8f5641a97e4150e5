// Objectives and metrics over the rows of an output (criterion.h says in which order).
#include "device/cuda/kernels/card.h"

HS_KERNELS_BEGIN
#include "device/cuda/kernels/args.h"
#include "formulas/metrics.h"

namespace hs {
namespace HS_ISA {

// f(a struct of formulas/metrics.h)
template <class F>
static inline void with_objective(int kind, const F& f) {
  switch (static_cast<ObjectiveKind>(kind)) {
#define HS_CASE(kind, Of) \
  case ObjectiveKind::kind: return f(MeanScore<Of>());
    HS_OBJECTIVES(HS_CASE)
    HS_CASE(kItself, Itself)
#undef HS_CASE
  }
}
template <class F>
static inline void with_reader(int kind, const F& f) {
  switch (static_cast<MetricKind>(kind)) {
#define HS_CASE(kind, Of) \
  case MetricKind::kind: return f(Of());
    HS_METRICS(HS_CASE)
#undef HS_CASE
    default: return with_objective(kind - int(MetricKind::kObjectives), f);
  }
}

template <class real>
static inline Row<real> row_of(const OutputRows<real>& a, int64_t r) {
  return {a.y + r * a.Ky, a.p + r * a.K, a.Ky, a.K};
}

// Of reader number `reader`, row r: what its lanes have found, of type What.
template <class What>
static inline What* found_at(char* all, int64_t reader, int64_t r, int64_t R, int64_t lanes) {
  static_assert(sizeof(What) <= kFoundBytes, "kFoundBytes");
  return reinterpret_cast<What*>(all + reader * R * lanes * kFoundBytes) + r * lanes;
}

template <class real>
static inline void read_rows(const ReadArgs<real>& a, int64_t i) {
  const int64_t lanes = a.found.lanes, lane = i % lanes, R = a.rows.R;
  const int64_t r = i / lanes % R, reader = i / lanes / R;
  const Row<real> row = row_of(a.rows, r);
  with_reader(a.readers[reader].kind, [&](auto of) {
    using Of = decltype(of);
    typename Of::First first = {};
    if constexpr (Of::kHasFirst) {
      auto* const all = found_at<typename Of::First>(a.found.first, reader, r, R, lanes);
      if (a.again) {
        first = join_first<Of>(all, lanes, row);
      } else {
        all[lane] = first = read_first<Of>(row, lane, lanes);
      }
    }
    if constexpr (Of::kHasSecond) {
      if (!a.again && lanes > 1) return;
      found_at<typename Of::Second>(a.found.second, reader, r, R, lanes)[lane] =
          read_second<Of, kForScore | kForSlope>(first, row, lane, lanes);
    }
  });
}
HS_KERNEL(read_rows, ReadArgs)

template <class real>
static inline void count_rows(const CountArgs<real>& a, int64_t i) {
  double mask = 0, weights = 0;
  if (a.mask) {
    for (int64_t j = i; j < a.masks; j += a.n) mask += double(a.mask[j]);
  }
  if (a.weights) {
    for (int64_t j = i; j < a.counted; j += a.n) weights += a.weights[j] != 0;
  }
  a.parts[i] = mask, a.parts[a.n + i] = weights;
}
HS_KERNEL(count_rows, CountArgs)

template <class real>
static inline void row_factor(const FactorArgs<real>& a, int64_t) {
  double mask = 0, weights = 0, factor = 1 / double(a.R);
  for (int64_t j = 0; j < a.count; j++) mask += a.parts[j], weights += a.parts[a.count + j];
  if (a.masks > 0) factor /= mask / double(a.masks);
  if (a.weights > 0) factor /= weights / double(a.weights);
  a.factor[0] = factor;
  a.factor[1] = a.weights > 0 && weights == 0 ? 2 : a.masks > 0 && mask == 0 ? 1 : 0;  // Nothing
}
HS_KERNEL(row_factor, FactorArgs)

template <class real>
static inline real coefficient(const TermsArgs<real>& a, int64_t r) {
  const int64_t i = r / a.rest;
  double c = a.factor ? *a.factor : 1 / double(a.rows.R);
  if (a.mask) c *= double(a.mask[i]);
  if (a.weights) c *= double(a.weights[a.temporal ? i : i % a.B]);
  return real(c);
}

template <class real>
static inline void row_terms(const TermsArgs<real>& a, int64_t i) {
  const int64_t R = a.rows.R, reader = i / R, r = i % R, lanes = a.found.lanes;
  const Row<real> row = row_of(a.rows, r);
  double* const terms = a.terms + reader * kTerms * R + r;
  const real coef = coefficient(a, r);
  const Reader& chosen = a.readers[reader];
  double sums[kMostSums] = {};
  with_reader(chosen.kind, [&](auto of) {
    using Of = decltype(of);
    typename Of::First first = {};
    typename Of::Second second = {};
    if constexpr (Of::kHasFirst) {
      auto* const all = found_at<typename Of::First>(a.found.first, reader, r, R, lanes);
      first = join_first<Of>(all, lanes, row);
      if (reader == 0) all[0] = first;
    }
    if constexpr (Of::kHasSecond) {
      auto* const all = found_at<typename Of::Second>(a.found.second, reader, r, R, lanes);
      second = join_second<Of>(all, lanes);
      if (reader == 0) all[0] = second;
    }
    Of::count(sums, first, second, row, chosen.argument);
  });
  if (reader == 0) {
    a.coef[r] = coef;
    if (a.scored) {
      sums[0] = double(a.score[r]);
    } else {
      a.score[r] = real(sums[0]);
    }
    terms[0] = coef == 0 ? 0 : double(coef) * sums[0];
    return;
  }
  const bool counts = coef != 0;
  for (int j = 0; j < kMostSums; j++) {
    terms[j * R] = sums[j];
    terms[(kMostSums + j) * R] = counts ? sums[j] : 0;
  }
  terms[2 * kMostSums * R] = counts;
}
HS_KERNEL(row_terms, TermsArgs)

template <class real>
static inline void list_sums(const ListSumsArgs<real>& a, int64_t i) {
  const double* const terms = a.terms + i / a.count * a.R;
  double sum = 0;
  for (int64_t r = i % a.count; r < a.R; r += a.count) sum += terms[r];
  a.parts[i] = sum;
}
HS_KERNEL(list_sums, ListSumsArgs)

template <class real>
static inline void loss(const LossArgs<real>& a, int64_t) {
  double sum = 0;
  for (int64_t j = 0; j < a.count; j++) sum += a.parts[j];
  *a.loss = sum;
  *a.weighted = a.weight * sum;
  *a.nothing = a.factor ? a.factor[1] : 0;
}
HS_KERNEL(loss, LossArgs)

template <class real>
static inline void objective_gradient(const ObjectiveGradientArgs<real>& a, int64_t i) {
  const int64_t R = a.rows.R, r = i / a.rows.K, k = i % a.rows.K, lanes = a.found.lanes;
  const real coef = a.weight == 1 ? a.coef[r] : real(a.weight * double(a.coef[r]));
  if (a.selects && coef == 0) {
    a.dp[i] = 0;
    return;
  }
  with_objective(a.kind, [&](auto of) {
    using Of = decltype(of);
    typename Of::First first = {};
    typename Of::Second second = {};
    if constexpr (Of::kHasFirst)
      first = *found_at<typename Of::First>(a.found.first, 0, r, R, lanes);
    if constexpr (Of::kHasSecond)
      second = *found_at<typename Of::Second>(a.found.second, 0, r, R, lanes);
    a.dp[i] = typename Of::template Slope<real>(coef, first, second, row_of(a.rows, r))(k);
  });
}
HS_KERNEL(objective_gradient, ObjectiveGradientArgs)

template <class real>
static inline void metric_values(const MetricValuesArgs<real>& a, int64_t i) {
  const double* const parts = a.parts + i * kTerms * a.count;
  double all[kMostSums] = {}, counting[kMostSums] = {}, rows = 0;
  for (int64_t j = 0; j < a.count; j++) {
    for (int s = 0; s < kMostSums; s++) {
      all[s] += parts[s * a.count + j];
      counting[s] += parts[(kMostSums + s) * a.count + j];
    }
    rows += parts[2 * kMostSums * a.count + j];
  }
  const Reader& chosen = a.readers[i];
  with_reader(chosen.kind, [&](auto of) {
    using Of = decltype(of);
    double value = Of::value(all, double(a.R), double(a.K), chosen.argument);
    if (value - value != 0 && a.factor && a.factor[1] == 0 && rows > 0)
      value = Of::value(counting, rows, double(a.K), chosen.argument);
    a.values[i] = value;
  });
}
HS_KERNEL(metric_values, MetricValuesArgs)

template <class real>
static inline void mean_parts(const MeanPartsArgs<real>& a, int64_t i) {
  double sum = 0;
  for (int64_t j = i; j < a.count; j += a.n) sum += double(a.x[j]);
  a.parts[i] = sum / double(a.count);
}
HS_KERNEL(mean_parts, MeanPartsArgs)

}  // namespace HS_ISA
}  // namespace hs
HS_KERNELS_END
