#include "device/cuda/criterion.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "device/cuda/refusals.h"
#include "formulas/metrics.h"

namespace hs {
namespace {

using namespace host_rows;

// A row of fewer columns is read by one thread, any other by so many.
constexpr int64_t kManyColumns = 64, kLanes = 32;

struct Known {
  const char* name;
  const char* argument;
  double by_default;
  bool sparse;
};

#define HS_METRIC(kind, Of) {Of::kName, Of::kArgument, Of::kByDefault, false},
#define HS_OBJECTIVE(kind, Of) {Of::kName, nullptr, 0, Of::kSparse},
constexpr Known kKnown[] = {HS_METRICS(HS_METRIC) HS_OBJECTIVES(HS_OBJECTIVE)};  // by kind
#undef HS_METRIC
#undef HS_OBJECTIVE
constexpr int kObjectives = int(MetricKind::kObjectives);
constexpr int kAll = int(sizeof(kKnown) / sizeof(kKnown[0]));

// The number among those from `first` on, or -1.
int kind_of(const std::string& name, int first) {
  for (int kind = first; kind < kAll; kind++) {
    if (name == kKnown[kind].name) return kind;
  }
  return -1;
}

}  // namespace

template <typename real>
CudaCriterion<real>::CudaCriterion(const Config& spec, CardQueue& queue)
    : queue_(queue), is_value_(spec.at("loss").has("value")), kind_(int(ObjectiveKind::kItself)) {
  if (spec.at("loss").has("name"))
    refuse(CardRefusal::kCtc, "loss", "'" + spec.at("loss").str("name") + "'");
  if (spec.at("loss").has("nodes")) {
    loss_ = written(spec.at("loss"), "loss");
  } else if (!is_value_) {
    const std::string& name = spec.str("loss");
    const int kind = kind_of(name, kObjectives);
    if (kind < 0)
      throw Error(Code::kUnknownName, "loss", "there is no objective named '" + name + "'.");
    sparse_ = kKnown[kind].sparse;
    kind_ = kind - kObjectives;
  }
  readers_.push_back({kObjectives + kind_, 0});
  static const std::vector<Config> none;
  for (const Config& config : spec.has("metrics") ? spec.at("metrics").list : none) {
    if (is_value_) {
      throw Error(Code::kOption, "metrics",
                  "there are none where the loss is a value: they would have no targets.");
    }
    const std::string& name = config.str("name");
    metrics_.push_back(config.has("nodes") ? written(config, "metric") : nullptr);
    if (metrics_.back()) {
      readers_.push_back({kObjectives + int(ObjectiveKind::kItself), 0});  // its value is not used
      continue;
    }
    const int kind = kind_of(name, 0);
    if (kind < 0)
      throw Error(Code::kUnknownName, "metrics", "there is no metric named '" + name + "'.");
    const Known& known = kKnown[kind];
    readers_.push_back(
        {kind, known.argument ? config.num(known.argument, known.by_default) : known.by_default});
  }
  const int64_t n = static_cast<int64_t>(readers_.size());
  card_readers_.reserve(n);
  queue_.upload(card_readers_.data(), readers_.data(), n * int64_t(sizeof(Reader)));
}

template <typename real>
std::unique_ptr<ProgramObjective<real, CardQueue>> CudaCriterion<real>::written(
    const Config& config, const char* name) {
  return std::make_unique<Written>(config, name, &queue_, memory_);
}

template <typename real>
void CudaCriterion<real>::reserve(const Scored<real>& s) {
  const int64_t lanes = std::max(s.K, s.Ky) < kManyColumns ? 1 : kLanes;
  first_.reserve(readers() * s.R * lanes * kFoundBytes);
  second_.reserve(readers() * s.R * lanes * kFoundBytes);
  found_ = {lanes, first_.data(), second_.data()};
  counts_.reserve(2 * kSumThreads + 2);
  terms_.reserve(readers() * kTerms * s.R);
  parts_.reserve(readers() * kTerms * kSumThreads);
  if (loss_) seed_.reserve(s.R);
}

template <typename real>
void CudaCriterion<real>::find_factor(const Scored<real>& s) {
  if (!selects(s)) return;
  const int64_t masks = s.mask ? s.T * s.B : 0;
  const int64_t weights = !s.weights ? 0 : s.temporal ? s.T * s.B : s.B;
  double* const parts = counts_.data();
  queue_.launch("count_rows",
                CountArgs<real>{kSumThreads, parts, s.mask, s.weights, masks, weights});
  queue_.launch("row_factor", FactorArgs<real>{1, parts + 2 * kSumThreads, parts, kSumThreads, s.R,
                                               masks, weights});
}

template <typename real>
void CudaCriterion<real>::read(const Scored<real>& s) {
  ReadArgs<real> a = {};
  a.n = readers() * s.R * found_.lanes;
  a.rows = rows(s), a.readers = card_readers_.data(), a.found = found_;
  queue_.launch("read_rows", a);
  if (found_.lanes == 1) return;
  a.again = true;
  queue_.launch("read_rows", a);
}

template <typename real>
void CudaCriterion<real>::value(const Scored<real>& s, double* loss, double* weighted,
                                double* nothing) {
  reserve(s);
  find_factor(s);
  read(s);
  if (loss_) {
    const CardQueue::Exactly exactly(queue_);
    loss_->scores(s, s.score);
  }
  TermsArgs<real> a = {};
  a.n = readers() * s.R, a.rows = rows(s), a.readers = card_readers_.data(), a.found = found_;
  a.mask = s.mask, a.weights = s.weights, a.factor = factor(s);
  a.B = s.B, a.rest = s.T * s.B > 0 ? s.R / (s.T * s.B) : 0, a.temporal = s.temporal;
  a.coef = s.coef, a.score = s.score, a.terms = terms_.data(), a.scored = loss_ != nullptr;
  queue_.launch("row_terms", a);
  if (!few(s))
    queue_.launch("list_sums", ListSumsArgs<real>{readers() * kTerms * kSumThreads, kSumThreads,
                                                  s.R, parts_.data(), terms_.data()});
  queue_.launch("loss", LossArgs<real>{1, loss, weighted, nothing, sums(s, 0), count(s), s.weight,
                                       factor(s)});
}

template <typename real>
void CudaCriterion<real>::gradient(const Scored<real>& s, real* dp) {
  const auto launch = [&](const OutputRows<real>& rows, real* to) {
    queue_.launch("objective_gradient",
                  ObjectiveGradientArgs<real>{s.R * rows.K, rows, kind_, found_, s.coef, s.weight,
                                              selects(s), to});
  };
  if (!loss_) return launch(rows(s), dp);
  launch({nullptr, nullptr, s.R, 0, 1}, seed_.data());  // of scores: weighted coefficients
  const CardQueue::Exactly exactly(queue_);
  loss_->gradient(s, seed_.data(), dp);
  if (selects(s)) queue_.launch("select", SelectArgs<real>{s.R * s.K, s.K, dp, dp, s.coef});
}

template <typename real>
void CudaCriterion<real>::measure(const Scored<real>& s, double* values) {
  queue_.launch("metric_values",
                MetricValuesArgs<real>{metrics(), s.R, s.K, card_readers_.data() + 1, sums(s, 1),
                                       count(s), factor(s), values});
  const CardQueue::Exactly exactly(queue_);
  for (size_t i = 0; i < metrics_.size(); i++) {
    if (!metrics_[i]) continue;
    const real* const value = metrics_[i]->value(s);
    queue_.launch("mean_parts", MeanPartsArgs<real>{kSumThreads, parts_.data(), value,
                                                    hs::count(metrics_[i]->dims())});
    queue_.launch("add_up", AddUpArgs<real>{1, values + i, parts_.data(), kSumThreads, false});
  }
}

template class CudaCriterion<float>;
template class CudaCriterion<double>;

}  // namespace hs
