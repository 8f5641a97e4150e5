// This instruction set's products with bfloat16 operands: what isa.cc puts in place of a Table's
// own for mixed_bfloat16.
#include "device/cpu/kernels/cell.h"
#include "device/cpu/kernels/gemm_tile.h"
#include "registry.inc"  // made by CMakeLists.txt: HS_CELLS

namespace hs {
namespace HS_ISA {

#define HS_DECLARE(name) extern const FusedCell<float> name##_fused_bf16;
HS_CELLS(HS_DECLARE)
#undef HS_DECLARE

static const FusedCell<float>* fused_cell_bf16([[maybe_unused]] const char* name) {
#define HS_FIND(x) \
  if (strcmp(name, #x) == 0) return &x##_fused_bf16;
  HS_CELLS(HS_FIND)
#undef HS_FIND
  return nullptr;
}

extern constexpr Products<float> products_bf16 = {
    packed_size<Bf16>, pack<Bf16>, gemm<Bf16>,     gemm_tn<Bf16>,  kTnScratch<float>, kMR,
    kNR<float>,        Bf16::per,  Bf16::converts, fused_cell_bf16};

}  // namespace HS_ISA
}  // namespace hs
