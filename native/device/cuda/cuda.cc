#include "device/cuda/cuda.h"

#include <algorithm>
#include <unordered_map>

#include "base/error.h"
#include "device/cuda/criterion.h"
#include "device/cuda/kernels/args.h"
#include "device/cuda/refusals.h"
#include "device/cuda/updater.h"
#include "registry.inc"

namespace hs {

#define HS_DECLARE(name)   \
  template <typename real> \
  std::unique_ptr<Layer<real>> make_cuda_##name(const Config&, const OpContext&, CardQueue&);
HS_CUDA_OPS(HS_DECLARE)
#undef HS_DECLARE

template <typename real>
Cuda<real>::Cuda(int ordinal, Operands operands) : queue_(Card::open(ordinal), operands) {
  const Card& card = Card::open(ordinal);
  if (operands == Operands::kInt8) refuse(CardRefusal::kInt8, "device 'cuda'", "mixed_int8");
  if (operands == Operands::kBfloat16 && card.major < 8) {
    refuse(CardRefusal::kBfloat16, "device 'cuda'",
           std::to_string(card.major) + "." + std::to_string(card.minor) + " of card " +
               std::to_string(ordinal));
  }
  number_.reserve(1);
}

template <typename real>
void* Cuda<real>::allocate(int64_t bytes, bool zeros) {
  void* memory = nullptr;
  try {
    memory = queue_.allocate(bytes);
  } catch (const Error& error) {
    if (error.code != Code::kOutOfMemory || !data_.forget()) throw;
    memory = queue_.allocate(bytes);
  }
  if (zeros) queue_.zero(memory, bytes);
  return memory;
}

template <typename real>
void Cuda<real>::release(void* memory, int64_t, bool) noexcept {
  queue_.release(memory);
}

template <typename real>
void Cuda<real>::upload(void* to, const void* host, int64_t bytes) {
  queue_.upload(to, host, bytes);
  queue_.wait();  // another plan, with a queue of its own, may have the same weights
}

template <typename real>
void Cuda<real>::download(void* host, const void* from, int64_t bytes) const {
  queue_.download(host, from, bytes);
}

template <typename real>
void Cuda<real>::copy(void* to, const void* from, int64_t bytes) {
  queue_.copy(to, from, bytes);
}

template <typename real>
void Cuda<real>::zero(void* to, int64_t bytes) {
  queue_.zero(to, bytes);
}

template <typename real>
std::unique_ptr<Layer<real>> Cuda<real>::op(const std::string& name, const Config& options,
                                            const OpContext& context) {
#define HS_ENTRY(name) {#name, &make_cuda_##name<real>},
  static const auto* const table =
      new std::unordered_map<std::string, CudaLayerFactory<real>>{HS_CUDA_OPS(HS_ENTRY)};
#undef HS_ENTRY
  const auto it = table->find(name);
  if (it == table->end()) {
    throw Error(Code::kOption, context.where(),
                "its operation '" + name +
                    "' does not run on a card. Compile the model with device 'cpu'.");
  }
  return it->second(options, context, queue_);
}

template <typename real>
std::unique_ptr<Criterion<real>> Cuda<real>::criterion(const Config& spec) {
  return std::make_unique<CudaCriterion<real>>(spec, queue_);
}

template <typename real>
std::unique_ptr<Updater<real>> Cuda<real>::updater(const std::string& optimizer) {
  return make_cuda_updater<real>(optimizer, queue_);
}

template <typename real>
void Cuda<real>::batch(int, double, FunctionRef<void()> run) {
  queue_.begin();
  run();
  queue_.change(false);
}

template <typename real>
void Cuda<real>::repeated(const std::vector<int64_t>& alike, FunctionRef<void()> run) {
  queue_.repeated(alike, run);
}

template <typename real>
void Cuda<real>::fill(real* y, real a, int64_t n) {
  queue_.launch("fill", FillArgs<real>{n, y, a});
}

template <typename real>
void Cuda<real>::add(real* y, const real* x, int64_t n) {
  queue_.launch("add", AddArgs<real>{n, y, x});
}

// Gradients on a card have all their rows.
template <typename real>
void Cuda<real>::add_gradient(real* sum, GradRows* sum_rows, const real* more, const GradRows*,
                              int64_t n) {
  add(sum, more, n);
  if (sum_rows) sum_rows->write_all();
}

template <typename real>
void Cuda<real>::gather(real* x_tb, const real* host_bt, const Extent& to, const int32_t* order,
                        int64_t first) {
  if (ahead_) return data_.send(host_bt, to, order, first);
  if (data_.gather(x_tb, host_bt, to, order, first)) return;
  const int64_t bytes = to.size() * int64_t(sizeof(real));
  hs::gather(static_cast<real*>(queue_.stage(bytes)), host_bt, to, order, first);
  queue_.send(x_tb, bytes);
}

template <typename real>
void Cuda<real>::ahead(FunctionRef<void()> run) {
  ahead_ = true;
  try {
    queue_.beside(run);
  } catch (...) {  // what is asked for next says so, if it was the card
    data_.nothing_sent();
  }
  ahead_ = false;
}

template <typename real>
void Cuda<real>::keep(const std::shared_ptr<const void>& data, const real* host_bt, int64_t n) {
  data_.keep(data, host_bt, n);
}

template <typename real>
void Cuda<real>::scatter(real* host_bt, const real* y_tb, const Extent& from) const {
  std::vector<real> y(static_cast<size_t>(from.size()));
  queue_.download(y.data(), y_tb, from.size() * int64_t(sizeof(real)));
  hs::scatter(host_bt, y.data(), from);
}

template <typename real>
void Cuda<real>::penalize(double* sum, const Penalty& penalty, const real* w, real* dw,
                          GradRows* rows, const Dims& dims) {
  if (dw && rows) rows->write_all();
  penalties_.penalize(sum, penalty, w, dw, dims);
}

template <typename real>
void Cuda<real>::add_up(double* sum, const double* parts, int64_t n) {
  queue_.launch("add_up", AddUpArgs<real>{1, sum, parts, n, false});
}

template <typename real>
void Cuda<real>::add_number(double* sum, const real* x) {
  queue_.launch("add_number", AddNumberArgs<real>{1, sum, x});
}

template <typename real>
void Cuda<real>::total(double* loss, const double* penalty, const double* activity,
                       double* finite) {
  queue_.launch("total", TotalArgs<real>{1, loss, penalty, activity, finite});
}

template <typename real>
void Cuda<real>::check(double* finite, const real* x, const GradRows*, int64_t n) {
  queue_.launch("check", CheckArgs<real>{n, finite, x});
}

template <typename real>
bool Cuda<real>::finite(const real* x, const GradRows*, int64_t n) const {
  const double one = 1;
  double answer = 0;
  queue_.upload(number_.data(), &one, sizeof(one));
  queue_.launch("check", CheckArgs<real>{n, number_.data(), x});
  queue_.download(&answer, number_.data(), sizeof(answer));
  return answer != 0;
}

template <typename real>
void Cuda<real>::commit(real* to, const real* from, int64_t n, const double* finite) {
  queue_.launch("commit", CommitArgs<real>{n, to, from, finite});
}

template class Cuda<float>;
template class Cuda<double>;

}  // namespace hs
