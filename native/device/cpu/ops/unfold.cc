// [rest...] of B*T rows -> [T, rest...] of B rows. Inputs: the value, and the value before `fold`,
// which only says B and T.
#include "ops/unfold.h"
#include "device/cpu/ops/parts/cpu_layer.h"
#include "device/cpu/ops/parts/fold.h"

namespace hs {
namespace {

template <typename real>
class Unfold final : public UnfoldShape, public CpuLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  Unfold(const Config& options, const OpContext& context, const Table<real>& k)
      : UnfoldShape(options, context), CpuLayer<real>(k) {}

  void forward(Pass<real>& p) override { fold_copy(p.y, p.x[0], p.y_extent, false); }

  void backward(Pass<real>& p) override {
    if (p.dx[0]) fold_copy(p.dx[0], p.dy, p.y_extent, true);
    if (p.dx[1]) this->k->fill(p.dx[1], 0, p.x_extent[1].size());
  }
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_unfold(const Config& options, const OpContext& context,
                                         const Table<real>& k) {
  return std::make_unique<Unfold<real>>(options, context, k);
}

HS_REGISTER_LAYER(unfold)

}  // namespace hs
