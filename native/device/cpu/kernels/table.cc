// This instruction set's Table, for float and double: constants, so nothing runs before the
// processor has been asked.
#include "device/cpu/kernels/cell.h"
#include "device/cpu/kernels/gemm_tile.h"
#include "device/cpu/kernels/optimizer.h"
#include "registry.inc"  // made by CMakeLists.txt: HS_CELLS, HS_OPTIMIZERS

namespace hs {
namespace HS_ISA {

#define HS_DECLARE(name)                          \
  extern const CellKernels<float> name##_f32;     \
  extern const CellKernels<double> name##_f64;    \
  extern const FusedCell<float> name##_fused_f32; \
  extern const FusedCell<double> name##_fused_f64;
HS_CELLS(HS_DECLARE)
#undef HS_DECLARE
#define HS_DECLARE(name)                           \
  extern const OptimizerKernels<float> name##_f32; \
  extern const OptimizerKernels<double> name##_f64;
HS_OPTIMIZERS(HS_DECLARE)
#undef HS_DECLARE

static bool same(const char* a, const char* b) { return strcmp(a, b) == 0; }

static const CellKernels<float>* cell_f32([[maybe_unused]] const char* name) {
#define HS_FIND(x) \
  if (same(name, #x)) return &x##_f32;
  HS_CELLS(HS_FIND)
  return nullptr;
}
static const OptimizerKernels<float>* optimizer_f32([[maybe_unused]] const char* name) {
  HS_OPTIMIZERS(HS_FIND)
  return nullptr;
#undef HS_FIND
}
static const CellKernels<double>* cell_f64([[maybe_unused]] const char* name) {
#define HS_FIND(x) \
  if (same(name, #x)) return &x##_f64;
  HS_CELLS(HS_FIND)
  return nullptr;
}
static const OptimizerKernels<double>* optimizer_f64([[maybe_unused]] const char* name) {
  HS_OPTIMIZERS(HS_FIND)
  return nullptr;
#undef HS_FIND
}

static const FusedCell<float>* fused_cell_f32([[maybe_unused]] const char* name) {
#define HS_FIND(x) \
  if (same(name, #x)) return &x##_fused_f32;
  HS_CELLS(HS_FIND)
#undef HS_FIND
  return nullptr;
}
static const FusedCell<double>* fused_cell_f64([[maybe_unused]] const char* name) {
#define HS_FIND(x) \
  if (same(name, #x)) return &x##_fused_f64;
  HS_CELLS(HS_FIND)
#undef HS_FIND
  return nullptr;
}

#define HS_TEXT_OF(x) #x
#define HS_TEXT(x) HS_TEXT_OF(x)

template <class real>
static constexpr Table<real> make_table(const FusedCell<real>* (*fused_cell)(const char*),
                                        const CellKernels<real>* (*cell)(const char*),
                                        const OptimizerKernels<real>* (*optimizer)(const char*)) {
  return {{packed_size<Exact<real>>, pack<Exact<real>>, gemm<Exact<real>>, gemm_tn<Exact<real>>,
           kTnScratch<real>, kMR, kNR<real>, Exact<real>::per, Exact<real>::converts, fused_cell},
          HS_TEXT(HS_ISA),
          Vec<real>::lanes,
          activate_array<real>,
          activate_backward<real>,
          softmax<real>,
          softmax_backward<real>,
          fill<real>,
          add<real>,
          axpy<real>,
          scale<real>,
          multiply<real>,
          multiply_add<real>,
          broadcast_rows<real>,
          binary<real>,
          clip<real>,
          column_sums<real>,
          sum_squares<real>,
          add_squares<real>,
          fold,
          sum_abs<real>,
          all_finite<real>,
          cell,
          optimizer};
}

extern constexpr Table<float> table_f32 =
    make_table<float>(fused_cell_f32, cell_f32, optimizer_f32);
extern constexpr Table<double> table_f64 =
    make_table<double>(fused_cell_f64, cell_f64, optimizer_f64);

}  // namespace HS_ISA
}  // namespace hs
