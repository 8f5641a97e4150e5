// The rows of a gradient [rows, width] that a batch has written; all others are zero. For
// parameters of which a batch reads few rows, on devices that keep such a note.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/shape.h"

namespace hs {

struct GradRows {
  explicit GradRows(const Dims& dims)
      : rows(dims[0]), width(rows > 0 ? count(dims) / rows : 0), written(size_t(rows)) {}

  const int64_t rows, width;
  std::vector<char> written;  // [rows]
  void write_all() { std::fill(written.begin(), written.end(), char(1)); }
};

}  // namespace hs
