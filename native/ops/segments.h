// The option `checkpoint` of loops over time: what backward reads lies there for some steps only, a
// segment, and is made again for each segment but the last (Chen et al. 2016, arXiv:1604.06174).
#pragma once
#include <algorithm>
#include <cmath>
#include <string>

#include "base/config.h"
#include "base/error.h"

namespace hs {

// A number of steps; 0: all, -1: about sqrt(T), which is `auto`.
inline int64_t checkpoint_of(const Config& options, const std::string& where) {
  if (!options.has("checkpoint")) return 0;
  if (options.at("checkpoint").kind != Config::Kind::kText) return options.integer("checkpoint");
  const std::string& name = options.str("checkpoint");
  if (name != "auto") fail(Code::kOption, where, "checkpoint", "auto or a number", name);
  return -1;
}

// Steps of a segment, at most.
inline int64_t segment_of(int64_t checkpoint, int64_t T) {
  return checkpoint == 0  ? T
         : checkpoint < 0 ? static_cast<int64_t>(std::ceil(std::sqrt(double(T))))
                          : std::min(checkpoint, T);
}

}  // namespace hs
