// GRU, Cho et al. 2014 (arXiv:1406.1078 eq. 5-8), reset applied BEFORE the recurrent product, one
// bias: Keras 1.2.2 recurrent.py:587,603.
//
//   z = s(x Wz + h Uz + bz)   r = s(x Wr + h Ur + br)   q = r*h (kept as aux)      phase 0
//   g = a(x Wg + q Ug + bg)   h' = z*h + (1-z)*g
//     phase 1, product on q
//
//   backward: dg~ = dh'*(1-z) * a'(g)   dz~ = dh'*(h-g) * s'(z)   dq = dg~ Ug^T
//             dr~ = dq*h * s'(r)        dh = dh'*z + dq*r + (dz~ dr~) (Uz Ur)^T
#include "formulas/cells/compile.h"

namespace hs {
namespace HS_ISA {

struct Gru : PlainCell {
  static constexpr const char* name = "gru";
  static constexpr const char* gates = "zrg";
  static constexpr const char* states = "h";
  static constexpr int kGates = 3, kPhases = 2;
  static constexpr Phase phase[] = {{0, 2}, {2, 1, Operand::kAux}};
  static constexpr int auxes = 1, row_scratch = 14;

  template <int phase, class Step>
  static inline void forward(Step& s) {
    if constexpr (phase == 0) {
      auto z = s.inner(s.pre(0)), r = s.inner(s.pre(1));
      s.gate(0, z), s.gate(1, r);
      s.aux(r * s.h_prev());
    } else {
      auto z = s.inner_gate(0), g = s.outer(s.pre(2));
      s.gate(2, g);
      s.h(fma(z, s.h_prev() - g, g));
    }
  }

  template <int phase, class Step>
  static inline void backward(Step& s) {
    if constexpr (phase == 1) {
      auto z = s.inner_gate(0), g = s.outer_gate(2);
      auto dh = s.dh(), dhz = dh * z;
      s.dgate(2, s.outer_back(g, dh - dhz));
      s.dgate(0, s.inner_back(z, dh * (s.h_prev() - g)));
      s.dh_prev(dhz);
    } else {
      auto r = s.inner_gate(1);
      auto dq = s.daux();
      s.dgate(1, s.inner_back(r, dq * s.h_prev()));
      s.dh_prev(fma(dq, r, s.dh_prev()));
    }
  }
};

HS_CELL(Gru, gru)

}  // namespace HS_ISA
}  // namespace hs
