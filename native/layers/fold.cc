// [T, rest...] of B rows -> [rest...] of B*T rows: what TimeDistributed gives to its child.
#include "layers/fold.h"

#include "layers/cpu_layer.h"

namespace hs {
namespace {

template <typename real>
class Fold final : public OpShape, public CpuLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  Fold(const Config&, const OpContext& context, const Table<real>& k)
      : OpShape(context), CpuLayer<real>(k) {}

  Extent output(const std::vector<Extent>& x) const override {
    if (!x[0].sequence()) fail(Code::kShape, this->where(), "input", "[B, T, ...]", x[0].text());
    return folded(x[0]);
  }

  void declare(Declaration& d, const std::vector<Extent>& x, const Extent&, bool) override {
    if (!fold_moves(x[0])) d.output_is_input();
  }

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
