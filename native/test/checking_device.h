// A device that checks: its memory is beyond the reach of the host but inside of its calls, between
// pages that nobody may touch, and NaN at first; every pointer it is given must lie in it; its ops
// are those of the CPU, each in a memory of its own (checking_layer.h). It counts its calls.
#pragma once
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

#include "device/cpu/cpu.h"
#include "test/checking_layer.h"

namespace hs {
namespace test {

// Without mmap there are no guards; all else is checked.
class CheckingMemory {
 public:
  ~CheckingMemory() {
    for (auto& [data, block] : blocks_) drop(block);
  }

  void* allocate(int64_t bytes, bool zeros) {
    Block block;
    block.bytes = bytes;
#if defined(__linux__)
    const int64_t page = sysconf(_SC_PAGESIZE), size = (bytes + page - 1) / page * page;
    block.mapped = size + 2 * page;
    block.memory =
        mmap(nullptr, size_t(block.mapped), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block.memory == MAP_FAILED) throw std::bad_alloc();
    block.pages = static_cast<char*>(block.memory) + page;
    block.size = size;
    // Its end lies at a guard, as near as the alignment allows.
    char* const data = block.pages + (size - bytes) / 64 * 64;
    protect(block, true);
    std::memset(block.pages, zeros ? 0 : 0xff, size_t(size));
    if (open_ == 0) protect(block, false);
#else
    char* const data = static_cast<char*>(::operator new(size_t(bytes), std::align_val_t(64)));
    std::memset(data, zeros ? 0 : 0xff, size_t(bytes));
#endif
    blocks_[data] = block;
    return data;
  }
  void release(void* data) noexcept {
    const auto it = blocks_.find(static_cast<const char*>(data));
    if (it == blocks_.end()) return;
    drop(it->second);
#if !defined(__linux__)
    ::operator delete(data, std::align_val_t(64));
#endif
    blocks_.erase(it);
  }
  // [data, data + bytes) lies in one block.
  bool has(const void* data, int64_t bytes) const {
    const char* const at = static_cast<const char*>(data);
    auto it = blocks_.upper_bound(at);
    if (it == blocks_.begin()) return false;
    --it;
    return at + bytes <= it->first + it->second.bytes;
  }

  struct Open {  // while alive, the memory can be reached
    explicit Open(CheckingMemory& m) : memory(m) { memory.enter(1); }
    ~Open() { memory.enter(-1); }
    CheckingMemory& memory;
  };

 private:
  struct Block {
    void* memory = nullptr;
    char* pages = nullptr;
    int64_t bytes = 0, mapped = 0, size = 0;
  };
  void enter(int by) {
    const bool was = open_ > 0;
    open_ += by;
    if (was == (open_ > 0)) return;
    for (auto& [data, block] : blocks_) protect(block, open_ > 0);
  }
  static void protect(const Block& block, bool open) {
#if defined(__linux__)
    if (block.size)
      mprotect(block.pages, size_t(block.size), open ? PROT_READ | PROT_WRITE : PROT_NONE);
#else
    (void)block, (void)open;
#endif
  }
  static void drop(const Block& block) {
#if defined(__linux__)
    munmap(block.memory, size_t(block.mapped));
#else
    (void)block;
#endif
  }
  std::map<const char*, Block> blocks_;
  int open_ = 0;
};

// A call of an op is one of the device's.
template <typename real>
class OpeningLayer final : public Layer<real> {
 public:
  OpeningLayer(std::unique_ptr<Layer<real>> inner, CheckingMemory& memory,
               std::map<std::string, int>& calls, const std::string& name)
      : inner_(std::move(inner)), memory_(memory), calls_(calls), name_(name) {}
  OpShape& shape() override { return inner_->shape(); }
  void prepare(Declaration& d) override { inner_->prepare(d); }
  void forward(Pass<real>& p) override { call(p, "forward", &Layer<real>::forward); }
  void backward(Pass<real>& p) override { call(p, "backward", &Layer<real>::backward); }
  void commit(Pass<real>& p) override { call(p, "commit", &Layer<real>::commit); }

 private:
  void call(Pass<real>& p, const char* what, void (Layer<real>::*fn)(Pass<real>&)) {
    CheckingMemory::Open open(memory_);
    calls_[name_ + " " + what]++;
    ((*inner_).*fn)(p);
  }
  std::unique_ptr<Layer<real>> inner_;
  CheckingMemory& memory_;
  std::map<std::string, int>& calls_;
  std::string name_;
};

template <typename real>
class CheckingDevice final : public Device<real> {
 public:
  std::map<std::string, int> calls;  // "add": 3, "dense forward": 1

  Memory::Room room(int64_t) const override { return host_room(); }
  void* allocate(int64_t bytes, bool zeros) override { return memory_.allocate(bytes, zeros); }
  void release(void* data, int64_t, bool) noexcept override { memory_.release(data); }
  void upload(void* to, const void* host, int64_t bytes) override {
    const Call call(*this, "upload", {{to, bytes}}, {{host, bytes}});
    cpu_.upload(to, host, bytes);
  }
  void download(void* host, const void* from, int64_t bytes) const override {
    const Call call(*this, "download", {{from, bytes}}, {{host, bytes}});
    cpu_.download(host, from, bytes);
  }
  void copy(void* to, const void* from, int64_t bytes) override {
    const Call call(*this, "copy", {{to, bytes}, {from, bytes}});
    cpu_.copy(to, from, bytes);
  }
  void zero(void* to, int64_t bytes) override {
    const Call call(*this, "zero", {{to, bytes}});
    cpu_.zero(to, bytes);
  }

  std::unique_ptr<Layer<real>> op(const std::string& name, const Config& options,
                                  const OpContext& context) override {
    std::unique_ptr<Layer<real>> inner = cpu_.op(name, options, context);
    if (!inner) return nullptr;
    inner = std::make_unique<CheckingLayer<real>>(std::move(inner), context);
    return std::make_unique<OpeningLayer<real>>(std::move(inner), memory_, calls, name);
  }
  std::unique_ptr<Criterion<real>> criterion(const Config& spec) override {
    return std::make_unique<Checking>(*this, cpu_.criterion(spec));
  }
  std::unique_ptr<Updater<real>> updater(const std::string& optimizer) override {
    std::unique_ptr<Updater<real>> inner = cpu_.updater(optimizer);
    return inner ? std::make_unique<Updating>(*this, std::move(inner)) : nullptr;
  }

  void batch(int, double, FunctionRef<void()> run) override {
    calls["batch"]++;
    run();
  }
  void repeated(const std::vector<int64_t>&, FunctionRef<void()> run) override {
    calls["repeated"]++;
    run();
  }
  int64_t layout_version() const override { return cpu_.layout_version(); }

  void fill(real* y, real a, int64_t n) override {
    const Call call(*this, "fill", {{y, of(n)}});
    cpu_.fill(y, a, n);
  }
  void add(real* y, const real* x, int64_t n) override {
    const Call call(*this, "add", {{y, of(n)}, {x, of(n)}});
    cpu_.add(y, x, n);
  }
  void scale(real* y, double a, int64_t n) override {
    const Call call(*this, "scale", {{y, of(n)}});
    cpu_.scale(y, a, n);
  }
  void add_gradient(real* sum, GradRows* sum_rows, const real* more, const GradRows* more_rows,
                    int64_t n) override {
    const Call call(*this, "add_gradient", {{sum, of(n)}, {more, of(n)}});
    cpu_.add_gradient(sum, sum_rows, more, more_rows, n);
  }
  void gather(real* x_tb, const real* host_bt, const Extent& to, const int32_t* order,
              int64_t first) override {
    const Call call(*this, "gather", {{x_tb, of(to.size())}}, {{host_bt, 1}});
    cpu_.gather(x_tb, host_bt, to, order, first);
  }
  void keep(const std::shared_ptr<const void>&, const real*, int64_t) override {}
  void scatter(real* host_bt, const real* y_tb, const Extent& from) const override {
    const Call call(*this, "scatter", {{y_tb, of(from.size())}}, {{host_bt, of(from.size())}});
    cpu_.scatter(host_bt, y_tb, from);
  }
  void penalize(double* sum, const Penalty& penalty, const real* w, real* dw, GradRows* rows,
                const Dims& dims) override {
    const int64_t n = of(count(dims));
    const Call call(*this, "penalize", {{sum, kNumber}, {w, n}, {dw ? dw : w, n}});
    cpu_.penalize(sum, penalty, w, dw, rows, dims);
  }
  void add_up(double* sum, const double* parts, int64_t n) override {
    const Call call(*this, "add_up", {{sum, kNumber}, {parts, n * kNumber}});
    cpu_.add_up(sum, parts, n);
  }
  void add_number(double* sum, const real* x) override {
    const Call call(*this, "add_number", {{sum, kNumber}, {x, of(1)}});
    cpu_.add_number(sum, x);
  }
  void total(double* loss, const double* penalty, const double* activity, double* finite) override {
    const Call call(*this, "total",
                    {{loss, kNumber}, {penalty, kNumber}, {activity, kNumber}, {finite, kNumber}});
    cpu_.total(loss, penalty, activity, finite);
  }
  void check(double* finite, const real* x, const GradRows* rows, int64_t n) override {
    const Call call(*this, "check", {{finite, kNumber}, {x, of(n)}});
    cpu_.check(finite, x, rows, n);
  }
  bool finite(const real* x, const GradRows* rows, int64_t n) const override {
    const Call call(*this, "finite", {{x, of(n)}});
    return cpu_.finite(x, rows, n);
  }
  void commit(real* to, const real* from, int64_t n, const double* finite) override {
    const Call call(*this, "commit", {{to, of(n)}, {from, of(n)}});
    cpu_.commit(to, from, n, finite);
  }

 private:
  static constexpr int64_t kNumber = sizeof(double);
  static int64_t of(int64_t n) { return n * int64_t(sizeof(real)); }

  struct Range {
    const void* data;
    int64_t bytes;
  };
  // Counts, looks where pointers lie, and opens the memory while it is alive.
  struct Call {
    Call(const CheckingDevice& device, const char* name, std::initializer_list<Range> here,
         std::initializer_list<Range> host = {})
        : open(const_cast<CheckingDevice&>(device).memory_) {
      const_cast<CheckingDevice&>(device).calls[name]++;
      for (const Range& r : here) {
        if (r.bytes > 0 && !device.memory_.has(r.data, r.bytes))
          throw std::runtime_error(std::string(name) + ": a pointer leads out of the device");
      }
      for (const Range& r : host) {
        if (r.bytes > 0 && device.memory_.has(r.data, 1))
          throw std::runtime_error(std::string(name) + ": a host pointer leads into the device");
      }
    }
    CheckingMemory::Open open;
  };

  class Checking final : public Criterion<real> {
   public:
    Checking(CheckingDevice& device, std::unique_ptr<Criterion<real>> inner)
        : device_(device), inner_(std::move(inner)) {}
    bool sparse() const override { return inner_->sparse(); }
    int64_t target_dim() const override { return inner_->target_dim(); }
    bool labelling() const override { return inner_->labelling(); }
    void check_labels(const real* y, const real* weights, int64_t samples, int64_t L,
                      const Extent& p) const override {
      inner_->check_labels(y, weights, samples, L, p);
    }
    bool has_targets() const override { return inner_->has_targets(); }
    int metrics() const override { return inner_->metrics(); }
    void value(const Scored<real>& s, double* loss, double* weighted, double* nothing) override {
      const Call call(device_, "value",
                      {{s.p, of(s.R * s.K)},
                       {s.y, of(s.R * s.Ky)},
                       {s.coef, of(s.R)},
                       {s.score, of(s.R)},
                       {loss, kNumber},
                       {weighted, kNumber},
                       {nothing, kNumber}});
      inner_->value(s, loss, weighted, nothing);
    }
    void gradient(const Scored<real>& s, real* dp) override {
      const Call call(device_, "gradient", {{dp, of(s.R * s.K)}, {s.p, of(s.R * s.K)}});
      inner_->gradient(s, dp);
    }
    void measure(const Scored<real>& s, double* values) override {
      const Call call(device_, "measure", {{values, metrics() * kNumber}});
      inner_->measure(s, values);
    }

   private:
    CheckingDevice& device_;
    std::unique_ptr<Criterion<real>> inner_;
  };

  class Updating final : public Updater<real> {
   public:
    Updating(CheckingDevice& device, std::unique_ptr<Updater<real>> inner)
        : device_(device), inner_(std::move(inner)) {}
    int moments() const override { return inner_->moments(); }
    void prepare(const std::vector<Param>& params, bool begun) override {
      inner_->prepare(params, begun);
    }
    void apply(const std::vector<Param>& params, const Weights<real>& w, const Hyper& h,
               const Clipping& clipping, const double* finite) override {
      const Call call(device_, "apply",
                      {{finite, kNumber},
                       {w.values, of(w.stride)},
                       {w.grads, of(w.stride)},
                       {w.moments, of(moments() * w.stride)}});
      inner_->apply(params, w, h, clipping, finite);
    }
    void settle(const Weights<real>& w, const Hyper& h) override {
      const Call call(device_, "settle", {{w.moments, of(moments() * w.stride)}});
      inner_->settle(w, h);
    }
    void moment_written(int param) override { inner_->moment_written(param); }

   private:
    CheckingDevice& device_;
    std::unique_ptr<Updater<real>> inner_;
  };

  CheckingMemory memory_;
  Cpu<real> cpu_{kernels<real>()};
};

}  // namespace test
}  // namespace hs
