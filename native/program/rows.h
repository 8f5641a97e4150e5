// Which nodes work row by row: then some rows of a batch can be run without the others.
#pragma once
#include <vector>

#include "program/program.h"

namespace hs {

// How a node reads an argument: the rows of its result, or all of it for each row.
enum class Reads : char { kRows, kAll };

// Whether row b of the node's value [B, ...] is made of rows b of some arguments and of all of the
// others. reads: per argument.
bool row_by_row(const Node& node, const std::vector<Dims>& x, const Dims& y, int64_t B,
                std::vector<Reads>& reads);

}  // namespace hs
