// As device/cpu/ops/noise.cc: y = x + sigma n, or x (1 + sigma n), of the same numbers n.
#include "ops/noise.h"

#include "device/cuda/ops/parts/rearrange.h"

namespace hs {
namespace {

template <typename real>
class CudaNoise final : public NoiseShape, public CudaLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  CudaNoise(const Config& options, const OpContext& context, CardQueue& queue)
      : NoiseShape(options, context), CudaLayer<real>(queue) {}

  void forward(Pass<real>& p) override {
    const int64_t n = p.y_extent.size();
    if (!draws(p)) return pass_on(this->q, p.y, p.x[0], n);
    this->q.launch(
        "noise", NoiseArgs<real>{(n + 3) / 4, n, p.y, p.x[0], multiplies_ ? p.at(noise_) : nullptr,
                                 real(sigma_), p.dropout.seed, this->q.step_number(p.dropout.step),
                                 stream() * 16});
  }

  void backward(Pass<real>& p) override {
    if (!p.dx[0]) return;
    const int64_t n = p.y_extent.size();
    if (!draws(p) || !multiplies_) return pass_on(this->q, p.dx[0], p.dy, n);
    this->q.launch("multiply", ProductArgs<real>{n, n, p.dx[0], p.dy, p.at(noise_), false});
  }

 private:
  bool draws(const Pass<real>& p) const { return draws_ && p.training; }
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_cuda_noise(const Config& options, const OpContext& context,
                                             CardQueue& queue) {
  return std::make_unique<CudaNoise<real>>(options, context, queue);
}

HS_REGISTER_CUDA_LAYER(noise)

}  // namespace hs
