// A layer outside any plan: its own arenas, filled with NaN wherever the seam (ops/op.h)
// promises nothing, and with gaps of a guard value between the tensors. A layer that relies on old
// scratch, adds where it must write, or reads or writes beyond a tensor is caught by that alone.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "device/cpu/ops/parts/cpu_layer.h"

namespace hs {
namespace test {

// Options of a layer: tree({{"units", 3}, {"activation", "tanh"}, {"bias", true}, {"dims", Dims{2,
// 1}}}).
struct Option : Config {
  Option(int n) : Option(double(n)) {}
  Option(double n) { kind = Kind::kNumber, number = n; }
  Option(bool on) { kind = Kind::kFlag, flag = on; }
  Option(const char* s) { kind = Kind::kText, text = s; }
  Option(const std::string& s) { kind = Kind::kText, text = s; }
  explicit Option(const Config& config) : Config(config) {}
  Option(const Dims& dims) {
    kind = Kind::kList;
    for (int64_t d : dims) list.push_back(Option(double(d)));
  }
};
using Options = std::vector<std::pair<std::string, Option>>;

inline Config tree(const Options& options) {
  Config c;
  c.kind = Config::Kind::kTree;
  for (const auto& [key, value] : options) c.tree[key] = value;
  return c;
}

inline const OpContext kRigged = {"rig", "Rig", 3, true};

// layer_rig.cc. k: kernels other than those in use.
template <typename real>
std::unique_ptr<Layer<real>> make_layer(const std::string& name, const Config& options,
                                        const OpContext& context = kRigged,
                                        const Table<real>* k = nullptr);
std::vector<std::string> layer_names();  // every registered layer
std::vector<std::string> cell_names();   // every registered cell

template <typename real>
class Rig : private Declaration {
 public:
  // x: the extents of the inputs; training: dropout is active, and backward may be called.
  Rig(std::unique_ptr<Layer<real>> layer, std::vector<Extent> x, bool training, bool masked = false)
      : layer_(std::move(layer)), training_(training) {
    pass.training = training;
    pass.backward_follows = training;
    pass.dropout = {7, 11};
    pass.x_extent = x;
    pass.y_extent = layer_->shape().output(x);
    layer_->shape().declare(*this, x, pass.y_extent, masked);
    layer_->prepare(*this);
    for (int a = 0; a < kArenas; a++) memory_[a].assign(size_t(sizes_[a]) + kGap, guard());
    for (const Extent& e : x) {
      inputs.push_back(std::vector<real>(size_t(e.size())));
      input_gradients.push_back(std::vector<real>(size_t(e.size())));
    }
    output_.assign(size_t(pass.y_extent.size()), 0);
    dy.assign(output_.size(), 0);
    const Extent& e = x[0].sequence() ? x[0] : pass.y_extent;
    if (masked) mask.assign(size_t(e.rows * e.steps()), 1);
    mask_out.assign(size_t(pass.y_extent.rows * pass.y_extent.steps()), 0);
    const auto zero = [&](const Tensor& t) { std::fill_n(memory(t), t.size, real(0)); };
    for (auto& [name, tensor] : params) zero(tensor);
    for (auto& [name, tensor] : carries) zero(tensor);
  }

  std::map<std::string, Tensor> params, carries, nexts;
  Pass<real> pass;
  std::vector<std::vector<real>> inputs, input_gradients;
  std::vector<real> dy, mask, mask_out;
  std::map<std::string, Dims> dims;  // of the parameters
  bool wants_input_gradient = true;

  real* value(const std::string& param) { return memory(params.at(param)); }
  real* gradient(const std::string& param) {
    return memory_[int(Arena::kGrads)].data() + params.at(param).offset;
  }
  real* carry(const std::string& name) { return memory(carries.at(name)); }
  real* next(const std::string& param) { return memory(nexts.at(param)); }
  int64_t size(const std::string& param) const { return params.at(param).size; }
  int64_t saved_elements() const { return sizes_[int(Arena::kSaved)]; }

  // A copy of the output: [T, B, ...] as it lies.
  std::vector<real> forward() {
    connect();
    poison(Arena::kSaved);
    poison(Arena::kScratch);
    if (pass.repack) poison(Arena::kPacked);
    layer_->forward(pass);
    check_gaps();
    return std::vector<real>(pass.y, pass.y + pass.y_extent.size());
  }

  // Into gradient(...) and input_gradients; dy is the gradient of the output.
  void backward() {
    poison(Arena::kScratch);
    poison(Arena::kGrads);
    if (rows_) std::fill(rows_->written.begin(), rows_->written.end(), char(1));
    for (auto& dx : input_gradients) dx.assign(dx.size(), std::numeric_limits<real>::quiet_NaN());
    layer_->backward(pass);
    check_gaps();
  }

  void commit() { layer_->commit(pass); }

 private:
  static constexpr int kArenas = int(Arena::kCount);
  static constexpr int64_t kGap = 16;
  static real guard() { return real(-7.25e30); }

  real* memory(const Tensor& t) { return memory_[int(t.arena)].data() + t.offset; }

  void connect() {
    pass.x.clear(), pass.dx.clear();
    for (size_t i = 0; i < inputs.size(); i++) {
      pass.x.push_back(inputs[i].data());
      pass.dx.push_back(wants_input_gradient ? input_gradients[i].data() : nullptr);
    }
    pass.y = in_place_ ? inputs[0].data() : alias_.offset >= 0 ? memory(alias_) : output_.data();
    pass.dy = dy.data();
    pass.mask = mask.empty() ? nullptr : mask.data();
    pass.mask_out = mask_out.data();
    for (int a = 0; a < kArenas; a++) pass.arenas[a] = memory_[a].data();
  }

  void poison(Arena arena) {
    for (const Tensor& t : tensors_) {
      if (arena == Arena::kGrads ? t.arena == Arena::kParams : t.arena == arena) {
        std::fill_n(memory_[int(arena)].data() + t.offset, t.size,
                    std::numeric_limits<real>::quiet_NaN());
      }
    }
  }

  void check_gaps() {
    for (const Tensor& t : tensors_) {
      check_gap(memory(t) + t.size);
      if (t.arena == Arena::kParams)
        check_gap(memory_[int(Arena::kGrads)].data() + t.offset + t.size);
    }
  }
  void check_gap(const real* gap) const {
    if (std::any_of(gap, gap + kGap, [](real v) { return v != guard(); }))
      throw std::runtime_error(layer_->shape().name() + ": wrote beyond a tensor");
  }

  Tensor place(Arena arena, const Dims& dims) {
    int64_t& top = sizes_[int(arena)];
    Tensor t{arena, top, count(dims)};
    top += (t.size + 15) / 16 * 16 + kGap;
    if (arena == Arena::kParams) sizes_[int(Arena::kGrads)] = top;
    tensors_.push_back(t);
    return t;
  }

  Tensor param(const char* name, const Dims& d) override {
    dims[name] = d;
    return params[name] = place(Arena::kParams, d);
  }
  Tensor param_by_rows(const char* name, const Dims& d, GradRows** rows) override {
    rows_ = std::make_unique<GradRows>(d);
    *rows = rows_.get();
    return param(name, d);
  }
  Tensor saved(const char*, const Dims& d) override { return place(Arena::kSaved, d); }
  Tensor scratch(const char*, const Dims& d) override { return place(Arena::kScratch, d); }
  Tensor packed(const char*, const Dims& d) override { return place(Arena::kPacked, d); }
  Tensor next(const char* name, const Dims& d) override {
    return nexts[name] = place(Arena::kSaved, d);
  }
  Tensor carry(const char* name, const Dims& d) override {
    return carries[name] = place(Arena::kCarry, d);
  }
  void output_is(Tensor tensor, int64_t offset) override {
    alias_ = tensor, alias_.offset += offset;
  }
  void output_is_input() override { in_place_ = true; }
  bool training() const override { return training_; }

  template <typename T>
  struct Aligned {  // std::vector memory on 64 bytes, as the plan's arenas
    using value_type = T;
    Aligned() = default;
    template <typename Other>
    Aligned(const Aligned<Other>&) {}
    T* allocate(size_t n) {
      return static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t(64)));
    }
    void deallocate(T* p, size_t) { ::operator delete(p, std::align_val_t(64)); }
    bool operator==(const Aligned&) const { return true; }
    bool operator!=(const Aligned&) const { return false; }
  };

  std::unique_ptr<Layer<real>> layer_;
  bool training_, in_place_ = false;
  Tensor alias_;
  std::unique_ptr<GradRows> rows_;
  std::vector<Tensor> tensors_;
  int64_t sizes_[kArenas] = {};
  std::vector<real, Aligned<real>> memory_[kArenas];
  std::vector<real> output_;
};

}  // namespace test
}  // namespace hs
