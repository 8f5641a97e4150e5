// As device/cpu/ops/mask_value.cc: y = the mask, or 1 where there is none.
#include "ops/mask_value.h"

#include "device/cuda/ops/parts/rearrange.h"

namespace hs {
namespace {

template <typename real>
class CudaMaskValue final : public MaskValueShape, public CudaLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  CudaMaskValue(const Config& options, const OpContext& context, CardQueue& queue)
      : MaskValueShape(options, context), CudaLayer<real>(queue) {}

  void forward(Pass<real>& p) override {
    const int64_t n = p.y_extent.size();  // T * B
    if (p.mask) return pass_on(this->q, p.y, p.mask, n);
    this->q.launch("fill", FillArgs<real>{n, p.y, 1});
  }
  void backward(Pass<real>& p) override {
    if (p.dx[0]) this->q.zero(p.dx[0], p.x_extent[0].size() * int64_t(sizeof(real)));
  }
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_cuda_mask_value(const Config& options, const OpContext& context,
                                                  CardQueue& queue) {
  return std::make_unique<CudaMaskValue<real>>(options, context, queue);
}

HS_REGISTER_CUDA_LAYER(mask_value)

}  // namespace hs
