// As device/cpu/ops/merge.cc: n inputs into one.
#include "ops/merge.h"

#include <algorithm>

#include "device/cuda/ops/parts/rearrange.h"
#include "device/cuda/refusals.h"

namespace hs {
namespace {

template <typename real>
class CudaMerge final : public MergeShape, public CudaLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  // Throws Error(kOption) for more inputs than a kernel takes.
  CudaMerge(const Config& options, const OpContext& context, CardQueue& queue)
      : MergeShape(options, context), CudaLayer<real>(queue) {
    static_assert(kMostMerged == 32, "as CardRefusal says");
    if (context.inputs > size_t(kMostMerged) && mode_ != MergeMode::kConcat)
      refuse(CardRefusal::kMerged, where(), std::to_string(context.inputs));
  }

  void forward(Pass<real>& p) override {
    if (mode_ == MergeMode::kConcat) {
      return parts(p, [&](size_t i, int64_t outer, int64_t inner, int64_t whole, int64_t from) {
        rearrange(this->q, p.y + from, p.x[i], {{outer, whole, inner}, {inner, 1, 1}});
      });
    }
    MergeArgs<real> a = {p.y_extent.size(), mode(), int(p.x.size()), p.y, {}};
    std::copy(p.x.begin(), p.x.end(), a.x);
    this->q.launch("merge", a);
  }

  void backward(Pass<real>& p) override {
    if (mode_ == MergeMode::kConcat) {
      return parts(p, [&](size_t i, int64_t outer, int64_t inner, int64_t whole, int64_t from) {
        if (!p.dx[i]) return;
        rearrange(this->q, p.dx[i], p.dy + from, {{outer, inner, whole}, {inner, 1, 1}});
      });
    }
    MergeSlopeArgs<real> a = {p.y_extent.size(), mode(), int(p.x.size()), 0, nullptr, p.dy, {}};
    std::copy(p.x.begin(), p.x.end(), a.x);
    for (size_t i = 0; i < p.x.size(); i++) {
      a.which = int(i), a.dx = p.dx[i];
      if (a.dx) this->q.launch("merge_slope", a);
    }
  }

 private:
  CardMerge mode() const {
    return mode_ == MergeMode::kSum   ? CardMerge::kSum
           : mode_ == MergeMode::kMul ? CardMerge::kMul
           : mode_ == MergeMode::kAve ? CardMerge::kAve
                                      : CardMerge::kMax;
  }

  // fn(i, outer, inner, whole, from) for each input: it is [outer, inner] in memory, its place in y
  // is [outer, from : from + inner] of [outer, whole].
  template <typename Fn>
  void parts(const Pass<real>& p, const Fn& fn) const {
    const Dims& dims = p.y_extent.dims;
    const size_t a = axis(dims);
    int64_t rest = 1;
    for (size_t i = a + 1; i < dims.size(); i++) rest *= dims[i];
    if (p.y_extent.sequence() && a == 0) rest *= p.y_extent.rows;  // steps one after the other
    const int64_t whole = dims[a] * rest, outer = whole ? p.y_extent.size() / whole : 0;
    int64_t from = 0;
    for (size_t i = 0; i < p.x.size(); i++) {
      const int64_t inner = p.x_extent[i].dims[a] * rest;
      fn(i, outer, inner, whole, from);
      from += inner;
    }
  }
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_cuda_merge(const Config& options, const OpContext& context,
                                             CardQueue& queue) {
  return std::make_unique<CudaMerge<real>>(options, context, queue);
}

HS_REGISTER_CUDA_LAYER(merge)

}  // namespace hs
