// What a plan keeps for batches that a team shares out (shards.cc).
#pragma once
#include <memory>
#include <vector>

#include "base/arena.h"
#include "world/team.h"

namespace hs {

// What is added up over shards: parts of losses, gradients, and which rows of gradients by rows are
// written.
template <typename real>
struct ShardValue {
  explicit ShardValue(Memory& memory) : grads(memory) {}
  std::vector<double> parts;
  Block<real> grads;  // of all parameters, as Params has them
  std::vector<unsigned char> rows;
};

template <typename real>
struct Shards {
  std::vector<double> parts;        // of the shards added up so far
  std::vector<unsigned char> rows;  // written; of all gradients by rows, one after the other
  // By depth: the left half of a node while the right one is computed; and after those, of each
  // block of ours but the last.
  std::vector<std::unique_ptr<ShardValue<real>>> kept;
};

}  // namespace hs
