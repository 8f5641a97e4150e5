// As device/cpu/ops/highway.cc: y = t h + (1 - t) x.
#include "ops/highway.h"

#include "device/cuda/kernels/layer_args.h"
#include "device/cuda/ops/parts/rows.h"

namespace hs {
namespace {

template <typename real>
class CudaHighway final : public HighwayShape, public CudaLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  CudaHighway(const Config& options, const OpContext& context, CardQueue& queue)
      : HighwayShape(options, context), CudaLayer<real>(queue) {}

  void prepare(Declaration& d) override {
    if (!d.training()) {
      h_.out = d.scratch("h", {rows_, D_});
      t_.out = d.scratch("t", {rows_, D_});
      return;
    }
    dh_ = d.scratch("dh", {rows_, D_});
    dt_ = d.scratch("dt", {rows_, D_});
  }

  void forward(Pass<real>& p) override {
    product(p, h_);
    product(p, t_);
    this->q.launch("highway",
                   HighwayArgs<real>{rows_ * D_, p.y, p.x[0], p.at(h_.out), p.at(t_.out)});
  }

  void backward(Pass<real>& p) override {
    this->q.launch("highway_slope",
                   HighwaySlopeArgs<real>{rows_ * D_, p.dx[0], p.at(dh_), p.at(dt_), p.dy, p.x[0],
                                          p.at(h_.out), p.at(t_.out)});
    gradients(p, h_, p.at(dh_));
    gradients(p, t_, p.at(dt_));
  }

 private:
  void product(const Pass<real>& p, const Half& half) {
    real* const out = p.at(half.out);               // [rows, D]
    real* const z = half.activation.input(p, out);  // [rows, D]
    if (bias_)
      this->q.launch("broadcast_rows", RowsArgs<real>{rows_ * D_, D_, z, D_, p.at(half.b)});
    this->q.multiply(z, D_, {p.x[0], D_}, {p.at(half.W), D_}, rows_, D_, D_, bias_);
    activate(this->q, half.activation.kind(), out, z, rows_, D_);
  }

  // Of W, b and x, from the gradient dz of what `half` gives; dx has been written.
  void gradients(const Pass<real>& p, const Half& half, real* dz) {
    const Activation kind = half.activation.kind();
    const real* const out = p.at(half.out);
    slope(this->q, kind, dz, slope_from_input(kind) ? half.activation.input(p, out) : out, dz,
          rows_, D_);
    if (trainable()) {
      this->q.multiply(p.grad(half.W), D_, {p.x[0], D_, true}, {dz, D_}, D_, D_, rows_, false);
      if (bias_) row_sums(this->q, p.grad(half.b), dz, D_, rows_, D_);
    }
    if (p.dx[0])
      this->q.multiply(p.dx[0], D_, {dz, D_}, {p.at(half.W), D_, true}, rows_, D_, D_, true);
  }

  Tensor dh_, dt_;  // [rows, D]
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_cuda_highway(const Config& options, const OpContext& context,
                                               CardQueue& queue) {
  return std::make_unique<CudaHighway<real>>(options, context, queue);
}

HS_REGISTER_CUDA_LAYER(highway)

}  // namespace hs
