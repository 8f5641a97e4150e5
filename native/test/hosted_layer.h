// An op of a device whose memory the host cannot reach, as an op over the host's: what it may read
// goes there before a call, what it may write comes back.
#pragma once
#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "device/device.h"
#include "test/checking_layer.h"

namespace hs {
namespace test {

template <typename real>
class HostedLayer final : public OpShape, public Layer<real> {
 public:
  HostedLayer(std::unique_ptr<Layer<real>> inner, const OpContext& context, Memory& memory)
      : OpShape(context), inner_(std::move(inner)), memory_(memory) {}

  OpShape& shape() override { return *this; }
  Extent output(const std::vector<Extent>& x) const override { return inner_->shape().output(x); }
  std::vector<Extent> more_outputs(const std::vector<Extent>& x) const override {
    return inner_->shape().more_outputs(x);
  }
  void declare(Declaration& d, const std::vector<Extent>& x, const Extent& y,
               bool masked) override {
    recorder_ = Recorder();
    recorder_.to = &d;
    inner_->shape().declare(recorder_, x, y, masked);
  }
  void prepare(Declaration& d) override {
    recorder_.to = &d;
    inner_->prepare(recorder_);
  }
  void forward(Pass<real>& p) override { call(p, &Layer<real>::forward); }
  void backward(Pass<real>& p) override { call(p, &Layer<real>::backward); }
  void commit(Pass<real>& p) override { call(p, &Layer<real>::commit); }

 private:
  // n numbers of the host, and their place on the device.
  struct Copied {
    Copied(Memory& memory, real* host, int64_t n) : host(host), there(memory) {
      there.reserve(std::max<int64_t>(n, 1));
      if (n > 0) memory.upload(there.data(), host, n * int64_t(sizeof(real)));
      size = n;
    }
    real* host;
    Block<real> there;
    int64_t size;
  };
  using Copies = std::vector<std::unique_ptr<Copied>>;

  void call(Pass<real>& p, void (Layer<real>::*fn)(Pass<real>&)) {
    Copies copies;
    const auto there = [&](const real* host, int64_t n) -> real* {
      if (!host) return nullptr;
      copies.push_back(std::make_unique<Copied>(memory_, const_cast<real*>(host), n));
      return copies.back()->there.data();
    };
    Pass<real> pass = p;
    int64_t sizes[int(Arena::kCount)] = {};
    for (const Declared& d : recorder_.all) {
      int64_t& size = sizes[int(d.tensor.arena)];
      size = std::max(size, d.tensor.offset + d.tensor.size);
    }
    sizes[int(Arena::kGrads)] = sizes[int(Arena::kParams)];
    for (int a = 0; a < int(Arena::kCount); a++) pass.arenas[a] = there(p.arenas[a], sizes[a]);
    // A pointer of the pass, where it lies in an arena or in another copy: not a copy of its own.
    const auto place = [&](const real* host, int64_t n) -> real* {
      for (const auto& c : copies) {
        if (host && host >= c->host && host < c->host + c->size)
          return c->there.data() + (host - c->host);
      }
      return there(host, n);
    };
    for (size_t i = 0; i < p.x.size(); i++) pass.x[i] = place(p.x[i], p.x_extent[i].size());
    pass.y = place(p.y, p.y_extent.size());
    pass.dy = place(p.dy, p.y_extent.size());
    const Extent& e = p.x_extent[0].sequence() ? p.x_extent[0] : p.y_extent;
    pass.mask = place(p.mask, e.rows * e.steps());
    pass.mask_out = place(p.mask_out, p.y_extent.rows * p.y_extent.steps());
    for (size_t i = 0; i < p.dx.size(); i++) pass.dx[i] = place(p.dx[i], p.x_extent[i].size());
    for (size_t i = 0; i < p.more.size(); i++) {
      pass.more[i].y = place(p.more[i].y, p.more[i].extent.size());
      pass.more[i].dy = place(p.more[i].dy, p.more[i].extent.size());
    }
    for (size_t i = 0; i < p.beside.size(); i++) {
      int64_t size = 0;
      for (const Declared& d : recorder_.all) {
        if (d.param && d.tensor.offset == p.beside[i].offset) size = d.tensor.size;
      }
      pass.beside[i].grad = place(p.beside[i].grad, size);
    }
    Block<double> finite(memory_);
    if (p.finite) {
      finite.reserve(1);
      memory_.upload(finite.data(), p.finite, sizeof(double));
      pass.finite = finite.data();
    }
    Block<real> wrong(memory_);
    wrong.reserve(1);
    memory_.zero(wrong.data(), sizeof(real));
    pass.wrong = wrong.data();
    ((*inner_).*fn)(pass);
    for (const auto& c : copies) {
      if (c->size > 0) memory_.download(c->host, c->there.data(), c->size * int64_t(sizeof(real)));
    }
    real is_wrong = 0;
    memory_.download(&is_wrong, wrong.data(), sizeof(real));
    if (is_wrong != 0) inner_->look(pass);
  }

  std::unique_ptr<Layer<real>> inner_;
  Memory& memory_;
  Recorder recorder_;
};

}  // namespace test
}  // namespace hs
