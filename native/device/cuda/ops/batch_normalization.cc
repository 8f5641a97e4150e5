// As device/cpu/ops/batch_normalization.cc: y = (x - mean) gamma / std + beta.
// Sums over a channel go in two halves, of about the square root of its elements each.
#include "ops/batch_normalization.h"

#include <algorithm>
#include <cmath>

#include "device/cuda/cuda.h"
#include "device/cuda/kernels/layer_args.h"

namespace hs {
namespace {

template <typename real>
class CudaBatchNormalization final : public BatchNormalizationShape, public CudaLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  CudaBatchNormalization(const Config& options, const OpContext& context, CardQueue& queue)
      : BatchNormalizationShape(options, context), CudaLayer<real>(queue) {}

  void prepare(Declaration& d) override {
    if (d.training() || always_batch_) parts_ = d.scratch("parts", {2, blocks(), g_.C});
    if (!d.training()) return;
    dgamma_ = d.scratch("dgamma", {g_.C});
    dbeta_ = d.scratch("dbeta", {g_.C});
  }

  void forward(Pass<real>& p) override {
    const bool batch = always_batch_ || p.training;
    if (batch) statistics(p);
    this->q.launch(
        "normalize",
        NormalizeArgs<real>{g_.n() * g_.C, g_.C, g_.inner, p.y, p.x[0],
                            p.at(batch ? mean_ : running_mean_), batch ? p.at(inverse_) : nullptr,
                            p.at(running_std_), epsilon_, p.at(gamma_), p.at(beta_)});
  }

  void backward(Pass<real>& p) override {
    real *const dgamma = trainable() ? p.grad(gamma_) : p.at(dgamma_), *const dbeta =
                                                                           trainable()
                                                                               ? p.grad(beta_)
                                                                               : p.at(dbeta_);
    ChannelSumsArgs<real> a = sums(p);
    a.mean = p.at(mean_), a.inverse = p.at(inverse_), a.dy = p.dy;
    a.more_parts = a.parts + a.n;
    this->q.launch("channel_sums", a);
    mean(dbeta, a.parts, 1);
    mean(dgamma, a.more_parts, 1);
    if (p.dx[0])
      this->q.launch("normalize_slope",
                     NormalizeSlopeArgs<real>{g_.n() * g_.C, g_.C, g_.inner, p.dx[0], p.x[0], p.dy,
                                              p.at(mean_), p.at(inverse_), p.at(gamma_), dgamma,
                                              dbeta, double(g_.n())});
  }

 private:
  int64_t each() const {  // elements of a block
    return std::max<int64_t>(64, int64_t(std::sqrt(double(g_.n()))));
  }
  int64_t blocks() const { return std::max<int64_t>(1, (g_.n() + each() - 1) / each()); }

  ChannelSumsArgs<real> sums(const Pass<real>& p) const {
    ChannelSumsArgs<real> a = {};
    a.n = blocks() * g_.C, a.C = g_.C, a.inner = g_.inner, a.count = g_.n(), a.each = each();
    a.parts = p.at(parts_), a.x = p.x[0];
    return a;
  }

  void mean(real* y, const real* parts, double factor) {
    this->q.launch("channel_mean", ChannelMeanArgs<real>{g_.C, blocks(), y, parts, factor});
  }

  void statistics(const Pass<real>& p) {
    ChannelSumsArgs<real> a = sums(p);
    this->q.launch("channel_sums", a);
    mean(p.at(mean_), a.parts, 1 / double(g_.n()));
    a.mean = p.at(mean_);
    this->q.launch("channel_sums", a);
    const bool running = p.training && !always_batch_;
    this->q.launch("channel_spread",
                   ChannelSpreadArgs<real>{
                       g_.C, blocks(), p.at(inverse_), a.parts, double(g_.n()), epsilon_,
                       running ? p.at(next_mean_) : nullptr, running ? p.at(next_std_) : nullptr,
                       p.at(mean_), p.at(running_mean_), p.at(running_std_), real(momentum_)});
  }

  Tensor parts_;           // [2, blocks, C]
  Tensor dgamma_, dbeta_;  // [C]
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_cuda_batch_normalization(const Config& options,
                                                           const OpContext& context,
                                                           CardQueue& queue) {
  return std::make_unique<CudaBatchNormalization<real>>(options, context, queue);
}

HS_REGISTER_CUDA_LAYER(batch_normalization)

}  // namespace hs
