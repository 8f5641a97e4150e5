// LSTM, Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000; as in Keras 1.2.2
// recurrent.py:826-866 (no peepholes).
//
//   i = s(x Wi + h Ui + bi)   f = s(x Wf + h Uf + bf)   g = a(x Wg + h Ug + bg)
//     o = s(x Wo + h Uo + bo)
//   c' = f*c + i*g            q = a(c')                 h' = o*q
//     (q is kept as aux)
//
//   backward, ~ for the gradient before the activation:
//   do~ = dh'*q * s'(o)       dc' += dh'*o * a'(q)
//   di~ = dc'*g * s'(i)       df~ = dc'*c * s'(f)       dg~ = dc'*i * a'(g)
//   dc = dc'*f                dh = (di~ df~ dg~ do~) U^T
#include "formulas/cells/compile.h"

namespace hs {
namespace HS_ISA {

struct Lstm : PlainCell {
  static constexpr const char* name = "lstm";
  static constexpr const char* gates = "ifgo";
  static constexpr const char* states = "hc";
  static constexpr int kGates = 4, kPhases = 1;
  static constexpr Phase phase[] = {{0, 4}};
  static constexpr int auxes = 1, row_scratch = 28;

  template <int phase, class Step>
  static inline void forward(Step& s) {
    auto i = s.inner(s.pre(0)), f = s.inner(s.pre(1)), g = s.outer(s.pre(2)), o = s.inner(s.pre(3));
    auto c = fma(f, s.c_prev(), i * g);
    auto q = s.outer(c);
    s.gate(0, i), s.gate(1, f), s.gate(2, g), s.gate(3, o);
    s.aux(q);
    s.c(c);
    s.h(o * q);
  }

  template <int phase, class Step>
  static inline void backward(Step& s) {
    auto i = s.inner_gate(0), f = s.inner_gate(1), g = s.outer_gate(2), o = s.inner_gate(3);
    auto q = s.outer_aux();
    auto dh = s.dh();
    auto dc = s.dc() + s.outer_back(q, dh * o);
    s.dgate(3, s.inner_back(o, dh * q));
    s.dgate(0, s.inner_back(i, dc * g));
    s.dgate(1, s.inner_back(f, dc * s.c_prev()));
    s.dgate(2, s.outer_back(g, dc * i));
    s.dc_prev(dc * f);
    s.dh_prev(s.zero());
  }
};

HS_CELL(Lstm, lstm)

}  // namespace HS_ISA
}  // namespace hs
