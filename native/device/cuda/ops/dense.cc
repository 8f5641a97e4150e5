// As device/cpu/ops/dense.cc: y = a(x W + b).
#include "ops/dense.h"

#include "device/cuda/ops/parts/rows.h"

namespace hs {
namespace {

template <typename real>
class CudaDense final : public DenseShape, public CudaLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  CudaDense(const Config& options, const OpContext& context, CardQueue& queue)
      : DenseShape(options, context), CudaLayer<real>(queue) {}

  void prepare(Declaration& d) override {
    if (!d.training()) return;
    if (!activation_.is_linear()) dz_ = d.scratch("dz", {rows_, K_});
  }

  void forward(Pass<real>& p) override {
    real* const z = activation_.input(p, p.y);  // [rows, K]
    if (bias_) this->q.launch("broadcast_rows", RowsArgs<real>{rows_ * K_, K_, z, K_, p.at(b_)});
    this->q.multiply(z, K_, {p.x[0], D_}, {p.at(W_), K_}, rows_, K_, D_, bias_);
    activate(this->q, activation_.kind(), p.y, z, rows_, K_);
  }

  void backward(Pass<real>& p) override {
    const real* dz = p.dy;  // [rows, K]
    if (!activation_.is_linear()) {
      const real* const kept =
          slope_from_input(activation_.kind()) ? activation_.input(p, p.y) : p.y;
      slope(this->q, activation_.kind(), p.at(dz_), kept, p.dy, rows_, K_);
      dz = p.at(dz_);
    }
    if (trainable()) {
      this->q.multiply(p.grad(W_), K_, {p.x[0], D_, true}, {dz, K_}, D_, K_, rows_, false);
      if (bias_) row_sums(this->q, p.grad(b_), dz, K_, rows_, K_);
    }
    if (p.dx[0])
      this->q.multiply(p.dx[0], D_, {dz, K_}, {p.at(W_), K_, true}, rows_, D_, K_, false);
  }

 private:
  Tensor dz_;  // [rows, K]
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_cuda_dense(const Config& options, const OpContext& context,
                                             CardQueue& queue) {
  return std::make_unique<CudaDense<real>>(options, context, queue);
}

HS_REGISTER_CUDA_LAYER(dense)

}  // namespace hs
