// [T, rest...] of B rows -> [rest...] of B*T rows: what TimeDistributed gives to its child.
#include "device/cpu/ops/parts/fold.h"

#include "device/cpu/ops/parts/cpu_layer.h"
#include "ops/fold.h"

namespace hs {
namespace {

template <typename real>
class Fold final : public FoldShape, public CpuLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  Fold(const Config& options, const OpContext& context, const Table<real>& k)
      : FoldShape(options, context), CpuLayer<real>(k) {}

  void forward(Pass<real>& p) override { fold_copy(p.y, p.x[0], p.x_extent[0], true); }

  void backward(Pass<real>& p) override {
    if (p.dx[0]) fold_copy(p.dx[0], p.dy, p.x_extent[0], false);
  }
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_fold(const Config& options, const OpContext& context,
                                       const Table<real>& k) {
  return std::make_unique<Fold<real>>(options, context, k);
}

HS_REGISTER_LAYER(fold)

}  // namespace hs
