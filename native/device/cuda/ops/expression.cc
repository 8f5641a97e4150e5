#include "ops/expression_run.h"

#include "device/cuda/cuda.h"
#include "device/cuda/nodes/run.h"

namespace hs {

template <typename real>
std::unique_ptr<Layer<real>> make_cuda_expression(const Config& options, const OpContext& context,
                                                  CardQueue& queue) {
  return std::make_unique<ExpressionRun<real, CudaLayer<real>>>(options, context, queue);
}

HS_REGISTER_CUDA_LAYER(expression)

}  // namespace hs
