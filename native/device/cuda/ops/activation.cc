// As device/cpu/ops/activation.cc: y = a(x).
#include "ops/activation.h"

#include "device/cuda/ops/parts/rows.h"

namespace hs {
namespace {

template <typename real>
class CudaActivation final : public ActivationShape, public CudaLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  CudaActivation(const Config& options, const OpContext& context, CardQueue& queue)
      : ActivationShape(options, context), CudaLayer<real>(queue) {}

  void forward(Pass<real>& p) override {
    const int64_t K = p.y_extent.last();
    activate(this->q, kind_, p.y, p.x[0], K ? p.y_extent.size() / K : 0, K);
  }

  void backward(Pass<real>& p) override {
    if (!p.dx[0]) return;
    const int64_t K = p.y_extent.last();
    const real* const kept = slope_from_input(kind_) ? p.x[0] : p.y;
    slope(this->q, kind_, p.dx[0], kept, p.dy, K ? p.y_extent.size() / K : 0, K);
  }
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_cuda_activation(const Config& options, const OpContext& context,
                                                  CardQueue& queue) {
  return std::make_unique<CudaActivation<real>>(options, context, queue);
}

HS_REGISTER_CUDA_LAYER(activation)

}  // namespace hs
