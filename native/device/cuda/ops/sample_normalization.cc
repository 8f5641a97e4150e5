// As device/cpu/ops/sample_normalization.cc: every row of the last axis by itself.
#include "ops/sample_normalization.h"

#include "device/cuda/kernels/layer_args.h"
#include "device/cuda/ops/parts/rows.h"

namespace hs {
namespace {

template <typename real>
class CudaSampleNormalization final : public SampleNormalizationShape, public CudaLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  CudaSampleNormalization(const Config& options, const OpContext& context, CardQueue& queue)
      : SampleNormalizationShape(options, context), CudaLayer<real>(queue) {}

  void prepare(Declaration& d) override {
    if (!d.training()) return;
    dyh_ = d.scratch("dy h", {rows_, K_});
  }

  void forward(Pass<real>& p) override {
    const bool kept = p.backward_follows;
    this->q.launch("row_norm", RowNormArgs<real>{rows_, K_, p.y, kept ? p.at(h_) : p.y,
                                                 kept ? p.at(s_) : nullptr, p.x[0], p.at(gamma_),
                                                 p.at(beta_), epsilon_});
  }

  void backward(Pass<real>& p) override {
    if (trainable()) {
      const int64_t n = rows_ * K_;
      this->q.launch("multiply", ProductArgs<real>{n, n, p.at(dyh_), p.dy, p.at(h_), false});
      row_sums(this->q, p.grad(gamma_), p.at(dyh_), K_, rows_, K_);
      row_sums(this->q, p.grad(beta_), p.dy, K_, rows_, K_);
    }
    if (p.dx[0])
      this->q.launch("row_norm_slope", RowNormSlopeArgs<real>{rows_, K_, p.dx[0], p.dy, p.at(h_),
                                                              p.at(s_), p.at(gamma_), epsilon_});
  }

 private:
  Tensor dyh_;  // [rows, K]
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_cuda_sample_normalization(const Config& options,
                                                            const OpContext& context,
                                                            CardQueue& queue) {
  return std::make_unique<CudaSampleNormalization<real>>(options, context, queue);
}

HS_REGISTER_CUDA_LAYER(sample_normalization)

}  // namespace hs
