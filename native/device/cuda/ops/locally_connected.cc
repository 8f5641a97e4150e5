// As device/cpu/ops/locally_connected.cc: a kernel of its own at each place, so as many products,
// which cuBLAS makes as one.
#include "ops/locally_connected.h"

#include "device/cuda/ops/parts/rearrange.h"
#include "device/cuda/ops/parts/rows.h"

namespace hs {
namespace {

template <typename real>
class CudaLocallyConnected final : public LocallyConnectedShape, public CudaLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  CudaLocallyConnected(const Config& options, const OpContext& context, CardQueue& queue)
      : LocallyConnectedShape(options, context), CudaLayer<real>(queue) {}

  void prepare(Declaration& d) override {
    patches_ = d.scratch("patches", {out_ * B_, length_ * D_});
    if (d.training() && !activation_.is_linear()) dz_ = d.scratch("dz", {out_ * B_, N_});
  }

  void forward(Pass<real>& p) override {
    const int64_t K = length_ * D_, BN = B_ * N_;
    real* const z = activation_.input(p, p.y);  // [T', B, N]
    gather(p);
    if (bias_)
      rearrange(this->q, z, static_cast<const real*>(p.at(b_)),
                {{out_, BN, N_}, {B_, N_, 0}, {N_, 1, 1}});
    this->q.multiply_all(out_, z, N_, {p.at(patches_), K}, {p.at(W_), N_}, B_, N_, K, bias_);
    activate(this->q, activation_.kind(), p.y, z, out_ * B_, N_);
  }

  void backward(Pass<real>& p) override {
    const int64_t K = length_ * D_;
    const real* dz = p.dy;  // [T', B, N]
    if (!activation_.is_linear()) {
      const Activation kind = activation_.kind();
      const real* const kept = slope_from_input(kind) ? activation_.input(p, p.y) : p.y;
      slope(this->q, kind, p.at(dz_), kept, p.dy, out_ * B_, N_);
      dz = p.at(dz_);
    }
    if (trainable()) {
      gather(p);
      this->q.multiply_all(out_, p.grad(W_), N_, {p.at(patches_), K, true}, {dz, N_}, K, N_, B_,
                           false);
      if (bias_) sum_axis(this->q, p.grad(b_), dz, out_, B_, N_, N_);
    }
    if (!p.dx[0]) return;
    this->q.multiply_all(out_, p.at(patches_), K, {dz, N_}, {p.at(W_), N_, true}, B_, K, N_, false);
    this->q.launch("unpatch", UnpatchArgs<real>{T_ * B_ * D_, B_, D_, length_, stride_, out_,
                                                p.dx[0], p.at(patches_)});
  }

 private:
  void gather(const Pass<real>& p) {
    const int64_t n = out_ * B_ * length_ * D_;
    this->q.launch("patches", PatchesArgs<real>{n, 0, D_, window_, p.at(patches_), p.x[0], D_});
  }

  Tensor patches_;  // [T', B, length*D]
  Tensor dz_;       // [T', B, N]
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_cuda_locally_connected(const Config& options,
                                                         const OpContext& context,
                                                         CardQueue& queue) {
  return std::make_unique<CudaLocallyConnected<real>>(options, context, queue);
}

HS_REGISTER_CUDA_LAYER(locally_connected)

}  // namespace hs
