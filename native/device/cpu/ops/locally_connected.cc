// A window over the steps with a kernel of its own at each place, not flipped. Keras 1.2.2
// local.py:135-157.
//   y[t] = a(patch[t] W[t] + b[t])   patch[t] = x[t * stride .. + length]   W [T', length * D, N]
//     b [T', N]
//   backward: dz = dy * a'(y)   dW[t] = patch[t]^T dz[t]   db[t] = sum over rows of dz[t]
//     dx: each patch adds its dz[t] W[t]^T
#include <algorithm>

#include "device/cpu/ops/parts/activate.h"
#include "device/cpu/ops/parts/convolve.h"
#include "device/cpu/ops/parts/cpu_layer.h"
#include "device/cpu/ops/parts/matmul.h"
#include "ops/locally_connected.h"

namespace hs {
namespace {

template <typename real>
class LocallyConnected final : public LocallyConnectedShape, public CpuLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  LocallyConnected(const Config& options, const OpContext& context, const Table<real>& k)
      : LocallyConnectedShape(options, context), CpuLayer<real>(k) {}

  void prepare(Declaration& d) override {
    const int64_t K = length_ * D_;
    patches_ = d.scratch("patches", {out_ * B_, K});
    packed_ = d.packed("W", {out_, packed_size(this->k, K, N_)});
    if (!d.training()) return;
    packed_T_ = d.packed("W^T", {out_, packed_size(this->k, N_, K)});
    gemm_ = d.scratch("gemm", {matmul_tn_scratch(this->k)});
    if (!activation_.is_linear()) dz_ = d.scratch("dz", {out_ * B_, N_});
  }

  void forward(Pass<real>& p) override {
    const Table<real>* k = this->k;
    const int64_t K = length_ * D_, BN = B_ * N_, each = packed_.size / out_;
    real* patches = gathered(p);            // [T', B, length * D]
    real* all = activation_.input(p, p.y);  // [T', B, N]
    for_chunks(out_, 1, BN * K, [&](int64_t t0, int64_t t1) {
      for (int64_t t = t0; t < t1; t++) {
        real *z = all + t * BN, *packed = p.at(packed_) + t * each;  // [B, N]
        if (p.repack) pack(k, packed, p.at(W_) + t * K * N_, N_, false, K, N_);
        if (bias_) k->broadcast_rows(z, p.at(b_) + t * N_, B_, N_);
        k->gemm(z, N_, patches + t * B_ * K, K, packed, B_, N_, K, 0, N_, bias_, nullptr);
        activate_rows(this->k, activation_, p, p.y, t * B_, (t + 1) * B_);
      }
    });
  }

  void backward(Pass<real>& p) override {
    const Table<real>* k = this->k;
    const int64_t K = length_ * D_, BN = B_ * N_;
    const real* dz = p.dy;  // [T', B, N]
    if (!activation_.is_linear()) {
      for_rows(out_ * B_, N_, [&](int64_t r0, int64_t r1) {
        slope_rows(this->k, activation_, p, p.at(dz_), p.y, p.dy, r0, r1);
      });
      dz = p.at(dz_);
    }
    if (trainable()) {
      const real* patches = gathered(p);  // [T', B, length * D]
      for (int64_t t = 0; t < out_; t++) {
        matmul_tn(k, p.grad(W_) + t * K * N_, N_, patches + t * B_ * K, K, dz + t * BN, N_, B_, K,
                  N_, false, p.at(gemm_), gemm_.size);
        if (bias_) k->column_sums(p.grad(b_) + t * N_, dz + t * BN, N_, B_, N_, false);
      }
    }
    if (p.dx[0]) input_backward(p, dz);
  }

 private:
  real* gathered(const Pass<real>& p) const {
    const int64_t K = length_ * D_;
    real* patches = p.at(patches_);
    for_rows(out_ * B_, K, [&](int64_t i0, int64_t i1) {
      gather(patches + i0 * K, p.x[0], D_, D_, window_, i0, i1);
    });
    return patches;
  }

  void input_backward(Pass<real>& p, const real* dz) const {
    const Table<real>* k = this->k;
    const int64_t K = length_ * D_, BN = B_ * N_, each = packed_T_.size / out_;
    real* dpatches = p.at(patches_);  // [T', B, length * D]
    for_chunks(out_, 1, BN * K, [&](int64_t t0, int64_t t1) {
      for (int64_t t = t0; t < t1; t++) {
        real* packed = p.at(packed_T_) + t * each;
        if (p.repack) pack(k, packed, p.at(W_) + t * K * N_, N_, true, N_, K);
        k->gemm(dpatches + t * B_ * K, K, dz + t * BN, N_, packed, B_, K, N_, 0, K, false, nullptr);
      }
    });
    // A step of x adds up the places that it had in patches, from the first patch on.
    for_rows(T_, B_ * K, [&](int64_t s0, int64_t s1) {
      for (int64_t s = s0; s < s1; s++) {
        real* dx = p.dx[0] + s * B_ * D_;  // [B, D]
        k->fill(dx, 0, B_ * D_);
        for (int64_t i = length_ - 1; i >= 0; i--) {
          const int64_t t = (s - i) / stride_;
          if (s < i || (s - i) % stride_ != 0 || t >= out_) continue;
          for (int64_t b = 0; b < B_; b++)
            k->add(dx + b * D_, dpatches + (t * B_ + b) * K + i * D_, D_);
        }
      }
    });
  }

  Tensor patches_;            // [T', B, length*D]
  Tensor packed_, packed_T_;  // [T', ...] as matmul.h lays them
  Tensor gemm_, dz_;          // as matmul.h asks, [T', B, N]
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_locally_connected(const Config& options, const OpContext& context,
                                                    const Table<real>& k) {
  return std::make_unique<LocallyConnected<real>>(options, context, k);
}

HS_REGISTER_LAYER(locally_connected)

}  // namespace hs
