// GRU with the reset applied AFTER the recurrent product and a second bias: the form of cuDNN,
// PyTorch and Keras 2 (reset_after=True). Not in Keras 1.2.2. c is the recurrent bias.
//
//   z = s(x Wz + bz + h Uz + cz)   r = s(x Wr + br + h Ur + cr)   q = h Ug + cg (kept as aux)
//   g = a(x Wg + bg + r*q)         h' = z*h + (1-z)*g
//
//   backward: dg~ = dh'*(1-z) * a'(g)   dz~ = dh'*(h-g) * s'(z)   dr~ = dg~*q * s'(r)
//             gradient of the products: (dz~ dr~ dg~*r), and so dh = dh'*z + (dz~ dr~ dg~*r) U^T
#include "formulas/cells/compile.h"

namespace hs {
namespace HS_ISA {

struct GruResetAfter : PlainCell {
  static constexpr const char* name = "gru_reset_after";
  static constexpr const char* gates = "zrg";
  static constexpr const char* states = "h";
  static constexpr int kGates = 3, kPhases = 1;
  static constexpr Phase phase[] = {{0, 3}};
  static constexpr int auxes = 1, row_scratch = 20;
  static constexpr bool recurrent_bias = true;

  template <int phase, class Step>
  static inline void forward(Step& s) {
    auto z = s.inner(s.pre(0)), r = s.inner(s.pre(1));
    auto q = s.product(2);
    auto g = s.outer(fma(r, q, s.projection(2)));
    s.gate(0, z), s.gate(1, r), s.gate(2, g);
    s.aux(q);
    s.h(fma(z, s.h_prev() - g, g));
  }

  template <int phase, class Step>
  static inline void backward(Step& s) {
    auto z = s.inner_gate(0), r = s.inner_gate(1), g = s.outer_gate(2);
    auto dh = s.dh(), dhz = dh * z;
    auto dg = s.outer_back(g, dh - dhz), dz = s.inner_back(z, dh * (s.h_prev() - g)),
         dr = s.inner_back(r, dg * s.aux());
    s.dgate(0, dz), s.dgate(1, dr), s.dgate(2, dg);
    s.dproduct(0, dz), s.dproduct(1, dr), s.dproduct(2, dg * r);
    s.dh_prev(dhz);
  }
};

HS_CELL(GruResetAfter, gru_reset_after)

}  // namespace HS_ISA
}  // namespace hs
