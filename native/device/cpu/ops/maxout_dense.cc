// F linear layers, the largest of each unit: Keras 1.2.2 core.py:983-989 (MaxoutDense). W [F, D,
// K], b [F, K].
//   z_f = x W_f + b_f   y = max over f of z_f
//   backward: dz_f = dy where z_f = y, else 0 (every one of equals, as Theano)   dW_f = x^T dz_f
//     db_f = sum dz_f   dx = sum dz_f W_f^T
#include <algorithm>

#include "device/cpu/ops/parts/cpu_layer.h"
#include "device/cpu/ops/parts/matmul.h"
#include "ops/maxout_dense.h"

namespace hs {
namespace {

template <typename real>
class MaxoutDense final : public MaxoutDenseShape, public CpuLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  MaxoutDense(const Config& options, const OpContext& context, const Table<real>& k)
      : MaxoutDenseShape(options, context), CpuLayer<real>(k) {}

  void prepare(Declaration& d) override {
    packed_W_ = d.packed("W", {F_, packed_size(this->k, D_, K_)});
    if (!d.training()) {
      z_ = d.scratch("z", {F_, rows_, K_});
      return;
    }
    dz_ = d.scratch("dz", {rows_, K_});
    packed_WT_ = d.scratch("W^T packed", {packed_size(this->k, K_, D_)});
    gemm_scratch_ = d.scratch("gemm", {matmul_tn_scratch(this->k)});
    if (bias_) sums_ = d.scratch("sums", {row_sums_scratch(rows_, K_)});
  }

  void forward(Pass<real>& p) override {
    const int64_t n = rows_ * K_;
    for (int64_t f = 0; f < F_; f++) {
      real* packed = p.at(packed_W_) + f * packed_size(this->k, D_, K_);
      if (p.repack) pack(this->k, packed, p.at(W_) + f * D_ * K_, K_, false, D_, K_);
      real* z = p.at(z_) + f * n;  // [rows, K]
      if (bias_) this->k->broadcast_rows(z, p.at(b_) + f * K_, rows_, K_);
      matmul(this->k, z, K_, p.x[0], D_, packed, rows_, K_, D_, bias_);
    }
    for_elements(n, [&](int64_t i, int64_t end) {
      std::copy(p.at(z_) + i, p.at(z_) + end, p.y + i);
      for (int64_t f = 1; f < F_; f++) {
        const real* z = p.at(z_) + f * n;
        for (int64_t j = i; j < end; j++) p.y[j] = z[j] <= p.y[j] ? p.y[j] : z[j];  // NaN stays
      }
    });
  }

  void backward(Pass<real>& p) override {
    const int64_t n = rows_ * K_;
    real *dz = p.at(dz_), *dx = p.dx[0];  // [rows, K], [rows, D]
    for (int64_t f = 0; f < F_; f++) {
      const real* z = p.at(z_) + f * n;  // [rows, K]
      for_elements(n, [&](int64_t i, int64_t end) {
        for (int64_t j = i; j < end; j++) dz[j] = z[j] == p.y[j] ? p.dy[j] : real(0);
      });
      if (trainable()) {
        matmul_tn(this->k, p.grad(W_) + f * D_ * K_, K_, p.x[0], D_, dz, K_, rows_, D_, K_, false,
                  p.at(gemm_scratch_), gemm_scratch_.size);
        if (bias_) row_sums(this->k, p.grad(b_) + f * K_, dz, rows_, K_, p.at(sums_));
      }
      if (!dx) continue;
      pack(this->k, p.at(packed_WT_), p.at(W_) + f * D_ * K_, K_, true, K_, D_);
      matmul(this->k, dx, D_, dz, K_, p.at(packed_WT_), rows_, D_, K_, f > 0);
    }
  }

 private:
  Tensor packed_W_, packed_WT_;  // [F, ...] as matmul.h lays them
  Tensor dz_;                    // [rows, K]
  Tensor gemm_scratch_, sums_;
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_maxout_dense(const Config& options, const OpContext& context,
                                               const Table<real>& k) {
  return std::make_unique<MaxoutDense<real>>(options, context, k);
}

HS_REGISTER_LAYER(maxout_dense)

}  // namespace hs
