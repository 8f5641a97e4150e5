// As device/cpu/ops/repeat_vector.cc: y[t] = x for n steps; dx = sum over t of dy.
#include "ops/repeat_vector.h"

#include "device/cuda/ops/parts/rearrange.h"
#include "device/cuda/sums.h"

namespace hs {
namespace {

template <typename real>
class CudaRepeatVector final : public RepeatVectorShape, public CudaLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  CudaRepeatVector(const Config& options, const OpContext& context, CardQueue& queue)
      : RepeatVectorShape(options, context), CudaLayer<real>(queue) {}

  void forward(Pass<real>& p) override {
    const int64_t BD = p.x_extent[0].size();
    rearrange(this->q, p.y, p.x[0], {{n_, BD, 0}, {BD, 1, 1}});
  }
  void backward(Pass<real>& p) override {
    const int64_t BD = p.x_extent[0].size();
    if (p.dx[0]) sum_axis(this->q, p.dx[0], p.dy, 1, n_, BD, BD);
  }
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_cuda_repeat_vector(const Config& options,
                                                     const OpContext& context, CardQueue& queue) {
  return std::make_unique<CudaRepeatVector<real>>(options, context, queue);
}

HS_REGISTER_CUDA_LAYER(repeat_vector)

}  // namespace hs
