// y[t, b, :] = W[id[b, t], :]; mask[t, b] = id != 0 with maskZero. Keras 1.2.2
// embeddings.py:105-129. Dropout drops word types: one factor for each row of W a batch, 0 or 1 /
// (1 - p), in training only.
//   backward: dW = 0, then for t, b in order: dW[id] += factor[id] * dy[t, b, :]
//     (dense, as in Keras; ids have no gradient)
// Zeros are written where they are not yet: into the rows of the batch before.
#include <algorithm>

#include "device/cpu/ops/parts/cpu_layer.h"
#include "device/cpu/ops/parts/matmul.h"
#include "device/cpu/rng.h"
#include "device/cpu/written_rows.h"
#include "ops/embedding.h"

namespace hs {
namespace {

template <typename real>
class Embedding final : public EmbeddingShape, public CpuLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  Embedding(const Config& options, const OpContext& context, const Table<real>& k)
      : EmbeddingShape(options, context), CpuLayer<real>(k) {}

  void forward(Pass<real>& p) override {
    const int64_t B = p.x_extent[0].rows, T = p.x_extent[0].dims[0];
    check_ids(p.x[0], B * T, T);
    const real* W = p.at(W_);                                  // [V, D]
    const real* ids = p.x[0];                                  // [B, T]: one axis lies batch-major
    const real* factor = active(p) ? p.at(factor_) : nullptr;  // [V]
    if (factor) dropout_mask(p.at(factor_), V_, p_, p.dropout, stream() * 16);
    for_rows(T * B, D_, [&](int64_t s0, int64_t s1) {
      for (int64_t s = s0; s < s1; s++) {
        const int64_t id = at(ids, s, B, T);
        real* y = p.y + s * D_;  // [D]
        std::copy_n(W + id * D_, D_, y);
        if (factor) this->k->scale(y, factor[id], D_);
        if (p.mask_out) p.mask_out[s] = id != 0 ? real(1) : real(0);
      }
    });
  }

  void backward(Pass<real>& p) override {
    const int64_t B = p.x_extent[0].rows, T = p.x_extent[0].dims[0];
    if (p.dx[0]) this->k->fill(p.dx[0], 0, B * T);
    if (!trainable()) return;
    const real* ids = p.x[0];                                  // [B, T]
    const real* factor = active(p) ? p.at(factor_) : nullptr;  // [V]
    real* dW = p.grad(W_);                                     // [V, D]
    std::vector<char>& written = rows_->written;               // [V]
    each_written_run(
        *rows_, [&](int64_t v0, int64_t v1) { this->k->fill(dW + v0 * D_, 0, (v1 - v0) * D_); });
    std::fill(written.begin(), written.end(), char(0));
    for (int64_t s = 0; s < T * B; s++) written[size_t(at(ids, s, B, T))] = 1;
    // Threads share the columns, so that every element of dW is summed in the order of t, b.
    constexpr int64_t kColumns = 32;
    for_chunks(D_, kColumns, T * B, [&](int64_t d0, int64_t d1) {
      for (int64_t s = 0; s < T * B; s++) {
        const int64_t id = at(ids, s, B, T);
        const real* dy = p.dy + s * D_ + d0;
        if (factor) {
          this->k->axpy(dW + id * D_ + d0, factor[id], dy, d1 - d0);
        } else {
          this->k->add(dW + id * D_ + d0, dy, d1 - d0);
        }
      }
    });
  }

 private:
  bool active(const Pass<real>& p) const { return drops_ && p.training; }

  // The id of step s = t * B + b of the time-major output. As Keras' cast to int32, it cuts
  // fractions off.
  static int64_t at(const real* ids, int64_t s, int64_t B, int64_t T) {
    return static_cast<int64_t>(ids[s % B * T + s / B]);
  }
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_embedding(const Config& options, const OpContext& context,
                                            const Table<real>& k) {
  return std::make_unique<Embedding<real>>(options, context, k);
}

HS_REGISTER_LAYER(embedding)

}  // namespace hs
