// The parameters of a model: where they lie, what they are called, what is asked of them. Their
// places never move, so they can be written before any data come and survive every change of batch
// size. Plans may have their values together: one that trains, and others that only read them.
#pragma once
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/arena.h"
#include "device/device.h"

namespace hs {

// They belong to the model: any number of ops may use one. Those of trainable ops lie first:
// gradients and moments need room for those alone.
template <typename real>
class Params {
 public:
  // of: has the values, under the names that the parameters say they are `from`; none here learns.
  explicit Params(std::shared_ptr<Device<real>> device, const Params* of = nullptr)
      : device_(device.get()), store_(of ? of->store_ : std::make_shared<Store>(device)), of_(of) {}
  int add(const Config& config);  // ParamSpec of lib/spec.ts
  // learns[i]: an op with a trainable parameter, which writes the gradients of all its parameters,
  // uses parameter i. All become zero, unless they are those of other Params.
  void allocate(const std::vector<char>& learns);
  void need_gradients();     // allocates grads, at the first backward pass
  GradRows* by_rows(int i);  // of parameter i, from now on

  const Param& operator[](int i) const { return list_[static_cast<size_t>(i)]; }
  const std::vector<Param>& list() const { return list_; }
  int find(const std::string& path) const;  // index, or -1

  // How often values have changed, here or where they are shared.
  int64_t changes() const { return store_->changes; }
  void changed() { store_->changes++; }

  real* values() const { return store_->values.data(); }
  real* grads() const { return grads_.data(); }
  real* value(const Param& p) const { return values() + p.offset; }
  real* grad(const Param& p) const { return grads_.data() + p.offset; }
  bool learns(const Param& p) const { return p.offset < trained_size_; }
  bool has_grad(const Param& p) const { return grads_.data() && learns(p); }
  int64_t trained_size() const {
    return trained_size_;
  }  // elements that have gradients and moments
  int64_t bytes() const { return (owns_ ? store_->values.bytes() : 0) + grads_.bytes(); }

  // *sum = all of them; gradients: added to grads of trainable ones.
  void penalties(double* sum, bool gradients) const;
  void check_gradients(double* finite) const;  // *finite = 0 where one is not finite
  // The one where that began, or -1.
  int first_bad_gradient() const;

 private:
  struct Store {
    explicit Store(std::shared_ptr<Device<real>> d) : device(std::move(d)), values(*device) {}
    const std::shared_ptr<Device<real>> device;  // whose memory it is
    Block<real> values;
    int64_t changes = 0;
  };

  Device<real>* const device_;
  const std::shared_ptr<Store> store_;
  const Params* of_;  // until allocate()
  const bool owns_ = of_ == nullptr;
  std::vector<Param> list_;
  std::unordered_map<std::string, int> by_path_;
  Block<real> grads_{*device_};
  int64_t total_ = 0, trained_size_ = 0;
};

}  // namespace hs
