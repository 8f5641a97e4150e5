// As device/cpu/ops/maxout_dense.cc: y = the largest of z_f = x W_f + b_f.
#include "ops/maxout_dense.h"

#include "device/cuda/kernels/layer_args.h"
#include "device/cuda/ops/parts/rows.h"

namespace hs {
namespace {

template <typename real>
class CudaMaxoutDense final : public MaxoutDenseShape, public CudaLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  CudaMaxoutDense(const Config& options, const OpContext& context, CardQueue& queue)
      : MaxoutDenseShape(options, context), CudaLayer<real>(queue) {}

  void prepare(Declaration& d) override {
    if (!d.training()) {
      z_ = d.scratch("z", {F_, rows_, K_});
      return;
    }
    dz_ = d.scratch("dz", {rows_, K_});
  }

  void forward(Pass<real>& p) override {
    const int64_t n = rows_ * K_;
    for (int64_t f = 0; f < F_; f++) {
      real* const z = p.at(z_) + f * n;  // [rows, K]
      if (bias_) this->q.launch("broadcast_rows", RowsArgs<real>{n, K_, z, K_, p.at(b_) + f * K_});
      this->q.multiply(z, K_, {p.x[0], D_}, {p.at(W_) + f * D_ * K_, K_}, rows_, K_, D_, bias_);
    }
    this->q.launch("maxout", MaxoutArgs<real>{n, F_, p.y, p.at(z_)});
  }

  void backward(Pass<real>& p) override {
    const int64_t n = rows_ * K_;
    real* const dz = p.at(dz_);  // [rows, K]
    for (int64_t f = 0; f < F_; f++) {
      const int64_t W = f * D_ * K_;
      this->q.launch("maxout_slope", MaxoutSlopeArgs<real>{n, dz, p.at(z_) + f * n, p.y, p.dy});
      if (trainable()) {
        this->q.multiply(p.grad(W_) + W, K_, {p.x[0], D_, true}, {dz, K_}, D_, K_, rows_, false);
        if (bias_) row_sums(this->q, p.grad(b_) + f * K_, dz, K_, rows_, K_);
      }
      if (p.dx[0])
        this->q.multiply(p.dx[0], D_, {dz, K_}, {p.at(W_) + W, K_, true}, rows_, D_, K_, f > 0);
    }
  }

 private:
  Tensor dz_;  // [rows, K]
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_cuda_maxout_dense(const Config& options, const OpContext& context,
                                                    CardQueue& queue) {
  return std::make_unique<CudaMaxoutDense<real>>(options, context, queue);
}

HS_REGISTER_CUDA_LAYER(maxout_dense)

}  // namespace hs
