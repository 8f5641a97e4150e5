// [rest...] of B*T rows -> [T, rest...] of B rows. Inputs: the value, and the value before `fold`, which only says B and T.
#include "layers/cpu_layer.h"
#include "layers/fold.h"

namespace hs {
namespace {

template <typename real>
class Unfold final : public OpShape, public CpuLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  Unfold(const Config&, const OpContext& context, const Table<real>& k)
      : OpShape(context), CpuLayer<real>(k) {}

  Extent output(const std::vector<Extent>& x) const override {
    if (x.size() != 2)
      fail(Code::kInternal, this->where(), "number of inputs", "2", std::to_string(x.size()));
    if (!x[1].sequence() || x[0].dims.empty() || x[0].rows != x[1].rows * x[1].dims[0]) {
      fail(Code::kShape, this->where(), "input", "[B*T, ...] of " + x[1].text(), x[0].text());
    }
    Extent y{x[1].rows, {x[1].dims[0]}};
    y.dims.insert(y.dims.end(), x[0].dims.begin(), x[0].dims.end());
    return y;
  }

  void declare(Declaration& d, const std::vector<Extent>&, const Extent& y, bool) override {
    if (!fold_moves(y)) d.output_is_input();
  }

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
