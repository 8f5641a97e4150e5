// An NVIDIA card as a device: its memory is the card's, its verbs are asked for in the order of one
// stream and done when the host waits: at a download.
#pragma once
#include <memory>
#include <string>

#include "base/arena.h"
#include "device/cuda/data.h"
#include "device/cuda/penalties.h"
#include "device/cuda/queue.h"
#include "device/cuda/queue_memory.h"
#include "device/device.h"

namespace hs {

template <typename real>
class Cuda final : public Device<real> {
 public:
  // Throws Error(kDevice) where there is no such card, with the reason.
  explicit Cuda(int ordinal, Operands operands = Operands::kExact);

  // allocate() has copies of data make way.
  Memory::Room room(int64_t held) const override { return queue_.room(held + data_.bytes()); }
  void* allocate(int64_t bytes, bool zeros) override;
  void release(void* memory, int64_t bytes, bool zeros) noexcept override;
  void upload(void* to, const void* host, int64_t bytes) override;
  void download(void* host, const void* from, int64_t bytes) const override;
  void copy(void* to, const void* from, int64_t bytes) override;
  void zero(void* to, int64_t bytes) override;

  std::unique_ptr<Layer<real>> op(const std::string&, const Config&, const OpContext&) override;
  std::unique_ptr<Criterion<real>> criterion(const Config& spec) override;
  std::unique_ptr<Updater<real>> updater(const std::string& optimizer) override;

  void batch(int kind, double work, FunctionRef<void()> run) override;
  void change() override { queue_.change(true); }
  void repeated(const std::vector<int64_t>& alike, FunctionRef<void()> run) override;
  Work rehearse(FunctionRef<void()> run) override { return queue_.rehearse(run); }
  int64_t layout_version() const override { return 0; }
  int64_t bytes() const override { return queue_.bytes() + data_.bytes(); }

  void fill(real* y, real a, int64_t n) override;
  void add(real* y, const real* x, int64_t n) override;
  void scale(real* y, double a, int64_t n) override;
  void add_gradient(real* sum, GradRows*, const real* more, const GradRows*, int64_t n) override;
  void gather(real*, const real*, const Extent&, const int32_t* order, int64_t first) override;
  void ahead(FunctionRef<void()> run) override;
  void keep(const std::shared_ptr<const void>&, const real*, int64_t) override;
  void scatter(real*, const real*, const Extent&) const override;
  void penalize(double*, const Penalty&, const real*, real*, GradRows*, const Dims&) override;
  void add_up(double* sum, const double* parts, int64_t n) override;
  void add_number(double* sum, const real* x) override;
  void total(double* loss, const double* penalty, const double* activity, double*) override;
  void check(double* finite, const real* x, const GradRows*, int64_t n) override;
  bool finite(const real* x, const GradRows*, int64_t n) const override;
  void commit(real* to, const real* from, int64_t n, const double* finite) override;

 private:
  mutable CardQueue queue_;
  QueueMemory memory_{queue_};
  CudaPenalties<real> penalties_{queue_};
  Block<double> number_{memory_};
  CardData<real> data_{queue_};
  bool ahead_ = false;  // gather() is for the next batch
};

// An op of the card: it asks for work in the queue of its plan.
template <typename real>
class CudaLayer : public Layer<real> {
 public:
  using Machine = CardQueue;  // what the nodes of a program run with (ops/node_run.h)

 protected:
  explicit CudaLayer(CardQueue& queue) : q(queue), k(&queue) {}
  CardQueue& q;
  CardQueue* const k;
};

// A file of ops/ is the op of its name, as on the CPU (device/cpu/ops/parts/cpu_layer.h): it
// defines the template make_cuda_dense and ends with HS_REGISTER_CUDA_LAYER(dense).
template <typename real>
using CudaLayerFactory = std::unique_ptr<Layer<real>> (*)(const Config& options, const OpContext&,
                                                          CardQueue&);

#define HS_REGISTER_CUDA_LAYER(name)                                                              \
  template std::unique_ptr<Layer<float>> make_cuda_##name<float>(const Config&, const OpContext&, \
                                                                 CardQueue&);                     \
  template std::unique_ptr<Layer<double>> make_cuda_##name<double>(const Config&,                 \
                                                                   const OpContext&, CardQueue&);

}  // namespace hs
