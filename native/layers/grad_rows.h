// The rows of a gradient [rows, width] that a batch has written; all others are zero. For parameters of which a batch reads few rows.
#pragma once
#include <cstdint>
#include <vector>

#include "base/chunks.h"
#include "base/shape.h"

namespace hs {

struct GradRows {
  explicit GradRows(const Dims& dims)
      : rows(dims[0]), width(rows > 0 ? count(dims) / rows : 0), written(size_t(rows)) {}

  const int64_t rows, width;
  std::vector<char> written;  // [rows]

  // fn(v0, v1) for each run of rows with wanted(v), over the threads; the width counts as work.
  template <typename Wanted, typename Fn>
  void each_run(const Wanted& wanted, const Fn& fn) const {
    for_rows(rows, width,
             [&](int64_t begin, int64_t end) { hs::each_run(begin, end, wanted, fn); });
  }
};

}  // namespace hs
