// As device/cpu/ops/embedding.cc: y[t, b, :] = W[id[b, t], :].
//
// Rows of words that are none are NaN; look() names the first of them.
#include "ops/embedding.h"

#include "device/cuda/ops/parts/rows.h"
#include "device/cuda/ops/parts/words.h"

namespace hs {
namespace {

template <typename real>
class CudaEmbedding final : public EmbeddingShape, public CudaLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  CudaEmbedding(const Config& options, const OpContext& context, CardQueue& queue)
      : EmbeddingShape(options, context), CudaLayer<real>(queue) {}

  void declare(Declaration& d, const std::vector<Extent>& x, const Extent& y,
               bool masked) override {
    EmbeddingShape::declare(d, x, y, masked);
    steps_ = x[0].size();
  }

  bool looks() const override { return true; }
  void look(const Pass<real>& p) override {
    std::vector<real> ids(static_cast<size_t>(steps_));  // [B, T]
    this->q.download(ids.data(), p.x[0], steps_ * int64_t(sizeof(real)));
    check_ids(ids.data(), steps_, p.x_extent[0].dims[0]);
  }

  void forward(Pass<real>& p) override {
    const int64_t B = p.x_extent[0].rows, T = p.x_extent[0].dims[0];
    const real* const factor = active(p) ? p.at(factor_) : nullptr;  // [V]
    if (factor) dropout_mask(this->q, p.at(factor_), V_, p_, p.dropout, stream() * 16);
    this->q.launch("embed", EmbedArgs<real>{T * B * D_, T, B, D_, V_, p.y, p.mask_out, p.at(W_),
                                            p.x[0], factor, p.wrong});
  }

  void backward(Pass<real>& p) override {
    if (p.dx[0]) this->q.zero(p.dx[0], steps_ * int64_t(sizeof(real)));
    if (!trainable()) return;
    rows_->write_all();
    const int64_t B = p.x_extent[0].rows, T = p.x_extent[0].dims[0];
    add_by_word(this->q, p.grad(W_), V_, D_, p.dy, p.x[0], B, T,
                active(p) ? p.at(factor_) : nullptr, false);
  }

 private:
  bool active(const Pass<real>& p) const { return drops_ && p.training; }

  int64_t steps_ = 0;  // T * B
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_cuda_embedding(const Config& options, const OpContext& context,
                                                 CardQueue& queue) {
  return std::make_unique<CudaEmbedding<real>>(options, context, queue);
}

HS_REGISTER_CUDA_LAYER(embedding)

}  // namespace hs
