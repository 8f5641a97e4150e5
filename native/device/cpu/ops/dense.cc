// y = a(x W + b) over the last axis, whatever lies before it. Keras 1.2.2 core.py:813-817 (Dense),
// and TimeDistributed(Dense).
//   backward: dz = dy * a'(y)   dW = x^T dz   db = sum over rows of dz   dx = dz W^T
#include <algorithm>

#include "device/cpu/ops/parts/activate.h"
#include "device/cpu/ops/parts/cpu_layer.h"
#include "device/cpu/ops/parts/matmul.h"
#include "ops/dense.h"

namespace hs {
namespace {

template <typename real>
class Dense final : public DenseShape, public CpuLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  Dense(const Config& options, const OpContext& context, const Table<real>& k)
      : DenseShape(options, context), CpuLayer<real>(k) {}

  void prepare(Declaration& d) override {
    packed_W_ = d.packed("W", {packed_size(this->k, D_, K_)});
    if (!d.training()) return;
    packed_WT_ = d.scratch("W^T packed", {packed_size(this->k, K_, D_)});
    if (!activation_.is_linear()) dz_ = d.scratch("dz", {rows_, K_});
    gemm_scratch_ = d.scratch("gemm", {matmul_tn_scratch(this->k)});
    if (bias_) sums_ = d.scratch("sums", {row_sums_scratch(rows_, K_)});
  }

  void forward(Pass<real>& p) override {
    const Table<real>* k = this->k;
    const real* packed = p.at(packed_W_);
    const real* x = p.x[0];               // [rows, D]
    real* z = activation_.input(p, p.y);  // [rows, K]
    if (p.repack) pack(k, p.at(packed_W_), p.at(W_), K_, false, D_, K_);
    const auto finish = [&](int64_t r0, int64_t r1) {
      activate_rows(this->k, activation_, p, p.y, r0, r1);
    };
    // Many rows: a block of them is filled, multiplied and activated while it is in the cache.
    const int64_t block = round_up(96, k->gemm_mr);
    if (rows_ >= 4 * block) {
      for_chunks(rows_, block, D_ * K_, [&](int64_t begin, int64_t end) {
        for (int64_t r0 = begin; r0 < end; r0 += block) {
          const int64_t n = std::min(block, end - r0);
          if (bias_) k->broadcast_rows(z + r0 * K_, p.at(b_), n, K_);
          k->gemm(z + r0 * K_, K_, x + r0 * D_, D_, packed, n, K_, D_, 0, K_, bias_, nullptr);
          finish(r0, r0 + n);
        }
      });
      return;
    }
    if (bias_) k->broadcast_rows(z, p.at(b_), rows_, K_);
    matmul(k, z, K_, x, D_, packed, rows_, K_, D_, bias_);
    for_rows(rows_, K_, finish);
  }

  void backward(Pass<real>& p) override {
    const Table<real>* k = this->k;
    const real* dz = p.dy;  // [rows, K]
    if (!activation_.is_linear()) {
      for_rows(rows_, K_, [&](int64_t r0, int64_t r1) {
        slope_rows(this->k, activation_, p, p.at(dz_), p.y, p.dy, r0, r1);
      });
      dz = p.at(dz_);
    }
    if (trainable()) {
      matmul_tn(k, p.grad(W_), K_, p.x[0], D_, dz, K_, rows_, D_, K_, false, p.at(gemm_scratch_),
                gemm_scratch_.size);
      if (bias_) row_sums(k, p.grad(b_), dz, rows_, K_, p.at(sums_));
    }
    if (p.dx[0]) {
      pack(k, p.at(packed_WT_), p.at(W_), K_, true, K_, D_);
      matmul(k, p.dx[0], D_, dz, K_, p.at(packed_WT_), rows_, D_, K_, false);
    }
  }

 private:
  Tensor packed_W_, packed_WT_;  // as matmul.h lays and asks
  Tensor dz_;                    // [rows, K]
  Tensor gemm_scratch_, sums_;
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_dense(const Config& options, const OpContext& context,
                                        const Table<real>& k) {
  return std::make_unique<Dense<real>>(options, context, k);
}

HS_REGISTER_LAYER(dense)

}  // namespace hs
