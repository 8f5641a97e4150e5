#include "device/cuda/rules.h"

#include <cmath>
#include <cstring>
#include <new>

#define HS_ISA cuda_host
#define HS_ISA_SCALAR 1
#define HS_CUDA 1
#define HS_CUDA_HOST 1
#include "formulas.inc"
#include "registry.inc"

namespace hs {

template <typename real>
const CudaOptimizer* cuda_optimizer(const char* name) {
#define HS_FIND(known)            \
  if (!std::strcmp(name, #known)) \
    return sizeof(real) == 4 ? &cuda_host::known##_cuda_f32 : &cuda_host::known##_cuda_f64;
  HS_OPTIMIZERS(HS_FIND)
#undef HS_FIND
  return nullptr;
}
template const CudaOptimizer* cuda_optimizer<float>(const char*);
template const CudaOptimizer* cuda_optimizer<double>(const char*);

const CudaCell* cuda_cell(const char* name) {
#define HS_FIND(known) \
  if (!std::strcmp(name, #known)) return &cuda_host::known##_cuda;
  HS_CELLS(HS_FIND)
#undef HS_FIND
  return nullptr;
}

}  // namespace hs
