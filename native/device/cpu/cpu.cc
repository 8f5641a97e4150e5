#include "device/cpu/cpu.h"

#include <atomic>
#include <cmath>
#include <optional>
#include <unordered_map>

#include "device/cpu/criterion.h"
#include "device/cpu/ctc_criterion.h"
#include "device/cpu/ops/parts/cpu_layer.h"
#include "device/cpu/penalties.h"
#include "device/cpu/rows.h"
#include "device/cpu/threads/chunks.h"
#include "device/cpu/updater.h"
#include "device/cpu/written_rows.h"
#include "registry.inc"

namespace hs {

#define HS_DECLARE(name)   \
  template <typename real> \
  std::unique_ptr<Layer<real>> make_##name(const Config&, const OpContext&, const Table<real>&);
HS_OPS(HS_DECLARE)
#undef HS_DECLARE

template <typename real>
std::unique_ptr<Layer<real>> Cpu<real>::op(const std::string& name, const Config& options,
                                           const OpContext& context) {
#define HS_ENTRY(name) {#name, &make_##name<real>},
  static const auto* const table =
      new std::unordered_map<std::string, LayerFactory<real>>{HS_OPS(HS_ENTRY)};
#undef HS_ENTRY
  const auto it = table->find(name);
  return it == table->end() ? nullptr : it->second(options, context, *k_);
}

template <typename real>
std::unique_ptr<Criterion<real>> Cpu<real>::criterion(const Config& spec) {
  if (spec.at("loss").has("name")) return std::make_unique<CtcCriterion<real>>(spec);
  return std::make_unique<CpuCriterion<real>>(spec);
}

template <typename real>
std::unique_ptr<Updater<real>> Cpu<real>::updater(const std::string& optimizer) {
  const OptimizerKernels<real>* kernels = k_->optimizer(optimizer.c_str());
  return kernels ? std::make_unique<CpuUpdater<real>>(k_, kernels) : nullptr;
}

// How many threads it gets, the clock decides (pace.h).
template <typename real>
void Cpu<real>::batch(int kind, double work, FunctionRef<void()> run) {
  if (threads() == 1) return run();
  using Ms = std::chrono::duration<double, std::milli>;
  Pace& pace = pace_[kind];
  const Clock::time_point now = Clock::now();
  // A short gap before the batch counts: threads that spin through it may be what slows the caller.
  const Clock::time_point start = Ms(now - batch_end_).count() < 1 ? batch_end_ : now;
  {
    std::optional<Inline> alone;
    if (pace.alone()) alone.emplace();
    run();
  }
  batch_end_ = Clock::now();
  pace.took(Ms(batch_end_ - start).count(), work, threads());
}

template <typename real>
int64_t Cpu<real>::layout_version() const {
  return threads();
}

template <typename real>
void Cpu<real>::fill(real* y, real a, int64_t n) {
  k_->fill(y, a, n);
}

template <typename real>
void Cpu<real>::add(real* y, const real* x, int64_t n) {
  for_elements(n, [&](int64_t begin, int64_t end) { k_->add(y + begin, x + begin, end - begin); });
}

template <typename real>
void Cpu<real>::scale(real* y, double a, int64_t n) {
  for_elements(n, [&](int64_t begin, int64_t end) { k_->scale(y + begin, real(a), end - begin); });
}

template <typename real>
void Cpu<real>::add_gradient(real* sum, GradRows* sum_rows, const real* more,
                             const GradRows* more_rows, int64_t n) {
  if (more_rows == nullptr) {
    add(sum, more, n);
    if (sum_rows) sum_rows->write_all();
    return;
  }
  const int64_t width = more_rows->width;
  each_written_run(*more_rows, [&](int64_t v0, int64_t v1) {
    k_->add(sum + v0 * width, more + v0 * width, (v1 - v0) * width);
    if (sum_rows)
      std::fill(sum_rows->written.begin() + v0, sum_rows->written.begin() + v1, char(1));
  });
}

template <typename real>
void Cpu<real>::gather(real* x_tb, const real* host_bt, const Extent& to, const int32_t* order,
                       int64_t first) {
  hs::gather(x_tb, host_bt, to, order, first);
}

template <typename real>
void Cpu<real>::scatter(real* host_bt, const real* y_tb, const Extent& from) const {
  hs::scatter(host_bt, y_tb, from);
}

template <typename real>
void Cpu<real>::penalize(double* sum, const Penalty& penalty, const real* w, real* dw,
                         GradRows* rows, const Dims& dims) {
  if (dw && rows) rows->write_all();
  *sum += hs::penalize(penalty, w, dw, dims, k_);
}

template <typename real>
void Cpu<real>::add_up(double* sum, const double* parts, int64_t n) {
  double all = 0;
  for (int64_t i = 0; i < n; i++) all += parts[i];
  *sum = all;
}

template <typename real>
void Cpu<real>::add_number(double* sum, const real* x) {
  *sum += double(*x);
}

template <typename real>
void Cpu<real>::total(double* loss, const double* penalty, const double* activity, double* finite) {
  *loss += *penalty + *activity;
  *finite = std::isfinite(*loss) ? 1 : 0;
}

template <typename real>
void Cpu<real>::check(double* finite, const real* x, const GradRows* rows, int64_t n) {
  if (!this->finite(x, rows, n)) *finite = 0;
}

template <typename real>
bool Cpu<real>::finite(const real* x, const GradRows* rows, int64_t n) const {
  std::atomic<bool> finite{true};
  const auto look = [&](int64_t begin, int64_t end) {
    if (!k_->all_finite(x + begin, end - begin)) finite = false;
  };
  if (rows) {
    each_written_run(*rows,
                     [&](int64_t v0, int64_t v1) { look(v0 * rows->width, v1 * rows->width); });
  } else {
    for_elements(n, look);
  }
  return finite;
}

template <typename real>
void Cpu<real>::commit(real* to, const real* from, int64_t n, const double* finite) {
  if (!finite || *finite != 0) copy(to, from, n * int64_t(sizeof(real)));
}

template class Cpu<float>;
template class Cpu<double>;

}  // namespace hs
