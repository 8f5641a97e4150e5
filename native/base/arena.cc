#include "base/arena.h"

#include <algorithm>

#include "base/error.h"
#include "base/limits.h"

namespace hs {

namespace {
constexpr int64_t kMost = int64_t{1} << 46;  // elements
}

int64_t checked_count(const Dims& dims, const std::string& where) {
  int64_t n = 1;
  for (int64_t d : dims) {
    if (d < 0) fail(Code::kInternal, where, "extents", "known", to_string(dims));
    if (d > 0 && n > kMost / d) {
      throw Error(Code::kOutOfMemory, where,
                  "a tensor of shape " + to_string(dims) + " does not fit into memory.");
    }
    n *= d;
  }
  return n;
}

int64_t checked_sum(int64_t a, int64_t b, const std::string& where) {
  if (a > kMost - b)
    fail(Code::kOutOfMemory, where, "the memory of a plan", "at most 2^46 numbers", "more");
  return a + b;
}

void check_budget(int64_t bytes, const Memory::Room& room, const std::string& where) {
  constexpr int64_t kMiB = 1 << 20;
  if (bytes <= room.bytes) return;
  fail(Code::kOutOfMemory, where, "what it needs",
       "at most " + std::string(room.what) + ", " + std::to_string(room.bytes / kMiB) + " MiB",
       std::to_string((bytes + kMiB - 1) / kMiB) + " MiB",
       "A smaller batch or a smaller model needs less.");
}

Memory::Room host_room() { return {available_bytes(), "the memory there is"}; }

int64_t Layout::add(const std::string& name, const Dims& dims) {
  Place place;
  place.name = name;
  place.dims = dims;
  place.offset = total_;
  place.size = checked_count(dims, name);
  const int64_t total = checked_sum(total_, aligned(place.size), name);
  places_.push_back(std::move(place));
  total_ = total;
  return places_.back().offset;
}

const Place* Layout::find(const std::string& name) const {
  for (const Place& place : places_) {
    if (place.name == name) return &place;
  }
  return nullptr;
}

void Layout::clear() {
  places_.clear();
  total_ = 0;
}

bool Layout::same_sizes(const Layout& other) const {
  return std::equal(
      places_.begin(), places_.end(), other.places_.begin(), other.places_.end(),
      [](const Place& a, const Place& b) { return a.name == b.name && a.dims == b.dims; });
}

int64_t Overlay::add(int64_t size, int from, int to) {
  size = aligned(size);
  int64_t offset = 0;
  for (const Interval& other : intervals_) {  // the lowest gap among those alive at the same time
    if (other.to < from || to < other.from) continue;
    if (offset + size <= other.offset) break;
    offset = std::max(offset, other.offset + other.size);
  }
  const auto at = std::upper_bound(intervals_.begin(), intervals_.end(), offset,
                                   [](int64_t o, const Interval& i) { return o < i.offset; });
  intervals_.insert(at, Interval{offset, size, from, to});
  total_ = std::max(total_, checked_sum(offset, size, "gradients"));
  return offset;
}

void Overlay::clear() {
  intervals_.clear();
  total_ = 0;
}

}  // namespace hs
