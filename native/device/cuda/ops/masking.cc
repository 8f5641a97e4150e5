// As device/cpu/ops/masking.cc: steps of which all features equal maskValue
// are masked and become 0.
#include "ops/masking.h"

#include "device/cuda/ops/parts/rearrange.h"

namespace hs {
namespace {

template <typename real>
class CudaMasking final : public MaskingShape, public CudaLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  CudaMasking(const Config& options, const OpContext& context, CardQueue& queue)
      : MaskingShape(options, context), CudaLayer<real>(queue) {}

  void declare(Declaration& d, const std::vector<Extent>& x, const Extent& y,
               bool masked) override {
    MaskingShape::declare(d, x, y, masked);
    steps_ = x[0].steps() * x[0].rows;
  }
  void prepare(Declaration& d) override { real_ = d.scratch("real steps", {steps_}); }

  void forward(Pass<real>& p) override {
    each_step(p, p.x[0], p.y, p.mask_out ? p.mask_out : p.at(real_));
  }
  void backward(Pass<real>& p) override {
    if (p.dx[0]) each_step(p, p.dy, p.dx[0], p.at(real_));
  }

 private:
  // to = from where the step is real, else 0; the mask is made again from x, which stays until
  // backward.
  void each_step(const Pass<real>& p, const real* from, real* to, real* mask) {
    const int64_t D = p.x_extent[0].last();
    this->q.launch("real_steps", RealStepsArgs<real>{steps_, D, mask, p.x[0], real(value_)});
    this->q.launch("select", SelectArgs<real>{steps_ * D, D, to, from, mask});
  }

  int64_t steps_ = 0;
  Tensor real_;  // [T, B]
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_cuda_masking(const Config& options, const OpContext& context,
                                               CardQueue& queue) {
  return std::make_unique<CudaMasking<real>>(options, context, queue);
}

HS_REGISTER_CUDA_LAYER(masking)

}  // namespace hs
