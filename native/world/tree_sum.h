// Sums over ranks in one order. There are `leaves` addends; [a, b) is [a, m) + [m, b) with
// m = ceil((a + b) / 2). Rank r has the leaves from floor(r * leaves / size) on, and hands in what
// it has added up of them itself: one value for each of its blocks, the largest nodes of the tree
// that are its own. What it gets back are the sums of all leaves, to the same bits for any size.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "world/transport.h"

namespace hs {

// kBits: bytes, each the OR of the addends, so that zeros beside one rank's bytes spread those.
// kRounded: floats that go from rank to rank as bfloat16, to be added as floats; so is their sum.
// Each hop rounds, hence the bits depend on the number of ranks.
enum class Addend { kFloat, kDouble, kBits, kRounded };
size_t width(Addend);       // bytes of a number
size_t sent_width(Addend);  // as it goes

// A part of a value: n numbers in a row. flags: of a table, the place of the segment that has a
// byte for each of its rows, 0 where that is all zeros (row_sum.h); -1: it is none.
struct Segment {
  Addend kind;
  int64_t n;
  int flags = -1;
};

class TreeSum {
 public:
  // 1 <= size <= leaves
  TreeSum(int rank, int size, int leaves);

  struct Node {
    int first, end;  // leaves
    int middle() const { return (first + end + 1) / 2; }
  };
  const std::vector<Node>& blocks() const { return blocks_; }  // of this rank, from left to right

  // values[b][s]: segment s of block b of this rank. Afterwards all of them are the sum.
  void sum(Transport&, const std::vector<Segment>&, const std::vector<std::vector<void*>>& values);

 private:
  // A node whose leaves lie on several ranks, or, without children, a block.
  struct Place {
    Node node;
    int left = -1, right = -1;
    int rank = -1, block = -1;  // of a block
    int height = 0;
  };
  int grow(Node);
  int owner(int leaf) const;
  int holder(int place, int piece) const;  // the block in which a piece of a node's sum comes about
  struct Move {
    int from, to;    // places that are blocks
    int begin, end;  // pieces
  };
  std::vector<Move> moves(int height, bool up) const;
  struct Part {
    int64_t begin, n;
  };
  Part part(const Segment&, int begin, int end) const;  // pieces
  void round_sums(const std::vector<Segment>&, const std::vector<std::vector<void*>>& values) const;

  const int rank_, size_, leaves_;
  int height_ = 0, bits_ = 0;
  std::vector<Place> places_;
  std::vector<Node> blocks_;
  std::vector<unsigned char> staged_;  // what arrives to be added, what is rounded
};

}  // namespace hs
