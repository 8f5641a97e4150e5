// As device/cpu/ops/reshape.cc: another shape, the batch-major order kept.
#include "ops/reshape.h"

#include "device/cuda/ops/parts/rearrange.h"

namespace hs {
namespace {

template <typename real>
class CudaReshape final : public ReshapeShape, public CudaLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  CudaReshape(const Config& options, const OpContext& context, CardQueue& queue)
      : ReshapeShape(options, context), CudaLayer<real>(queue) {}

  void forward(Pass<real>& p) override { move(p.y, p.y_extent, p.x[0], p.x_extent[0]); }
  void backward(Pass<real>& p) override {
    if (p.dx[0]) move(p.dx[0], p.x_extent[0], p.dy, p.y_extent);
  }

 private:
  void move(real* to, const Extent& to_e, const real* from, const Extent& from_e) {
    const int64_t n = to_e.size();
    if (same_) return pass_on(this->q, to, from, n);
    this->q.launch("reorder",
                   ReorderArgs<real>{n, to_e.rows, to, from, run_of(to_e), run_of(from_e)});
  }
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_cuda_reshape(const Config& options, const OpContext& context,
                                               CardQueue& queue) {
  return std::make_unique<CudaReshape<real>>(options, context, queue);
}

HS_REGISTER_CUDA_LAYER(reshape)

}  // namespace hs
