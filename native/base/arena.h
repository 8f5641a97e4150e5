// Planned memory. A Layout gives every tensor of one kind its place; a Block is the aligned memory
// behind it; an Overlay lets tensors whose lifetimes do not meet share places. Laying out costs
// microseconds, so it is done anew for every extent.
#pragma once
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <vector>

#include "base/memory.h"
#include "base/shape.h"

namespace hs {

constexpr int64_t kAlignment = 64;  // bytes: one cache line, one AVX-512 vector

// Elements of `dims`. Throws Error(kOutOfMemory) beyond 2^46, Error(kInternal) for a negative
// extent.
int64_t checked_count(const Dims& dims, const std::string& where);

// a + b, both such counts. Throws Error(kOutOfMemory) beyond 2^46: counts and their sums never
// overflow.
int64_t checked_sum(int64_t a, int64_t b, const std::string& where);

// Throws Error(kOutOfMemory) where that many bytes are more than there is room for.
void check_budget(int64_t bytes, const Memory::Room& room, const std::string& where);

// That of the host: a system that promises more than it has would end the process when it is
// touched.
Memory::Room host_room();

// n rounded up so that the next place is aligned for every real (16 floats, 8 doubles).
inline int64_t aligned(int64_t n) { return (n + 15) / 16 * 16; }

struct Place {
  std::string name;
  Dims dims;
  int64_t offset = 0;  // in elements
  int64_t size = 0;
};

class Layout {
 public:
  int64_t add(const std::string& name, const Dims& dims);  // returns the offset
  const Place* find(const std::string& name) const;        // the first of that name, or nullptr
  const std::vector<Place>& places() const { return places_; }
  int64_t total() const { return total_; }  // elements
  void clear();
  bool same_sizes(const Layout& other) const;  // same places in the same order

 private:
  std::vector<Place> places_;
  int64_t total_ = 0;
};

// First fit by lifetime: a place is taken from step `from` to step `to`, both included.
class Overlay {
 public:
  int64_t add(int64_t size, int from, int to);  // returns the offset
  int64_t total() const { return total_; }
  void clear();

 private:
  struct Interval {
    int64_t offset, size;
    int from, to;
  };
  std::vector<Interval> intervals_;  // by rising offset
  int64_t total_ = 0;
};

// One aligned piece of the memory of a device. Owns it; never shrinks but by release().
template <typename real>
class Block {
 public:
  explicit Block(Memory& memory) : memory_(&memory) {}
  ~Block() { release(); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  real* data() const { return data_; }
  int64_t size() const { return size_; }
  int64_t bytes() const { return size_ * static_cast<int64_t>(sizeof(real)); }
  Memory::Room room() const { return memory_->room(bytes()); }

  // n zeros, instead of what it has. The system makes those of large memory at the first touch,
  // which is not here: nobody waits for them.
  void make_zeros(int64_t n) {
    release();
    if (n == 0) return;
    data_ = allocate(n, true);
    size_ = n;
    zeros_ = true;
  }

  // At least n elements. Growing loses the contents, and gives the old memory back first: on
  // bad_alloc there is none.
  void renew(int64_t n) {
    if (n > size_) release();
    reserve(n);
  }

  // At least n elements. Growing loses the contents; on bad_alloc the old memory stays.
  void reserve(int64_t n) {
    if (n <= size_) return;
    real* grown = allocate(n, false);
    release();
    data_ = grown;
    size_ = n;
  }
  void zero() {
    if (size_) memory_->zero(data_, bytes());
  }
  void release() {
    if (data_) memory_->release(data_, bytes(), zeros_);
    zeros_ = false;
    data_ = nullptr;
    size_ = 0;
  }

 private:
  real* allocate(int64_t n, bool zeros) {
    if (n > (int64_t{1} << 46)) throw std::bad_alloc();
    return static_cast<real*>(memory_->allocate(n * int64_t(sizeof(real)), zeros));
  }
  Memory* const memory_;
  real* data_ = nullptr;
  int64_t size_ = 0;
  bool zeros_ = false;  // make_zeros made it
};

}  // namespace hs
