// As device/cpu/ops/convolution.cc: y = a(x * W + b).
#include "ops/convolution.h"

#include "device/cuda/ops/parts/convolve.h"
#include "device/cuda/ops/parts/rows.h"

namespace hs {
namespace {

template <typename real>
class CudaConvolutionLayer final : public ConvolutionLayerShape, public CudaLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  CudaConvolutionLayer(const Config& options, const OpContext& context, CardQueue& queue)
      : ConvolutionLayerShape(options, context), CudaLayer<real>(queue) {}

  void prepare(Declaration& d) override {
    conv_ = CudaConvolution<real>(this->q, window_, D_, N_);
    const int64_t taps = window_.taps(), positions = window_.positions();
    if (th_) matrix_ = d.scratch("W as a matrix", {conv_.depth(), N_});
    conv_.declare(d);
    if (!d.training()) return;
    turned_ = d.scratch("W turned", {taps * N_, D_});
    if (!activation_.is_linear()) dz_ = d.scratch("dz", {positions, N_});
  }

  void forward(Pass<real>& p) override {
    const int64_t positions = window_.positions();
    real* const z = activation_.input(p, p.y);  // [positions, N]
    if (bias_)
      this->q.launch("broadcast_rows", RowsArgs<real>{positions * N_, N_, z, N_, p.at(b_)});
    conv_.forward(p, z, N_, p.x[0], kernel(p), N_, N_, bias_);
    activate(this->q, activation_.kind(), p.y, z, positions, N_);
  }

  void backward(Pass<real>& p) override {
    const int64_t taps = window_.taps(), positions = window_.positions();
    const real* dz = p.dy;  // [positions, N]
    if (!activation_.is_linear()) {
      const Activation kind = activation_.kind();
      const real* const kept = slope_from_input(kind) ? activation_.input(p, p.y) : p.y;
      slope(this->q, kind, p.at(dz_), kept, p.dy, positions, N_);
      dz = p.at(dz_);
    }
    if (p.dx[0]) {
      turned_kernel(this->q, p.at(turned_), kernel(p), N_, taps, D_, N_);
      conv_.input(p, p.dx[0], dz, N_, p.at(turned_), N_, false);
    }
    if (!trainable()) return;
    if (bias_) row_sums(this->q, p.grad(b_), dz, N_, positions, N_);
    real* const dW = th_ ? p.at(matrix_) : p.grad(W_);  // [taps * D, N]
    conv_.weights(p, dW, N_, p.x[0], dz, N_, N_, false);
    if (th_) matrix_to_kernel(this->q, p.grad(W_), dW, N_, true, taps, D_, N_);
  }

 private:
  // W as [taps * D, N].
  const real* kernel(const Pass<real>& p) {
    if (!th_) return p.at(W_);
    kernel_to_matrix(this->q, p.at(matrix_), N_, p.at(W_), true, window_.taps(), D_, N_);
    return p.at(matrix_);
  }

  CudaConvolution<real> conv_;
  Tensor matrix_, turned_;  // [taps*D, N] [taps*N, D]
  Tensor dz_;               // [positions, N]
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_cuda_convolution(const Config& options, const OpContext& context,
                                                   CardQueue& queue) {
  return std::make_unique<CudaConvolutionLayer<real>>(options, context, queue);
}

HS_REGISTER_CUDA_LAYER(convolution)

}  // namespace hs
