// What a plan keeps for batches that a team shares out (shards.cc).
#pragma once
#include <memory>
#include <vector>

#include "base/arena.h"
#include "world/team.h"

namespace hs {

// What is added up over shards: parts of losses, gradients, and which rows of gradients by rows are
// written, of all of those one after the other.
template <typename real>
struct ShardValue {
  explicit ShardValue(Memory& memory) : grads(memory) {}
  std::vector<double> parts;
  Block<real> grads;  // of all parameters, as Params has them
  std::vector<char> rows;
};

// Gradients that are handed to the team together: places of Params.
struct Bucket {
  int64_t begin, end;
};

// How far a batch has come with that. depth: of our last shard in its tree.
struct Handing {
  uint64_t place;
  size_t depth;
  std::vector<Bucket> buckets;
  size_t next = 0;
};

template <typename real>
struct Shards {
  // Of the shards added up so far: those of Losses, then the activity penalty.
  std::vector<double> parts;
  std::vector<Bucket> buckets;  // of all gradients, in the order in which they are ready
  // What the loss of each output is multiplied by, where that is known before gradients are taken.
  std::vector<double> factors;
  // By depth: the left half of a node while the right one is computed; and after those, of each
  // block of ours but the last.
  std::vector<std::unique_ptr<ShardValue<real>>> kept;
};

}  // namespace hs
