// As device/cpu/ops/permute.cc: y.dims[i] = x.dims[dims[i] - 1].
#include "ops/permute.h"

#include <utility>

#include "device/cuda/ops/parts/rearrange.h"
#include "device/cuda/refusals.h"

namespace hs {
namespace {

// Distance in memory between neighbours along each axis, the batch first.
Dims strides_of(const Extent& e) {
  Dims s(e.dims.size() + 1);
  int64_t step = 1;
  for (size_t a = e.dims.size(); a > 1; a--) s[a] = step, step *= e.dims[a - 1];
  if (e.dims.empty()) return Dims{1};
  s[0] = e.sequence() ? step : e.dims[0];
  s[1] = e.sequence() ? step * e.rows : 1;
  return s;
}

template <typename real>
class CudaPermute final : public PermuteShape, public CudaLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  // Throws Error(kOption) for more axes than a kernel takes.
  CudaPermute(const Config& options, const OpContext& context, CardQueue& queue)
      : PermuteShape(options, context), CudaLayer<real>(queue) {
    static_assert(kMostAxes == 32, "as CardRefusal says: one of them is the batch");
    if (axes_.size() >= size_t(kMostAxes))
      refuse(CardRefusal::kPermuted, where(), std::to_string(axes_.size()));
  }

  void forward(Pass<real>& p) override { rearrange(this->q, p.y, p.x[0], axes_of(p, false)); }
  void backward(Pass<real>& p) override {
    if (p.dx[0]) rearrange(this->q, p.dx[0], p.dy, axes_of(p, true));
  }

 private:
  // Those of y, in its order; `back`: from y to x.
  std::vector<CopyAxis> axes_of(const Pass<real>& p, bool back) const {
    const Dims sx = strides_of(p.x_extent[0]), sy = strides_of(p.y_extent);
    std::vector<CopyAxis> list = {{p.y_extent.rows, sy[0], sx[0]}};
    for (size_t i = 0; i < axes_.size(); i++)
      list.push_back({p.y_extent.dims[i], sy[i + 1], sx[size_t(axes_[i])]});
    if (p.y_extent.sequence()) std::swap(list[0], list[1]);
    for (CopyAxis& axis : list)
      if (back) std::swap(axis.to, axis.from);
    return list;
  }
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_cuda_permute(const Config& options, const OpContext& context,
                                               CardQueue& queue) {
  return std::make_unique<CudaPermute<real>>(options, context, queue);
}

HS_REGISTER_CUDA_LAYER(permute)

}  // namespace hs
