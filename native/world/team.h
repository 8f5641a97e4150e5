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
  // Begins a sum, which goes on while its caller computes: values become the sum, and nobody
  // touches them before finish(). place: what the others must be at, too. Sums of a batch begin in
  // the same order everywhere.
  virtual void start(uint64_t place, std::vector<Segment>,
                     std::vector<std::vector<void*>> values) = 0;
  // Waits for all that began. Throws Error(kRank) where another has failed, or is elsewhere: on all
  // ranks, or on none; then those of the sums that come after have not been.
  virtual void finish() = 0;
};

}  // namespace hs
