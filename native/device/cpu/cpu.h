// The first device: its memory is the heap, its verbs have run when they return, on the threads of
// threads/parallel.h and with the kernels of one instruction set.
#pragma once
#include <chrono>

#include "device/cpu/host_memory.h"
#include "device/cpu/kernels/table.h"
#include "device/cpu/pace.h"
#include "device/device.h"

namespace hs {

template <typename real>
class Cpu final : public Device<real> {
 public:
  explicit Cpu(const Table<real>& kernels) : k_(&kernels) {}

  Memory::Room room(int64_t held) const override { return host_memory().room(held); }
  void* allocate(int64_t bytes, bool zeros) override {
    return host_memory().allocate(bytes, zeros);
  }
  void release(void* memory, int64_t bytes, bool zeros) noexcept override {
    host_memory().release(memory, bytes, zeros);
  }
  void upload(void* to, const void* host, int64_t bytes) override {
    host_memory().upload(to, host, bytes);
  }
  void download(void* host, const void* from, int64_t bytes) const override {
    host_memory().download(host, from, bytes);
  }
  void copy(void* to, const void* from, int64_t bytes) override {
    host_memory().copy(to, from, bytes);
  }
  void zero(void* to, int64_t bytes) override { host_memory().zero(to, bytes); }

  std::unique_ptr<Layer<real>> op(const std::string&, const Config&, const OpContext&) override;
  std::unique_ptr<Criterion<real>> criterion(const Config& spec) override;
  std::unique_ptr<Updater<real>> updater(const std::string& optimizer) override;

  void batch(int kind, double work, FunctionRef<void()> run) override;
  void repeated(const std::vector<int64_t>&, FunctionRef<void()> run) override { run(); }
  int64_t layout_version() const override;  // threads: ops may have scratch for each

  void fill(real* y, real a, int64_t n) override;
  void add(real* y, const real* x, int64_t n) override;
  void scale(real* y, double a, int64_t n) override;
  void add_gradient(real* sum, GradRows*, const real* more, const GradRows*, int64_t n) override;
  void gather(real*, const real*, const Extent&, const int32_t* order, int64_t first) override;
  void keep(const std::shared_ptr<const void>&, const real*, int64_t) override {}
  void scatter(real*, const real*, const Extent&) const override;
  void penalize(double*, const Penalty&, const real*, real*, GradRows*, const Dims&) override;
  void add_up(double* sum, const double* parts, int64_t n) override;
  void add_number(double* sum, const real* x) override;
  void total(double* loss, const double* penalty, const double* activity, double*) override;
  void check(double* finite, const real* x, const GradRows*, int64_t n) override;
  bool finite(const real* x, const GradRows*, int64_t n) const override;
  void commit(real* to, const real* from, int64_t n, const double* finite) override;

 private:
  using Clock = std::chrono::steady_clock;

  const Table<real>* k_;
  Pace pace_[kBatchKinds];
  Clock::time_point batch_end_;
};

}  // namespace hs
