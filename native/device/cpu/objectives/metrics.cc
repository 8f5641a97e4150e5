// The metrics of formulas/metrics.h over the rows of an output.
#include "formulas/metrics.h"

#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "device/cpu/objectives/objective.h"

namespace hs {
namespace {

using namespace host_rows;

static_assert(kMetricSums == kMostSums, "room for those of every metric");

template <typename real, typename Of>
void sums(double* to, const real* y, const real* p, int64_t rows, int64_t Ky, int64_t K,
          double argument) {
  if (!Of::kAnyWidth && Ky != K) {
    fail(Code::kShape, Of::kName, "last axis of the target", std::to_string(K), std::to_string(Ky));
  }
  for (int64_t r = 0; r < rows; r++) {
    const Row<real> row{y + r * Ky, p + r * K, Ky, K};
    const auto first = read_first<Of>(row);
    Of::count(to, first, read_second<Of, kForScore>(first, row), row, argument);
  }
}

template <typename real, typename Of>
double value(const real* y, const real* p, int64_t rows, int64_t Ky, int64_t K, double argument) {
  double all[kMostSums] = {};
  sums<real, Of>(all, y, p, rows, Ky, K, argument);
  return Of::value(all, double(rows), double(K), argument);
}

template <typename real, typename Of>
constexpr Metric<real> entry() {
  constexpr bool is_mean = !std::is_base_of<YesAndNo, Of>::value;
  return {Of::kName,
          value<real, Of>,
          Of::kArgument,
          Of::kByDefault,
          is_mean ? nullptr : sums<real, Of>,
          is_mean ? nullptr : Of::value};
}

// An objective as a metric: the mean of its row scores.
template <typename real, typename Of>
double mean_score(const real* y, const real* p, int64_t rows, int64_t Ky, int64_t K, double) {
  std::vector<real> scores(static_cast<size_t>(rows));
  objective<real>(Of::kName)->value(scores.data(), y, p, rows, Ky, K);
  double sum = 0;
  for (real s : scores) sum += s;
  return sum / double(rows);
}

#define HS_ENTRY(kind, Of) entry<real, Of>(),
#define HS_OBJECTIVE_ENTRY(kind, Of) \
  {Of::kName, mean_score<real, Of>, nullptr, 0, nullptr, nullptr},
template <typename real>
constexpr Metric<real> kMetrics[] = {HS_METRICS(HS_ENTRY) HS_OBJECTIVES(HS_OBJECTIVE_ENTRY)};
#undef HS_ENTRY
#undef HS_OBJECTIVE_ENTRY

#define HS_NAME(kind, Of) Of::kName,
const char* const kNames[] = {HS_METRICS(HS_NAME) HS_OBJECTIVES(HS_NAME) nullptr};
#undef HS_NAME

}  // namespace

template <typename real>
const Metric<real>* metric(const char* name) {
  for (const Metric<real>& m : kMetrics<real>) {
    if (!std::strcmp(m.name, name)) return &m;
  }
  return nullptr;
}
template const Metric<float>* metric<float>(const char*);
template const Metric<double>* metric<double>(const char*);

const char* const* metric_names() { return kNames; }

}  // namespace hs
