// Sums with tables of which most rows are zero, as gradients of embeddings are: ranks first find
// out which rows are not, anywhere, and then add up those alone. What is added is what a sum of
// whole tables adds, in the same order, so that the bits are the same; and how much is sent hangs
// on what all ranks know.
#pragma once
#include <cstdint>
#include <vector>

#include "base/function_ref.h"
#include "world/tree_sum.h"

namespace hs {

using SumValues = std::vector<std::vector<void*>>;  // [block][segment]

// Calls sum(), once or twice. Afterwards all values are the sum, flags too. Returns how many bytes
// a block had.
int64_t sum_by_rows(FunctionRef<void(const std::vector<Segment>&, const SumValues&)> sum,
                    const std::vector<Segment>&, const SumValues&);

}  // namespace hs
