// y[t, b, :] = x[b, :] for n steps; dx = sum over t of dy, in order. Keras 1.2.2 core.py:519-520.
#include <algorithm>

#include "device/cpu/ops/parts/cpu_layer.h"
#include "device/cpu/ops/parts/matmul.h"
#include "ops/repeat_vector.h"

namespace hs {
namespace {

template <typename real>
class RepeatVector final : public RepeatVectorShape, public CpuLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  RepeatVector(const Config& options, const OpContext& context, const Table<real>& k)
      : RepeatVectorShape(options, context), CpuLayer<real>(k) {}

  void forward(Pass<real>& p) override {
    const int64_t BD = p.x_extent[0].size();
    for_rows(n_, BD, [&](int64_t t0, int64_t t1) {
      for (int64_t t = t0; t < t1; t++) std::copy_n(p.x[0], BD, p.y + t * BD);
    });
  }

  void backward(Pass<real>& p) override {
    if (!p.dx[0]) return;
    const int64_t BD = p.x_extent[0].size();
    for_elements(BD, [&](int64_t i, int64_t end) {
      std::copy_n(p.dy + i, end - i, p.dx[0] + i);
      for (int64_t t = 1; t < n_; t++) this->k->add(p.dx[0] + i, p.dy + t * BD + i, end - i);
    });
  }
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_repeat_vector(const Config& options, const OpContext& context,
                                                const Table<real>& k) {
  return std::make_unique<RepeatVector<real>>(options, context, k);
}

HS_REGISTER_LAYER(repeat_vector)

}  // namespace hs
