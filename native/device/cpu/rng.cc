#include "device/cpu/rng.h"

#include <cmath>

#include "formulas/philox.h"

namespace hs {

void philox(uint32_t out[4], DropoutKey key, uint32_t stream, uint64_t index) {
  philox(out, key.seed, key.step, stream, index);
}

template <typename real>
void dropout_mask(real* mask, int64_t n, double p, DropoutKey key, uint32_t stream) {
  // of 2^32: words below it drop
  const uint64_t threshold = static_cast<uint64_t>(p * 4294967296.0);
  const real keep = p < 1 ? static_cast<real>(1 / (1 - p)) : real(0);
  for (int64_t i = 0; i < n; i += 4) {
    uint32_t word[4];
    philox(word, key, stream, static_cast<uint64_t>(i / 4));
    for (int j = 0; j < 4 && i + j < n; j++) mask[i + j] = word[j] < threshold ? real(0) : keep;
  }
}

template <typename real>
void normal_noise(real* noise, int64_t n, DropoutKey key, uint32_t stream, int64_t first) {
  constexpr double kTurn = 6.283185307179586476925 / 4294967296.0;
  for (int64_t i = 0; i < n; i += 4) {
    uint32_t word[4];
    philox(word, key, stream, static_cast<uint64_t>((first + i) / 4));
    for (int j = 0; j < 4 && i + j < n; j += 2) {
      const double radius = std::sqrt(-2 * std::log((word[j] + 0.5) / 4294967296.0)),
                   angle = kTurn * word[j + 1];
      noise[i + j] = static_cast<real>(radius * std::cos(angle));
      if (i + j + 1 < n) noise[i + j + 1] = static_cast<real>(radius * std::sin(angle));
    }
  }
}

template void dropout_mask<float>(float*, int64_t, double, DropoutKey, uint32_t);
template void dropout_mask<double>(double*, int64_t, double, DropoutKey, uint32_t);
template void normal_noise<float>(float*, int64_t, DropoutKey, uint32_t, int64_t);
template void normal_noise<double>(double*, int64_t, DropoutKey, uint32_t, int64_t);

}  // namespace hs
