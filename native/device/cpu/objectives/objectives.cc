// The objectives of formulas/objectives.h over the rows of an output.
#include "formulas/objectives.h"
#include "device/cpu/objectives/objective.h"

#include <cstring>
#include <string>

#include "base/error.h"

namespace hs {
namespace {

using namespace host_rows;

// Checks that y has as many columns as it must. The plan has done so for a whole model; this keeps
// any other call from reading beyond the rows.
template <typename Of>
void check_columns(int64_t Ky, int64_t K) {
  const int64_t wanted = Of::kSparse ? 1 : K;
  if (*Of::kName && Ky != wanted) {
    fail(Code::kShape, Of::kName, "last axis of the target", std::to_string(wanted),
         std::to_string(Ky));
  }
}

// Theano's to_one_hot fails likewise.
template <typename Of, typename real>
void check_label(const Row<real>& row, int64_t r) {
  if constexpr (Of::kSparse) {
    if (Of::label(row) < 0) {
      fail(Code::kOption, Of::kName, "label of row " + std::to_string(r),
           "an integer from 0 to " + std::to_string(row.K - 1), std::to_string(row.t[0]));
    }
  }
}

template <typename real, typename Of>
void value(real* score, const real* y, const real* p, int64_t rows, int64_t Ky, int64_t K) {
  check_columns<Of>(Ky, K);
  for (int64_t r = 0; r < rows; r++) {
    const Row<real> row{y + r * Ky, p + r * K, Ky, K};
    check_label<Of>(row, r);
    const auto first = read_first<Of>(row);
    score[r] = Of::score(first, read_second<Of, kForScore>(first, row), row);
  }
}

template <typename real, typename Of>
void gradient(real* dp, const real* coef, const real* y, const real* p, int64_t rows, int64_t Ky,
              int64_t K) {
  check_columns<Of>(Ky, K);
  for (int64_t r = 0; r < rows; r++) {
    const Row<real> row{y + r * Ky, p + r * K, Ky, K};
    check_label<Of>(row, r);
    const auto first = read_first<Of>(row);
    const typename Of::template Slope<real> slope(coef[r], first,
                                                  read_second<Of, kForSlope>(first, row), row);
    for (int64_t k = 0; k < K; k++) dp[r * K + k] = slope(k);
  }
}

template <typename real, typename Of>
constexpr Objective<real> objective_of() {
  return {Of::kName, value<real, Of>, gradient<real, Of>, Of::kSparse};
}

#define HS_ENTRY(kind, Of) objective_of<real, Of>(),
template <typename real>
constexpr Objective<real> kObjectives[] = {HS_OBJECTIVES(HS_ENTRY)};
#undef HS_ENTRY
template <typename real>
constexpr Objective<real> kItself = objective_of<real, Itself>();

#define HS_NAME(kind, Of) Of::kName,
const char* const kNames[] = {HS_OBJECTIVES(HS_NAME) nullptr};
#undef HS_NAME

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

template <typename real>
const Objective<real>& output_itself() {
  return kItself<real>;
}
template const Objective<float>& output_itself<float>();
template const Objective<double>& output_itself<double>();

const char* const* objective_names() { return kNames; }

}  // namespace hs
