// A node is cut into as many pieces as there are ranks. Each piece of its sum comes about where one
// of its children has that piece: up the tree, a bit of the number of the piece says which, another
// bit at each height, so that both sides work on half of what they have. Then down again the same
// way. Where ranks and leaves are powers of two, this is recursive halving and doubling.
#include "world/tree_sum.h"

#include <algorithm>
#include <cstring>

namespace hs {
namespace {

constexpr int64_t kAlign = 16;  // numbers: a piece begins at a whole vector

size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

// Where piece `piece` of `pieces` begins.
int64_t begin_of(int64_t n, int piece, int pieces) {
  return piece == pieces ? n : n * piece / pieces / kAlign * kAlign;
}

template <typename T>
void add(T* to, const T* from, int64_t n) {
  for (int64_t i = 0; i < n; i++) to[i] += from[i];
}

// bfloat16 is the upper half of a float, to nearest, halves to even; a NaN stays one. (That of
// formulas/bfloat16.h is compiled for an instruction set.)
uint16_t rounded(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  const uint32_t even = bits + 0x7fffu + (bits >> 16 & 1), nan = bits | 0x400000u;
  return static_cast<uint16_t>(((bits & 0x7fffffffu) > 0x7f800000u ? nan : even) >> 16);
}

float widened(uint16_t half) {
  const uint32_t bits = uint32_t(half) << 16;
  float x;
  std::memcpy(&x, &bits, sizeof(x));
  return x;
}

void round(uint16_t* to, const float* from, int64_t n) {
  for (int64_t i = 0; i < n; i++) to[i] = rounded(from[i]);
}

void widen(float* to, const uint16_t* from, int64_t n) {
  for (int64_t i = 0; i < n; i++) to[i] = widened(from[i]);
}

// packed: it has come from another rank.
void combine(Addend kind, bool packed, void* to, const void* from, int64_t n) {
  switch (kind) {
    case Addend::kRounded:
      if (packed) {
        for (int64_t i = 0; i < n; i++)
          static_cast<float*>(to)[i] += widened(static_cast<const uint16_t*>(from)[i]);
        return;
      }
      [[fallthrough]];
    case Addend::kFloat: return add(static_cast<float*>(to), static_cast<const float*>(from), n);
    case Addend::kDouble: return add(static_cast<double*>(to), static_cast<const double*>(from), n);
    case Addend::kBits:
      for (int64_t i = 0; i < n; i++)
        static_cast<unsigned char*>(to)[i] |= static_cast<const unsigned char*>(from)[i];
  }
}

}  // namespace

size_t width(Addend kind) {
  return kind == Addend::kDouble ? sizeof(double) : kind == Addend::kBits ? 1 : sizeof(float);
}

size_t sent_width(Addend kind) { return kind == Addend::kRounded ? sizeof(uint16_t) : width(kind); }

TreeSum::TreeSum(int rank, int size, int leaves) : rank_(rank), size_(size), leaves_(leaves) {
  while ((1 << bits_) < size) bits_++;
  const int root = grow({0, leaves});
  height_ = places_[size_t(root)].height;
}

int TreeSum::owner(int leaf) const {
  int rank = int(int64_t(leaf) * size_ / leaves_);
  while (int64_t(rank + 1) * leaves_ / size_ <= leaf) rank++;
  return rank;
}

int TreeSum::grow(Node node) {
  const int place = int(places_.size());
  places_.push_back({node});
  const int first = owner(node.first);
  if (owner(node.end - 1) == first) {
    places_[size_t(place)].rank = first;
    if (first == rank_) {
      places_[size_t(place)].block = int(blocks_.size());
      blocks_.push_back(node);
    }
    return place;
  }
  const int left = grow({node.first, node.middle()}), right = grow({node.middle(), node.end});
  Place& p = places_[size_t(place)];
  p.left = left, p.right = right;
  p.height = 1 + std::max(places_[size_t(left)].height, places_[size_t(right)].height);
  return place;
}

int TreeSum::holder(int place, int piece) const {
  while (places_[size_t(place)].left >= 0) {
    const Place& p = places_[size_t(place)];
    const int bit = std::max(0, bits_ - p.height);
    place = (piece >> bit) & 1 ? p.right : p.left;
  }
  return place;
}

// What goes from block to block for the nodes of a height, in an order that all ranks have.
std::vector<TreeSum::Move> TreeSum::moves(int height, bool up) const {
  std::vector<Move> all;
  for (int i = 0; i < int(places_.size()); i++) {
    const Place& p = places_[size_t(i)];
    if (p.left < 0 || p.height != height) continue;
    const size_t first = all.size();
    for (int piece = 0; piece < size_; piece++) {
      const int here = holder(i, piece), left = holder(p.left, piece);
      const int there = here == left ? holder(p.right, piece) : left;
      const Move move =
          up ? Move{there, here, piece, piece + 1} : Move{here, there, piece, piece + 1};
      if (all.size() > first && all.back().from == move.from && all.back().to == move.to) {
        all.back().end++;
      } else {
        all.push_back(move);
      }
    }
  }
  return all;
}

TreeSum::Part TreeSum::part(const Segment& segment, int begin, int end) const {
  const int64_t first = begin_of(segment.n, begin, size_);
  return {first, begin_of(segment.n, end, size_) - first};
}

// Before sums go down: what is here is what others will have.
void TreeSum::round_sums(const std::vector<Segment>& segments,
                         const std::vector<std::vector<void*>>& values) const {
  for (int piece = 0; piece < size_; piece++) {
    const Place& place = places_[size_t(holder(0, piece))];
    if (place.rank != rank_) continue;
    for (size_t s = 0; s < segments.size(); s++) {
      if (segments[s].kind != Addend::kRounded) continue;
      const Part p = part(segments[s], piece, piece + 1);
      float* const x = static_cast<float*>(values[size_t(place.block)][s]) + p.begin;
      for (int64_t i = 0; i < p.n; i++) x[i] = widened(rounded(x[i]));
    }
  }
}

void TreeSum::sum(Transport& transport, const std::vector<Segment>& segments,
                  const std::vector<std::vector<void*>>& values) {
  const auto at = [&](int place, size_t s, int64_t i) {
    return static_cast<char*>(values[size_t(places_[size_t(place)].block)][s]) +
           size_t(i) * width(segments[s].kind);
  };
  for (int step = 0; step < 2 * height_; step++) {
    const bool up = step < height_;
    if (step == height_) round_sums(segments, values);
    const std::vector<Move> all = moves(up ? step + 1 : 2 * height_ - step, up);
    // Whether it goes by staged_: it is added, or is not what it is where it lies.
    const auto is_staged = [&](const Move& m, Addend kind) {
      const int from = places_[size_t(m.from)].rank, to = places_[size_t(m.to)].rank;
      return from != to && ((from == rank_ && kind == Addend::kRounded) ||
                            (to == rank_ && (up || kind == Addend::kRounded)));
    };
    size_t room = 0;
    for (const Move& m : all) {
      for (const Segment& segment : segments)
        if (is_staged(m, segment.kind))
          room += aligned(size_t(part(segment, m.begin, m.end).n) * sent_width(segment.kind));
    }
    if (staged_.size() < room) staged_.resize(room);
    std::vector<Transfer> transfers;
    struct Arrival {
      Addend kind;
      bool packed;
      void* to;
      const void* from;
      int64_t n;
    };
    std::vector<Arrival> arrivals;
    size_t used = 0;
    for (const Move& m : all) {
      const int from = places_[size_t(m.from)].rank, to = places_[size_t(m.to)].rank;
      if (from != rank_ && to != rank_) continue;
      for (size_t s = 0; s < segments.size(); s++) {
        const auto [begin, n] = part(segments[s], m.begin, m.end);
        if (n == 0) continue;
        const Addend kind = segments[s].kind;
        if (from == to) {
          arrivals.push_back({kind, false, at(m.to, s, begin), at(m.from, s, begin), n});
          continue;
        }
        const bool sends = from == rank_;
        void* const own = at(sends ? m.from : m.to, s, begin);
        const size_t bytes = size_t(n) * sent_width(kind);
        if (!is_staged(m, kind)) {
          transfers.push_back({sends ? to : from, sends, own, bytes});
          continue;
        }
        void* const staged = staged_.data() + used;
        used += aligned(bytes);
        transfers.push_back({sends ? to : from, sends, staged, bytes});
        if (sends) {
          round(static_cast<uint16_t*>(staged), static_cast<const float*>(own), n);
        } else {
          arrivals.push_back({kind, true, own, staged, n});
        }
      }
    }
    if (!transfers.empty()) transport.transfer(transfers);
    for (const Arrival& a : arrivals) {
      if (up) {
        combine(a.kind, a.packed, a.to, a.from, a.n);
      } else if (a.packed) {
        widen(static_cast<float*>(a.to), static_cast<const uint16_t*>(a.from), a.n);
      } else {
        std::memcpy(a.to, a.from, size_t(a.n) * width(a.kind));
      }
    }
  }
}

}  // namespace hs
