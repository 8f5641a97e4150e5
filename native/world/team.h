// What a plan knows of the others that train the same model: which parts of a batch are its own,
// and how all parts are added up.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "world/tree_sum.h"

namespace hs {

class Team {
 public:
  virtual ~Team() = default;
  virtual int shards() const = 0;  // that a batch is cut into
  // Ours, from left to right; each list of shards is a node of the tree, and a value is handed in
  // for each.
  virtual const std::vector<TreeSum::Node>& ours() const = 0;
  // Waits for all. place: what the others must be at, too. Afterwards all values are the sum.
  // Throws Error(kRank) where another has failed, or is elsewhere: on all ranks, or on none.
  virtual void sum(uint64_t place, const std::vector<Segment>&,
                   const std::vector<std::vector<void*>>& values) = 0;
};

}  // namespace hs
