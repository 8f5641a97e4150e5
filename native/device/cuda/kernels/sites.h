// Where the formulas of a cell ask for activations (staged.h).
#pragma once
#include <cstdint>

#include "formulas/activation.h"

namespace hs {

// A place of the formulas that asks for an activation, or for an argument's gradient through it.
struct StagedSite {
  Activation kind;
  bool slope;
  int round;  // in which its argument is known
};
constexpr int kMostSites = 16;  // of a phase

// What a thread is told of the sites: places [sites, B, H] of arguments, which become values, and
// of what slopes are made from.
template <typename real>
struct Sites {
  real* values;
  real* kept;
  int64_t size;  // B * H
  int round;
  bool last;
  StagedSite* found;  // [kMostSites] of the host, which asks what sites there are
};

}  // namespace hs
