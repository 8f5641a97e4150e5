// An op that runs in a memory of its own: what it has declared and may read lies there at the
// places it knows, all else is NaN. Afterwards only what it may write goes back; anything else that
// has changed is an error. So an op that reads what it has not declared, counts on old scratch or
// leaves a place unwritten shows in the numbers, and one that writes elsewhere throws.
#pragma once
#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "device/cpu/ops/parts/cpu_layer.h"

namespace hs {
namespace test {

// Numbers between margins of a pattern that is a NaN, on 64 bytes as a plan's.
template <typename real>
class Guarded {
 public:
  static constexpr int64_t kMargin = 64;  // elements
  explicit Guarded(int64_t n = 0) : n_(n), memory_(size_t(n + 2 * kMargin + 16)) {
    std::memset(memory_.data(), 0xff, memory_.size() * sizeof(real));
  }
  real* data() {
    const auto address = reinterpret_cast<uintptr_t>(memory_.data() + kMargin);
    return reinterpret_cast<real*>((address + 63) / 64 * 64);
  }
  int64_t size() const { return n_; }
  // Of the places in [0, size) and around it: whether those outside of `mine` hold the pattern
  // still.
  bool untouched(const std::vector<std::pair<int64_t, int64_t>>& mine) {
    std::vector<char> owned(memory_.size(), 0);
    const int64_t first = data() - memory_.data();
    for (const auto& [from, n] : mine) std::fill_n(owned.begin() + first + from, n, char(1));
    for (size_t i = 0; i < memory_.size(); i++)
      if (!owned[i] && !is_pattern(memory_[i])) return false;
    return true;
  }

 private:
  static bool is_pattern(const real& v) {
    unsigned char bytes[sizeof(real)];
    std::memcpy(bytes, &v, sizeof(real));
    return std::all_of(bytes, bytes + sizeof(real), [](unsigned char b) { return b == 0xff; });
  }
  int64_t n_;
  std::vector<real> memory_;
};

struct Declared {
  Tensor tensor;
  bool param = false;    // wherever it lies: another op may move it (Declaration::next)
  bool by_rows = false;  // its gradient keeps its zeros from batch to batch
};

// Hands on what an op declares, and keeps note of it.
class Recorder final : public Declaration {
 public:
  std::vector<Declared> all;
  bool in_place = false;
  Tensor alias;  // of the output; offset -1: none
  Declaration* to = nullptr;

  Tensor param(const char* name, const Dims& d) override { return keep(to->param(name, d), true); }
  Tensor param_by_rows(const char* name, const Dims& d, GradRows** rows) override {
    return keep(to->param_by_rows(name, d, rows), true, true);
  }
  Tensor saved(const char* name, const Dims& d) override { return keep(to->saved(name, d)); }
  Tensor scratch(const char* name, const Dims& d) override { return keep(to->scratch(name, d)); }
  Tensor carry(const char* name, const Dims& d) override { return keep(to->carry(name, d)); }
  Tensor packed(const char* name, const Dims& d) override { return keep(to->packed(name, d)); }
  Tensor next(const char* name, const Dims& d) override { return keep(to->next(name, d)); }
  void output_is(Tensor tensor, int64_t offset) override {
    alias = tensor, alias.offset += offset;
    to->output_is(tensor, offset);
  }
  void output_is_input() override {
    in_place = true;
    to->output_is_input();
  }
  bool training() const override { return to->training(); }

 private:
  Tensor keep(Tensor tensor, bool param = false, bool by_rows = false) {
    all.push_back({tensor, param, by_rows});
    return tensor;
  }
};

template <typename real>
class CheckingLayer final : public OpShape, public Layer<real> {
 public:
  CheckingLayer(std::unique_ptr<Layer<real>> inner, const OpContext& context)
      : OpShape(context), inner_(std::move(inner)) {}

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

  void forward(Pass<real>& p) override {
    Room room(*this, p);
    for (const Declared& d : recorder_.all) {
      const Arena a = d.tensor.arena;
      if (d.param || a == Arena::kCarry || (a == Arena::kPacked && !p.repack)) room.take(d.tensor);
    }
    for (size_t i = 0; i < p.x.size(); i++) room.take_input(i);
    if (p.mask_out) room.give_mask_out();
    inner_->forward(room.pass);
    room.check_edges();
    for (const Declared& d : recorder_.all) {
      const Arena a = d.tensor.arena;
      if (d.param || a == Arena::kCarry)
        room.same(d.tensor);
      else if (a != Arena::kScratch)
        room.put(d.tensor);
    }
    for (size_t i = recorder_.in_place ? 1 : 0; i < p.x.size(); i++) room.same_input(i);
    room.put_output();
  }

  void backward(Pass<real>& p) override {
    Room room(*this, p);
    for (const Declared& d : recorder_.all) {
      if (d.tensor.arena == Arena::kScratch) continue;
      room.take(d.tensor);
      if (d.by_rows && trainable()) room.take_grad(d.tensor);
    }
    for (size_t i = 0; i < p.x.size(); i++) room.take_input(i), room.give_dx(i);
    room.take_output();
    inner_->backward(room.pass);
    room.check_edges();
    for (const Declared& d : recorder_.all) {
      const Arena a = d.tensor.arena;
      if (d.param) {
        room.same(d.tensor);
        if (a == Arena::kParams && trainable()) room.put_grad(d.tensor);
      } else if (a == Arena::kCarry) {
        room.same(d.tensor);
      } else if (a != Arena::kScratch) {
        room.put(d.tensor);
      }
    }
    for (size_t i = 0; i < p.x.size(); i++) room.same_input(i), room.put_dx(i);
    room.same_dy();
  }

  void commit(Pass<real>& p) override {
    Room room(*this, p);
    for (const Declared& d : recorder_.all)
      if (d.tensor.arena != Arena::kScratch) room.take(d.tensor);
    inner_->commit(room.pass);
    room.check_edges();
    for (const Declared& d : recorder_.all) {
      if (d.tensor.arena == Arena::kCarry)
        room.put(d.tensor);
      else if (d.tensor.arena != Arena::kScratch)
        room.same(d.tensor);
    }
  }

 private:
  // The memory of one call.
  struct Room {
    Room(const CheckingLayer& layer, const Pass<real>& given)
        : pass(given), owner(layer), from(given) {
      int64_t sizes[kArenas] = {};
      for (const Declared& d : owner.recorder_.all) {
        int64_t& size = sizes[int(d.tensor.arena)];
        size = std::max(size, d.tensor.offset + d.tensor.size);
      }
      sizes[int(Arena::kGrads)] = sizes[int(Arena::kParams)];
      for (int a = 0; a < kArenas; a++) {
        arenas.emplace_back(sizes[a]);
        mine.emplace_back();
      }
      for (const Declared& d : owner.recorder_.all) {
        mine[size_t(d.tensor.arena)].push_back({d.tensor.offset, d.tensor.size});
        if (d.tensor.arena == Arena::kParams && owner.trainable())
          mine[size_t(Arena::kGrads)].push_back({d.tensor.offset, d.tensor.size});
      }
      for (int a = 0; a < kArenas; a++) pass.arenas[a] = arenas[size_t(a)].data();
      for (const Extent& e : from.x_extent) x.emplace_back(e.size()), dx.emplace_back(e.size());
      const Extent& y_e = from.y_extent;
      y = Guarded<real>(y_e.size()), dy = Guarded<real>(y_e.size());
      const Extent& steps = from.x_extent[0];
      mask = Guarded<real>(steps.steps() * steps.rows);
      mask_out = Guarded<real>(y_e.steps() * y_e.rows);
      for (const auto& b : from.beside) {
        int64_t size = 0;
        for (const Declared& d : owner.recorder_.all)
          if (d.tensor.arena == Arena::kParams && d.tensor.offset == b.offset) size = d.tensor.size;
        beside.emplace_back(size);
      }
      for (size_t i = 0; i < beside.size(); i++) pass.beside[i].grad = beside[i].data();
      if (from.mask) {
        std::copy_n(from.mask, mask.size(), mask.data());
        pass.mask = mask.data();
      }
      // What the call does not give stays NaN, and within reach.
      pass.y = owner.recorder_.in_place ? x[0].data() : y.data();
      if (owner.recorder_.alias.offset >= 0) pass.y = pass.at(owner.recorder_.alias);
      pass.dy = dy.data();
      for (size_t i = 0; i < x.size(); i++) pass.x[i] = x[i].data();
      pass.dx.assign(x.size(), nullptr);
    }

    void take(const Tensor& t) { std::copy_n(from.at(t), t.size, pass.at(t)); }
    void put(const Tensor& t) { std::copy_n(pass.at(t), t.size, from.at(t)); }
    void same(const Tensor& t) { equal(pass.at(t), from.at(t), t.size, "what it may only read"); }
    void take_grad(const Tensor& t) { std::copy_n(from.grad(t), t.size, pass.grad(t)); }
    void put_grad(const Tensor& t) { std::copy_n(pass.grad(t), t.size, from.grad(t)); }

    void take_input(size_t i) { std::copy_n(from.x[i], x[i].size(), x[i].data()); }
    void same_input(size_t i) { equal(x[i].data(), from.x[i], x[i].size(), "its input"); }
    void give_mask_out() { pass.mask_out = mask_out.data(); }
    void take_output() {
      if (owner.recorder_.alias.offset < 0) std::copy_n(from.y, y.size(), pass.y);
      std::copy_n(from.dy, dy.size(), dy.data());
    }
    void put_output() {
      if (owner.recorder_.alias.offset < 0) std::copy_n(pass.y, y.size(), from.y);
      if (from.mask_out) std::copy_n(mask_out.data(), mask_out.size(), from.mask_out);
    }
    void give_dx(size_t i) {
      if (from.dx[i]) pass.dx[i] = dx[i].data();
    }
    void put_dx(size_t i) {
      if (from.dx[i]) std::copy_n(dx[i].data(), dx[i].size(), from.dx[i]);
    }
    void same_dy() { equal(dy.data(), from.dy, dy.size(), "the gradient of its output"); }

    // Nothing beside what it knows has changed.
    void check_edges() {
      for (size_t a = 0; a < arenas.size(); a++) edge(arenas[a], mine[a]);
      for (auto* list : {&x, &dx, &beside})
        for (Guarded<real>& g : *list) edge(g, {{0, g.size()}});
      for (Guarded<real>* g : {&y, &dy, &mask, &mask_out}) edge(*g, {{0, g->size()}});
      if (from.mask) equal(mask.data(), from.mask, mask.size(), "its mask");
    }
    void edge(Guarded<real>& g, const std::vector<std::pair<int64_t, int64_t>>& owned) {
      if (!g.untouched(owned)) fault("what it has not declared");
    }
    void equal(const real* a, const real* b, int64_t n, const char* what) {
      if (n > 0 && std::memcmp(a, b, size_t(n) * sizeof(real)) != 0) fault(what);
    }
    [[noreturn]] void fault(const std::string& what) {
      throw std::runtime_error(owner.where() + " has written " + what);
    }

    Pass<real> pass;
    const CheckingLayer& owner;
    const Pass<real>& from;
    std::vector<Guarded<real>> arenas;
    std::vector<std::vector<std::pair<int64_t, int64_t>>> mine;  // per arena: [offset, size]
    std::vector<Guarded<real>> x, dx, beside;
    Guarded<real> y, dy, mask, mask_out;
  };
  static constexpr int kArenas = int(Arena::kCount);

  std::unique_ptr<Layer<real>> inner_;
  Recorder recorder_;
};

}  // namespace test
}  // namespace hs
