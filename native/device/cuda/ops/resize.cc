// As device/cpu/ops/resize.cc: zeros at the ends, steps cut off, steps repeated.
#include "ops/resize.h"

#include "device/cuda/cuda.h"
#include "device/cuda/kernels/layer_args.h"

namespace hs {
namespace {

template <typename real>
class CudaResize final : public ResizeShape, public CudaLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  CudaResize(const Config& options, const OpContext& context, CardQueue& queue)
      : ResizeShape(options, context), CudaLayer<real>(queue) {}

  void forward(Pass<real>& p) override {
    this->q.launch("resize", args(p, p.y_extent.size(), p.y, p.x[0]));
  }
  void backward(Pass<real>& p) override {
    if (p.dx[0]) this->q.launch("resize_slope", args(p, p.x_extent[0].size(), p.dx[0], p.dy));
  }

 private:
  ResizeArgs<real> args(const Pass<real>& p, int64_t n, real* to, const real* from) const {
    return {
        n,   p.y_extent.rows, p.y_extent.last(), axis(p.x_extent[0], 0), axis(p.x_extent[0], 1), to,
        from};
  }
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_cuda_resize(const Config& options, const OpContext& context,
                                              CardQueue& queue) {
  return std::make_unique<CudaResize<real>>(options, context, queue);
}

HS_REGISTER_CUDA_LAYER(resize)

}  // namespace hs
