// Extents of what flows between layers. Letters: B batch, T time steps, D features, H units, G
// gates, V vocabulary.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace hs {

using Dims = std::vector<int64_t>;

inline int64_t count(const Dims& dims) {
  int64_t n = 1;
  for (int64_t d : dims) n *= d;
  return n;
}

std::string to_string(const Dims& dims);  // "[28, null, 64]"

// One value: `rows` samples of shape `dims` each. Stored time-major: dims of one axis lie as [rows,
// dims[0]]; two and more lie as [dims[0], rows, dims[1], ...], so that step t is contiguous.
// Everything that works on the last axis or elementwise need not know.
struct Extent {
  int64_t rows = 0;  // B, or B*T inside a TimeDistributed
  Dims dims;         // without the batch axis

  int64_t size() const { return rows * count(dims); }
  bool sequence() const { return dims.size() >= 2; }
  int64_t steps() const { return sequence() ? dims[0] : 1; }  // T
  int64_t last() const {
    return dims.empty() ? 1 : dims.back();
  }  // features: the axis that lies contiguous
  std::string text() const;  // as users see it: batch first
};

// The extents of a value's numbers as they lie: time, batch, rest.
inline Dims memory_dims(const Extent& extent) {
  Dims dims = extent.dims;
  dims.insert(dims.begin() + (extent.sequence() ? 1 : 0), extent.rows);
  return dims;
}

}  // namespace hs
