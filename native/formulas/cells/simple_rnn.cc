// Elman 1990, as in Keras 1.2.2 recurrent.py:371-385.
//
//   h' = a(x W + h U + b)          backward: dg~ = dh' * a'(h')   dh = dg~ U^T
//     (the one gate is the candidate g)
#include "formulas/cells/compile.h"

namespace hs {
namespace HS_ISA {

struct SimpleRnn : PlainCell {
  static constexpr const char* name = "simple_rnn";
  static constexpr const char* gates = "g";
  static constexpr const char* states = "h";
  static constexpr int kGates = 1, kPhases = 1;
  static constexpr Phase phase[] = {{0, 1}};
  static constexpr int row_scratch = 7;

  template <int phase, class Step>
  static inline void forward(Step& s) {
    auto g = s.outer(s.pre(0));
    s.gate(0, g);
    s.h(g);
  }

  template <int phase, class Step>
  static inline void backward(Step& s) {
    s.dgate(0, s.outer_back(s.outer_gate(0), s.dh()));
    s.dh_prev(s.zero());
  }
};

HS_CELL(SimpleRnn, simple_rnn)

}  // namespace HS_ISA
}  // namespace hs
