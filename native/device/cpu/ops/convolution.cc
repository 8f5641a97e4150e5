// y = a(x * W + b): a window over [T, D] or [rows, columns, D], as a true convolution (the kernel
// is flipped, as on Theano). Keras 1.2.2 convolutional.py:132-142 (Convolution1D), :282-292
// (AtrousConvolution1D), :470-484 (Convolution2D).
//   backward: dz = dy * a'(y)   db = sum of dz   dW, dx as in convolve.h
// W keeps Keras' shape: [rows, columns, D, N], or [N, D, rows, columns] if `th`, which is turned
// into the former here.
#include <algorithm>

#include "device/cpu/ops/parts/activate.h"
#include "device/cpu/ops/parts/convolve.h"
#include "device/cpu/ops/parts/cpu_layer.h"
#include "device/cpu/ops/parts/matmul.h"
#include "ops/convolution.h"

namespace hs {
namespace {

template <typename real>
class ConvolutionLayer final : public ConvolutionLayerShape, public CpuLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  ConvolutionLayer(const Config& options, const OpContext& context, const Table<real>& k)
      : ConvolutionLayerShape(options, context), CpuLayer<real>(k) {}

  void prepare(Declaration& d) override {
    conv_ = Convolution<real>(this->k, window_, D_, N_);
    const int64_t taps = window_.taps(), K = taps * D_, positions = window_.positions();
    packed_W_ = d.packed("W", {packed_size(this->k, K, N_)});
    if (th_) matrix_ = d.scratch("W as a matrix", {K, N_});
    conv_.declare(d);
    if (!d.training()) return;
    packed_WT_ = d.packed("W turned", {packed_size(this->k, taps * N_, D_)});
    turned_ = d.scratch("W turned", {taps * N_, D_});
    if (!activation_.is_linear()) dz_ = d.scratch("dz", {positions, N_});
    if (bias_) sums_ = d.scratch("sums", {row_sums_scratch(positions, N_)});
  }

  void forward(Pass<real>& p) override {
    const Table<real>* k = this->k;
    const int64_t positions = conv_.window().positions();
    real* z = activation_.input(p, p.y);  // [positions, N]
    if (p.repack) pack(k, p.at(packed_W_), kernel(p), N_, false, conv_.depth(), N_);
    if (bias_) {
      for_rows(positions, N_, [&](int64_t r0, int64_t r1) {
        k->broadcast_rows(z + r0 * N_, p.at(b_), r1 - r0, N_);
      });
    }
    conv_.forward(p, z, N_, p.x[0], D_, p.at(packed_W_), N_, bias_);
    for_rows(positions, N_,
             [&](int64_t r0, int64_t r1) { activate_rows(this->k, activation_, p, p.y, r0, r1); });
  }

  void backward(Pass<real>& p) override {
    const Table<real>* k = this->k;
    const int64_t taps = conv_.window().taps(), positions = conv_.window().positions();
    const real* dz = p.dy;  // [positions, N]
    if (!activation_.is_linear()) {
      for_rows(positions, N_, [&](int64_t r0, int64_t r1) {
        slope_rows(this->k, activation_, p, p.at(dz_), p.y, p.dy, r0, r1);
      });
      dz = p.at(dz_);
    }
    if (p.dx[0]) {
      if (p.repack) {
        turned_kernel(p.at(turned_), kernel(p), N_, taps, D_, N_);
        pack(k, p.at(packed_WT_), p.at(turned_), D_, false, taps * N_, D_);
      }
      conv_.input(p, p.dx[0], dz, N_, p.at(packed_WT_), N_, false);
    }
    if (!trainable()) return;
    if (bias_) row_sums(k, p.grad(b_), dz, positions, N_, p.at(sums_));
    real* dW = th_ ? p.at(matrix_) : p.grad(W_);  // [taps * D, N]
    conv_.weights(p, dW, N_, p.x[0], D_, dz, N_, N_, false);
    if (!th_) return;
    real* out = p.grad(W_);  // [N, D, rows, columns]
    each_kernel_element(true, taps, D_, N_, N_, [&](int64_t i, int64_t j) { out[i] = dW[j]; });
  }

 private:
  // W as [taps * D, N].
  const real* kernel(const Pass<real>& p) const {
    const real* W = p.at(W_);
    if (!th_) return W;
    real* matrix = p.at(matrix_);
    each_kernel_element(true, conv_.window().taps(), D_, N_, N_,
                        [&](int64_t i, int64_t j) { matrix[j] = W[i]; });
    return matrix;
  }

  Convolution<real> conv_;
  Tensor packed_W_, packed_WT_;  // as matmul.h lays them
  Tensor matrix_, turned_;       // [taps*D, N] [taps*N, D]
  Tensor dz_, sums_;             // [positions, N], as row_sums asks
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_convolution(const Config& options, const OpContext& context,
                                              const Table<real>& k) {
  return std::make_unique<ConvolutionLayer<real>>(options, context, k);
}

HS_REGISTER_LAYER(convolution)

}  // namespace hs
