// Srivastava, Greff, Schmidhuber 2015 (arXiv:1505.00387), as Keras 1.2.2 core.py:1116-1127; as many
// units as inputs.
//   t = sigmoid(x W_carry + b_carry)   h = a(x W + b)   y = t h + (1 - t) x
//   backward: dh~ = dy t a'(h)   dt~ = dy (h - x) t (1 - t)   dW = x^T dh~   dW_carry = x^T dt~
//     db, db_carry: sums over rows
//             dx = dy (1 - t) + dh~ W^T + dt~ W_carry^T
#include <algorithm>

#include "device/cpu/ops/parts/activate.h"
#include "device/cpu/ops/parts/cpu_layer.h"
#include "device/cpu/ops/parts/matmul.h"
#include "ops/highway.h"

namespace hs {
namespace {

template <typename real>
class Highway final : public HighwayShape, public CpuLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  Highway(const Config& options, const OpContext& context, const Table<real>& k)
      : HighwayShape(options, context), CpuLayer<real>(k) {}

  void prepare(Declaration& d) override {
    prepare(d, h_, "W", "h");
    prepare(d, t_, "W_carry", "t");
    if (!d.training()) return;
    dz_ = d.scratch("dz", {rows_, D_});
    packed_WT_ = d.scratch("W^T packed", {packed_size(this->k, D_, D_)});
    gemm_scratch_ = d.scratch("gemm", {matmul_tn_scratch(this->k)});
    if (bias_) sums_ = d.scratch("sums", {row_sums_scratch(rows_, D_)});
  }

  void forward(Pass<real>& p) override {
    multiply(p, h_);
    multiply(p, t_);
    const real *x = p.x[0], *h = p.at(h_.out), *t = p.at(t_.out);  // [rows, D]
    for_elements(rows_ * D_, [&](int64_t i, int64_t end) {
      for (int64_t j = i; j < end; j++) p.y[j] = h[j] * t[j] + (1 - t[j]) * x[j];
    });
  }

  void backward(Pass<real>& p) override {
    const real *x = p.x[0], *h = p.at(h_.out), *t = p.at(t_.out);  // [rows, D]
    real *dx = p.dx[0], *dz = p.at(dz_);                           // [rows, D]
    if (dx) {
      for_elements(rows_ * D_, [&](int64_t i, int64_t end) {
        for (int64_t j = i; j < end; j++) dx[j] = p.dy[j] * (1 - t[j]);
      });
    }
    for_rows(rows_, D_, [&](int64_t r0, int64_t r1) {
      const int64_t at = r0 * D_, n = (r1 - r0) * D_;
      this->k->multiply(dz + at, p.dy + at, t + at, n);
      if (!h_.activation.is_linear()) slope_rows(this->k, h_.activation, p, dz, h, dz, r0, r1);
    });
    gradients(p, h_);
    for_rows(rows_, D_, [&](int64_t r0, int64_t r1) {
      const int64_t at = r0 * D_, end = r1 * D_;
      for (int64_t j = at; j < end; j++) dz[j] = p.dy[j] * (h[j] - x[j]);
      slope_rows(this->k, t_.activation, p, dz, t, dz, r0, r1);
    });
    gradients(p, t_);
  }

 private:
  void prepare(Declaration& d, Half& half, const char* W, const char* out) const {
    half.packed_W = d.packed(W, {packed_size(this->k, D_, D_)});
    if (!d.training()) half.out = d.scratch(out, {rows_, D_});
  }

  void multiply(const Pass<real>& p, const Half& half) const {
    real* out = p.at(half.out);               // [rows, D]
    real* z = half.activation.input(p, out);  // [rows, D]
    if (p.repack) pack(this->k, p.at(half.packed_W), p.at(half.W), D_, false, D_, D_);
    if (bias_) this->k->broadcast_rows(z, p.at(half.b), rows_, D_);
    matmul(this->k, z, D_, p.x[0], D_, p.at(half.packed_W), rows_, D_, D_, bias_);
    for_rows(rows_, D_, [&](int64_t r0, int64_t r1) {
      activate_rows(this->k, half.activation, p, out, r0, r1);
    });
  }

  // Of W, b and x, from dz; dx has been written.
  void gradients(const Pass<real>& p, const Half& half) const {
    const real* dz = p.at(dz_);  // [rows, D]
    if (trainable()) {
      matmul_tn(this->k, p.grad(half.W), D_, p.x[0], D_, dz, D_, rows_, D_, D_, false,
                p.at(gemm_scratch_), gemm_scratch_.size);
      if (bias_) row_sums(this->k, p.grad(half.b), dz, rows_, D_, p.at(sums_));
    }
    if (!p.dx[0]) return;
    pack(this->k, p.at(packed_WT_), p.at(half.W), D_, true, D_, D_);
    matmul(this->k, p.dx[0], D_, dz, D_, p.at(packed_WT_), rows_, D_, D_, true);
  }

  Tensor dz_;                               // [rows, D]
  Tensor packed_WT_, gemm_scratch_, sums_;  // as matmul.h lays and asks
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_highway(const Config& options, const OpContext& context,
                                          const Table<real>& k) {
  return std::make_unique<Highway<real>>(options, context, k);
}

HS_REGISTER_LAYER(highway)

}  // namespace hs
