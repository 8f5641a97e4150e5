// The card that tests compare with the CPU: where HIDDENSTATE_DEVICE names one, or the stand-in
// driver (test/stand_in) does as if.
#pragma once
#if defined(__linux__)
#include <dlfcn.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/arena.h"
#include "device/cuda/cuda.h"

namespace hs {
namespace test {

inline bool card_wanted() {
  const char* const device = std::getenv("HIDDENSTATE_DEVICE");
  return device && std::strncmp(device, "cuda", 4) == 0;
}

template <typename real>
Cuda<real>& card() {
  static Cuda<real>* const device = new Cuda<real>(0);
  return *device;
}

// Numbers on the card. Nothing of an empty list: nullptr.
template <typename T>
class OnCard {
 public:
  OnCard(Memory& memory, const std::vector<T>& numbers)
      : memory_(memory), block_(memory), size_(numbers.size()) {
    block_.reserve(int64_t(size_));
    if (size_ > 0) memory.upload(block_.data(), numbers.data(), int64_t(size_ * sizeof(T)));
  }
  T* data() const { return block_.data(); }
  std::vector<T> read() const {
    std::vector<T> numbers(size_);
    if (size_ > 0) memory_.download(numbers.data(), block_.data(), int64_t(size_ * sizeof(T)));
    return numbers;
  }

 private:
  Memory& memory_;
  Block<T> block_;
  size_t size_;
};

// The largest difference over the largest number, which counts as `least` at least; infinite where
// only one of two numbers is NaN, or infinite.
template <typename A, typename B>
double distance(const A* a, const B* b, int64_t n, double least = 1e-3) {
  double most = 0, size = least;
  for (int64_t i = 0; i < n; i++) {
    const double x = double(a[i]), y = double(b[i]);
    if (std::isnan(x) && std::isnan(y)) continue;
    if (x == y) continue;
    if (!std::isfinite(x) || !std::isfinite(y)) return HUGE_VAL;
    most = std::max(most, std::fabs(x - y));
    size = std::max(size, std::fabs(y));
  }
  return most / size;
}

// What the CPU gives to the bit whatever way it takes; a card, which adds up in another order then,
// but for roundings.
template <typename real>
bool same_on_device(const std::vector<real>& a, const std::vector<real>& b) {
  if (a.size() != b.size()) return false;
  if (card_wanted()) return distance(a.data(), b.data(), int64_t(a.size())) < 1e-4;
  return a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(real)) == 0;
}

// A function of the stand-in driver; nullptr where the card is no stand-in, or has none of that
// name.
template <class F>
F* stand_in(const char* name) {
#if defined(__linux__)
  const char* const path = std::getenv("HIDDENSTATE_LIBCUDA");
  void* const library = path ? dlopen(path, RTLD_NOW | RTLD_NOLOAD) : nullptr;
  return library ? reinterpret_cast<F*>(dlsym(library, name)) : nullptr;
#else
  (void)name;
  return nullptr;
#endif
}
// What it counts under that name; -1: it is a card's own.
inline long counted(const char* name) {
  const auto function = stand_in<long()>(name);
  return function ? function() : -1;
}
// From now on call number `call`, of those that a card may refuse, gives `code`; -1: none. kills:
// so do all calls after it.
inline void fail_call(long call, int code, bool kills = false) {
  if (const auto function = stand_in<void(long, int, int)>("stand_in_fail"))
    function(call, code, kills);
}
// From now on so many bytes are free.
inline void leave_memory(size_t bytes) {
  if (const auto function = stand_in<void(size_t)>("stand_in_leave")) function(bytes);
}
constexpr size_t kMuchMemory = size_t(8) << 30;  // what it has at first
// One of its switches.
inline void tell_stand_in(const char* name, int on) {
  if (const auto function = stand_in<void(int)>(name)) function(on);
}
inline long launches() { return counted("stand_in_launches"); }  // so far
inline long products() { return counted("stand_in_products"); }

// Whether the card is the stand-in driver.
inline bool stands_in() {
  if (!card_wanted()) return false;
  card<double>();  // opens the driver
  return launches() >= 0;
}

}  // namespace test
}  // namespace hs
