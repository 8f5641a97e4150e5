// As device/cpu/ops/dropout.cc: y = x times a mask of 0 and 1 / (1 - p).
#include "ops/dropout.h"

#include "device/cuda/ops/parts/rearrange.h"
#include "device/cuda/ops/parts/rows.h"

namespace hs {
namespace {

template <typename real>
class CudaDropout final : public DropoutShape, public CudaLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  CudaDropout(const Config& options, const OpContext& context, CardQueue& queue)
      : DropoutShape(options, context), CudaLayer<real>(queue) {}

  void prepare(Declaration& d) override {
    if (drops_ && !shared_.empty()) drawn_ = d.scratch("drawn", {drawn_size_});
  }

  void forward(Pass<real>& p) override {
    const int64_t n = p.y_extent.size();
    if (!active(p)) return pass_on(this->q, p.y, p.x[0], n);
    const bool all = shared_.empty();
    const DropoutKey key =
        seeded_ ? DropoutKey{static_cast<uint64_t>(seed_), p.dropout.step} : p.dropout;
    dropout_mask(this->q, p.at(all ? mask_ : drawn_), all ? n : drawn_size_, p_, key,
                 stream() * 16);
    if (!all) spread(p);
    this->q.launch("multiply", ProductArgs<real>{n, n, p.y, p.x[0], p.at(mask_), false});
  }

  void backward(Pass<real>& p) override {
    if (!p.dx[0]) return;
    const int64_t n = p.y_extent.size();
    if (!active(p)) return pass_on(this->q, p.dx[0], p.dy, n);
    this->q.launch("multiply", ProductArgs<real>{n, n, p.dx[0], p.dy, p.at(mask_), false});
  }

 private:
  bool active(const Pass<real>& p) const { return drops_ && p.training; }

  // mask[i] = the drawn number that serves element i
  void spread(const Pass<real>& p) {
    const std::vector<Axis> list = axes(p.y_extent);
    std::vector<CopyAxis> copied(list.size());
    int64_t to = 1, from = 1;
    for (size_t a = list.size(); a-- > 0;) {
      copied[a] = {list[a].extent, to, list[a].shared ? 0 : from};
      to *= list[a].extent;
      if (!list[a].shared) from *= list[a].extent;
    }
    rearrange(this->q, p.at(mask_), p.at(drawn_), copied);
  }

  Tensor drawn_;  // [drawn_size_]
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_cuda_dropout(const Config& options, const OpContext& context,
                                               CardQueue& queue) {
  return std::make_unique<CudaDropout<real>>(options, context, queue);
}

HS_REGISTER_CUDA_LAYER(dropout)

}  // namespace hs
