// How results of different instruction sets and precisions are compared, and the inputs they are
// compared on.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "device/cpu/kernels/table.h"

namespace hs {
namespace test {

// Normalised mean square error: sum (a - r)^2 / sum r^2; infinity if a is not finite where r is, or
// the other way round.
template <typename real>
double nmse(const std::vector<real>& actual, const std::vector<double>& reference) {
  if (actual.size() != reference.size()) return std::numeric_limits<double>::infinity();
  double error = 0, size = 0;
  for (size_t i = 0; i < actual.size(); i++) {
    const double d = static_cast<double>(actual[i]) - reference[i];
    if (!std::isfinite(d)) return std::numeric_limits<double>::infinity();
    error += d * d;
    size += reference[i] * reference[i];
  }
  return error == 0 ? 0 : error / size;
}

template <typename real>
bool same_bits(const std::vector<real>& a, const std::vector<real>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(real)) == 0);
}

// Numbers that do not repeat, in [low, high); float values, so that both precisions see the same
// ones.
template <typename real>
std::vector<real> numbers(int64_t n, uint32_t seed, double low = -1, double high = 1) {
  std::vector<real> x(static_cast<size_t>(n));
  uint64_t state = seed * 2654435769u + 12345;
  for (real& v : x) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    v = static_cast<real>(
        static_cast<float>(low + (high - low) * static_cast<double>(state >> 40) / 16777216.0));
  }
  return x;
}

template <typename real>
std::vector<double> as_double(const std::vector<real>& x) {
  return std::vector<double>(x.begin(), x.end());
}

// fn(table, where) for every instruction set that this processor has.
template <typename real, typename Fn>
void for_each_isa(const Fn& fn) {
  for (const char* const* isa = available_isas(); *isa; isa++)
    fn(kernels_for<real>(*isa), std::string(*isa) + (sizeof(real) == 4 ? "/f32" : "/f64"));
}

// Lengths around one and several vectors of every width (1, 2, 4, 8, 16 lanes), and nothing at all.
inline std::vector<int64_t> lengths() {
  return {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 100, 257};
}

}  // namespace test
}  // namespace hs
