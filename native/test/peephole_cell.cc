// An LSTM with all that a cell may ask for: three phases, each with an operand of another kind, two
// auxes, a vector for each peephole (Gers & Schmidhuber 2000). The candidate looks at c instead of
// h, the output gate at the new c.
//
//   i = s(x Wi + h Ui + bi + pi*c)   f = s(x Wf + h Uf + bf + pf*c)     phase 0
//   g = a(x Wg + c Ug + bg)          c' = f*c + i*g                     phase 1, product on c
//   o = s(x Wo + c' Uo + bo + po*c') h' = o*q, q = a(c')                phase 2, product on c'
//
//   backward: do~ = dh'*q * s'(o)    dc' += dh'*o * a'(q) + po*do~ + do~ Uo^T
//             di~ = dc'*g * s'(i)    df~ = dc'*c * s'(f)    dg~ = dc'*i * a'(g)
//             dc = dc'*f + pi*di~ + pf*df~ + dg~ Ug^T       dh = (di~ df~) (Ui Uf)^T
//             dpi = di~*c   dpf = df~*c   dpo = do~*c'
#if defined(__SSE2__)
#define HS_ISA sse
#define HS_ISA_SSE 1
#elif defined(__aarch64__)
#define HS_ISA neon
#define HS_ISA_NEON 1
#else
#define HS_ISA scalar
#define HS_ISA_SCALAR 1
#endif
#include "test/peephole_cell.h"

#include "device/cpu/kernels/cell_kernels.h"

namespace hs {
namespace HS_ISA {
namespace {

constexpr const char* kVectorNames[] = {"pi", "pf", "po"};

struct Peephole : PlainCell {
  static constexpr const char* name = "peephole";
  static constexpr const char* gates = "ifgo";
  static constexpr const char* states = "hc";
  static constexpr int kGates = 4, kPhases = 3;
  // c' is not zero where c is
  static constexpr Phase phase[] = {{0, 2}, {2, 1, Operand::kC}, {3, 1, Operand::kAux, 1, false}};
  static constexpr int auxes = 2, vectors = 3, row_scratch = 30;
  static constexpr const char* const* vector_names = kVectorNames;

  template <int phase, class Step>
  static inline void forward(Step& s) {
    if constexpr (phase == 0) {
      auto c = s.c_prev();
      auto i = s.inner(fma(s.vector(0), c, s.pre(0))), f = s.inner(fma(s.vector(1), c, s.pre(1)));
      s.gate(0, i), s.gate(1, f);
    } else if constexpr (phase == 1) {
      auto i = s.inner_gate(0), f = s.inner_gate(1), g = s.outer(s.pre(2));
      auto c = fma(f, s.c_prev(), i * g);
      s.gate(2, g);
      s.aux(s.outer(c)), s.aux(c, 1);
      s.c(c);
    } else {
      auto o = s.inner(fma(s.vector(2), s.aux(1), s.pre(3)));
      s.gate(3, o);
      s.h(o * s.outer_aux());
    }
  }

  template <int phase, class Step>
  static inline void backward([[maybe_unused]] Step& s) {
    if constexpr (phase == 2) {
      auto o = s.inner_gate(3), q = s.outer_aux();
      auto dh = s.dh(), d_o = s.inner_back(o, dh * q);
      s.dgate(3, d_o);
      s.dvector(2, d_o * s.aux(1));
      s.dc(s.dc() + s.outer_back(q, dh * o) + s.vector(2) * d_o);
      s.dh_prev(s.zero());
    } else if constexpr (phase == 1) {
      auto i = s.inner_gate(0), f = s.inner_gate(1), g = s.outer_gate(2);
      auto c = s.c_prev(), dc = s.dc() + s.daux(1);
      auto di = s.inner_back(i, dc * g), df = s.inner_back(f, dc * c);
      s.dgate(0, di), s.dgate(1, df), s.dgate(2, s.outer_back(g, dc * i));
      s.dvector(0, di * c), s.dvector(1, df * c);
      s.dc_prev(fma(s.vector(0), di, fma(s.vector(1), df, dc * f)));
    }
  }
};

constexpr CellKernels<double> kCell = cell_kernels<Peephole, double>();
constexpr FusedCell<double> kFused = fused_cell<Peephole, Exact<double>>();

}  // namespace
}  // namespace HS_ISA

namespace test {

const CellKernels<double>& peephole_cell() { return HS_ISA::kCell; }
const FusedCell<double>& peephole_fused() { return HS_ISA::kFused; }

}  // namespace test
}  // namespace hs
