// As device/cpu/ops/fold.cc: [T, rest...] of B rows -> [rest...] of B*T rows.
#include "ops/fold.h"

#include "device/cuda/ops/parts/fold.h"

namespace hs {
namespace {

template <typename real>
class CudaFold final : public FoldShape, public CudaLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  CudaFold(const Config& options, const OpContext& context, CardQueue& queue)
      : FoldShape(options, context), CudaLayer<real>(queue) {}

  void forward(Pass<real>& p) override { fold_copy(this->q, p.y, p.x[0], p.x_extent[0], true); }
  void backward(Pass<real>& p) override {
    if (p.dx[0]) fold_copy(this->q, p.dx[0], p.dy, p.x_extent[0], false);
  }
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_cuda_fold(const Config& options, const OpContext& context,
                                            CardQueue& queue) {
  return std::make_unique<CudaFold<real>>(options, context, queue);
}

HS_REGISTER_CUDA_LAYER(fold)

}  // namespace hs
