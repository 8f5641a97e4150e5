// As device/cpu/ops/unfold.cc: [rest...] of B*T rows -> [T, rest...] of B rows.
#include "ops/unfold.h"

#include "device/cuda/ops/parts/fold.h"

namespace hs {
namespace {

template <typename real>
class CudaUnfold final : public UnfoldShape, public CudaLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  CudaUnfold(const Config& options, const OpContext& context, CardQueue& queue)
      : UnfoldShape(options, context), CudaLayer<real>(queue) {}

  void forward(Pass<real>& p) override { fold_copy(this->q, p.y, p.x[0], p.y_extent, false); }
  void backward(Pass<real>& p) override {
    if (p.dx[0]) fold_copy(this->q, p.dx[0], p.dy, p.y_extent, true);
    if (p.dx[1]) this->q.zero(p.dx[1], p.x_extent[1].size() * int64_t(sizeof(real)));
  }
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_cuda_unfold(const Config& options, const OpContext& context,
                                              CardQueue& queue) {
  return std::make_unique<CudaUnfold<real>>(options, context, queue);
}

HS_REGISTER_CUDA_LAYER(unfold)

}  // namespace hs
