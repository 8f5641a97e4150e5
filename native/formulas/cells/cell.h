// What a cell says of itself, for every device and both precisions.
#pragma once

namespace hs {

// What a phase multiplies U with: a state before the step, or what an earlier phase has written.
enum class Operand : int { kH, kC, kAux };

// A phase: the gates whose recurrent product is made together, and the operand of that product.
struct Phase {
  int first, count;  // gates [first, first + count), adjacent columns of W, U, b
  Operand operand = Operand::kH;
  int aux = 0;  // which one, of kAux
  // The operand is zero where the states before the step are: then its product is left out.
  bool zero_of_zeros = true;

  bool on_state() const { return operand != Operand::kAux; }
};

struct CellShape {
  const char* name;    // "lstm"
  const char* gates;   // "ifgo": order of the columns of W, U, b; `g` is the candidate
  const char* states;  // "hc" or "h"
  int phases;
  const Phase* phase;               // [phases]
  int auxes;                        // tensors aux [T, B, H] that live from forward to backward
  int vectors;                      // parameters [H], a number for each unit (peepholes)
  const char* const* vector_names;  // [vectors]
  bool recurrent_bias;  // the product has a bias of its own (c), and a gradient of its own (drec)
};

}  // namespace hs
