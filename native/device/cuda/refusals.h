// What the CPU does and a card refuses; the list of docs/gpu.md is this one, and the ops that a
// card lacks (test/contract/gpu-list.test.ts holds them together).
#pragma once
#include <string>

#include "base/error.h"

namespace hs {

// name, code, what docs/gpu.md calls it; for the error: what, what it must be, hint
#define HS_CARD_REFUSALS(EACH)                                                                     \
  EACH(kCtc, kOption, "the loss `'ctc'`", "the loss on a card", "one that runs there",             \
       "Compile for device 'cpu'.")                                                                \
  EACH(kMerged, kOption, "a `Merge` of more than 32 layers but by `'concat'`",                     \
       "inputs of a merge on a card", "32 at most", "Merge them in groups, or use device 'cpu'.")  \
  EACH(kPermuted, kOption, "a `Permute` of more than 31 axes", "axes that are permuted on a card", \
       "31 at most", "Use device 'cpu'.")                                                          \
  EACH(kConstrained, kOption, "a constraint on a parameter of more than 32 axes",                  \
       "axes of what a constraint is on, on a card", "32 at most", "Use device 'cpu'.")            \
  EACH(kMatrix, kShape, "a matrix of more than 2^31 - 1 rows or columns",                          \
       "rows and columns of a matrix on a card", "2147483647 at most", "Use a smaller batch.")     \
  EACH(kBfloat16, kDevice, "`mixed_bfloat16` on cards of a compute capability below 8.0",          \
       "the compute capability for mixed_bfloat16", "8.0 or more",                                 \
       "Use float32, or device 'cpu'.")                                                            \
  EACH(kInt8, kOption, "models that `quantize('int8')` made", "precision on a card",               \
       "float32, mixed_bfloat16 or float64", "Use device 'cpu'.")

enum class CardRefusal {
#define HS_REFUSAL(name, ...) name,
  HS_CARD_REFUSALS(HS_REFUSAL)
#undef HS_REFUSAL
};

[[noreturn]] void refuse(CardRefusal, const std::string& where, const std::string& actual);

}  // namespace hs
