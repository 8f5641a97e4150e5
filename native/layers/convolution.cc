// y = a(x * W + b): a window over [T, D] or [rows, columns, D], as a true convolution (the kernel is flipped, as on Theano).
// Keras 1.2.2 convolutional.py:132-142 (Convolution1D), :282-292 (AtrousConvolution1D), :470-484 (Convolution2D).
//   backward: dz = dy * a'(y)   db = sum of dz   dW, dx as in convolve.h
// W keeps Keras' shape: [rows, columns, D, N], or [N, D, rows, columns] if `th`, which is turned into the former here.
#include <algorithm>

#include "layers/activate.h"
#include "layers/convolve.h"
#include "layers/cpu_layer.h"
#include "layers/matmul.h"

namespace hs {
namespace {

template <typename real>
class ConvolutionLayer final : public OpShape, public CpuLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  ConvolutionLayer(const Config& options, const OpContext& context, const Table<real>& k)
      : OpShape(context),
        CpuLayer<real>(k),
        N_(options.integer("filters")),
        taps_(options.dims("size")),
        strides_(options.dims("strides")),
        dilation_(options.dims("dilation")),
        border_(options.str("border")),
        th_(options.on("th")),
        bias_(options.on("bias", true)),
        activation_(options.str("activation", "linear")) {}

  Extent output(const std::vector<Extent>& x) const override {
    const size_t axes = x[0].dims.size();
    if (axes != 2 && axes != 3) {
      fail(Code::kShape, this->where(), "input", "[B, T, D] or [B, rows, columns, D]", x[0].text());
    }
    checked_count({taps_[0], taps_[1], x[0].last(), N_}, this->where());
    const Window w = window(x[0]);
    if (w.rows.out < 1 || w.columns.out < 1) {
      fail(Code::kShape, this->where(), "input",
           "at least as long as the filter, " +
               to_string({reach(taps_[0], dilation_[0]), reach(taps_[1], dilation_[1])}),
           x[0].text());
    }
    if (axes == 2) return {x[0].rows, {w.rows.out, N_}};
    return {x[0].rows, {w.rows.out, w.columns.out, N_}};
  }

  void declare(Declaration& d, const std::vector<Extent>& x, const Extent&, bool) override {
    D_ = x[0].last();
    conv_ = Convolution<real>(this->k, window(x[0]), D_, N_);
    const int64_t taps = conv_.window().taps(), K = taps * D_,
                  positions = conv_.window().positions();
    W_ = d.param("W", kernel_dims(th_, taps_[0], taps_[1], D_, N_));
    if (bias_) b_ = d.param("b", {N_});
    packed_W_ = d.packed("W", {packed_size(this->k, K, N_)});
    if (th_) matrix_ = d.scratch("W as a matrix", {K, N_});
    conv_.declare(d);
    activation_.declare(d, positions, N_);
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
             [&](int64_t r0, int64_t r1) { activation_.forward(this->k, p, p.y, r0, r1); });
  }

  void backward(Pass<real>& p) override {
    const Table<real>* k = this->k;
    const int64_t taps = conv_.window().taps(), positions = conv_.window().positions();
    const real* dz = p.dy;  // [positions, N]
    if (!activation_.is_linear()) {
      for_rows(positions, N_, [&](int64_t r0, int64_t r1) {
        activation_.backward(this->k, p, p.at(dz_), p.y, p.dy, r0, r1);
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
    if (!this->trainable()) return;
    if (bias_) row_sums(k, p.grad(b_), dz, positions, N_, p.at(sums_));
    real* dW = th_ ? p.at(matrix_) : p.grad(W_);  // [taps * D, N]
    conv_.weights(p, dW, N_, p.x[0], D_, dz, N_, N_, false);
    if (!th_) return;
    real* out = p.grad(W_);  // [N, D, rows, columns]
    each_kernel_element(true, taps, D_, N_, N_, [&](int64_t i, int64_t j) { out[i] = dW[j]; });
  }

 private:
  Window window(const Extent& x) const {
    const int64_t columns = x.dims.size() == 3 ? x.dims[1] : 1;
    return {1, x.rows, convolution_axis(x.dims[0], taps_[0], strides_[0], dilation_[0], border_),
            convolution_axis(columns, taps_[1], strides_[1], dilation_[1], border_)};
  }

  // W as [taps * D, N].
  const real* kernel(const Pass<real>& p) const {
    const real* W = p.at(W_);
    if (!th_) return W;
    real* matrix = p.at(matrix_);
    each_kernel_element(true, conv_.window().taps(), D_, N_, N_,
                        [&](int64_t i, int64_t j) { matrix[j] = W[i]; });
    return matrix;
  }

  int64_t N_;
  Dims taps_, strides_, dilation_;  // along rows and columns
  std::string border_;
  bool th_, bias_;
  RowActivation activation_;
  int64_t D_ = 0;
  Convolution<real> conv_;
  Tensor W_, b_, packed_W_, packed_WT_, matrix_, turned_, dz_, sums_;
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_convolution(const Config& options, const OpContext& context,
                                              const Table<real>& k) {
  return std::make_unique<ConvolutionLayer<real>>(options, context, k);
}

HS_REGISTER_LAYER(convolution)

}  // namespace hs
