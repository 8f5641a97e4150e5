// As device/cpu/ops/pooling.cc: the largest or the mean element under a window.
// A thread for each place; backward it gathers from the positions that look at it.
#include "ops/pooling.h"

#include "device/cuda/cuda.h"
#include "device/cuda/kernels/layer_args.h"

namespace hs {
namespace {

template <typename real>
class CudaPooling final : public PoolingShape, public CudaLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  CudaPooling(const Config& options, const OpContext& context, CardQueue& queue)
      : PoolingShape(options, context), CudaLayer<real>(queue) {}

  void forward(Pass<real>& p) override {
    PoolArgs<real> a = args(p);
    a.n = p.y_extent.size(), a.to = p.y;
    this->q.launch("pool", a);
  }

  void backward(Pass<real>& p) override {
    if (!p.dx[0]) return;
    PoolArgs<real> a = args(p);
    a.n = p.x_extent[0].size(), a.to = p.dx[0], a.y = p.y, a.dy = p.dy;
    this->q.launch("pool_slope", a);
  }

 private:
  PoolArgs<real> args(const Pass<real>& p) const {
    PoolArgs<real> a = {};
    a.B = p.y_extent.rows, a.D = p.y_extent.last();
    a.rows = axis(p.x_extent[0], 0), a.columns = axis(p.x_extent[0], 1);
    a.max = max_, a.x = p.x[0], a.mask = p.mask;
    return a;
  }
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_cuda_pooling(const Config& options, const OpContext& context,
                                               CardQueue& queue) {
  return std::make_unique<CudaPooling<real>>(options, context, queue);
}

HS_REGISTER_CUDA_LAYER(pooling)

}  // namespace hs
