#pragma once
#include <cstdint>

namespace hs {

inline int64_t round_up(int64_t n, int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}
inline int64_t tiles_of(int64_t n, int64_t tile) { return (n + tile - 1) / tile; }

}  // namespace hs
