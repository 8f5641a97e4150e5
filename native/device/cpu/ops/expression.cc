#include "ops/expression_run.h"

#include "device/cpu/nodes/run.h"
#include "device/cpu/ops/parts/cpu_layer.h"

namespace hs {

template <typename real>
std::unique_ptr<Layer<real>> make_expression(const Config& options, const OpContext& context,
                                             const Table<real>& k) {
  return std::make_unique<ExpressionRun<real, CpuLayer<real>>>(options, context, k);
}

HS_REGISTER_LAYER(expression)

}  // namespace hs
