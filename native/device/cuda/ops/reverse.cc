// As device/cpu/ops/reverse.cc: y[t] = x[T-1-t].
#include "ops/reverse.h"

#include "device/cuda/ops/parts/rows.h"

namespace hs {
namespace {

template <typename real>
class CudaReverse final : public ReverseShape, public CudaLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  CudaReverse(const Config& options, const OpContext& context, CardQueue& queue)
      : ReverseShape(options, context), CudaLayer<real>(queue) {}

  void forward(Pass<real>& p) override { flip(p.y, p.x[0], p.x_extent[0]); }
  void backward(Pass<real>& p) override {
    if (p.dx[0]) flip(p.dx[0], p.dy, p.x_extent[0]);
  }

 private:
  void flip(real* to, const real* from, const Extent& e) {
    const int64_t T = e.steps(), step = T ? e.size() / T : 0;
    this->q.launch("reverse_steps", ReverseArgs<real>{T * step, T, step, to, from});
  }
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_cuda_reverse(const Config& options, const OpContext& context,
                                               CardQueue& queue) {
  return std::make_unique<CudaReverse<real>>(options, context, queue);
}

HS_REGISTER_CUDA_LAYER(reverse)

}  // namespace hs
