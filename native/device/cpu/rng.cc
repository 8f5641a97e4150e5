#include "device/cpu/rng.h"

#include <array>
#include <cmath>

#include "formulas/philox.h"

namespace hs {

void philox(uint32_t out[4], DropoutKey key, uint32_t stream, uint64_t index) {
  philox(out, key.seed, key.step, stream, index);
}

namespace {

// fn(i, number first + i) for i from 0 to n; numbers are made in blocks of four.
template <typename Block, typename Fn>
void each_number(int64_t n, int64_t first, const Block& block_of, const Fn& fn) {
  int64_t i = 0;
  for (int64_t block = first / 4, j = first % 4; i < n; block++, j = 0) {
    const auto four = block_of(static_cast<uint64_t>(block));
    for (; j < 4 && i < n; j++, i++) fn(i, four[size_t(j)]);
  }
}

template <typename real>
void draw(real* mask, int64_t n, double p, DropoutKey key, uint32_t stream, int64_t first) {
  // of 2^32: words below it drop
  const uint64_t threshold = static_cast<uint64_t>(p * 4294967296.0);
  const real keep = p < 1 ? static_cast<real>(1 / (1 - p)) : real(0);
  const auto words = [&](uint64_t block) {
    std::array<uint32_t, 4> four;
    philox(four.data(), key, stream, block);
    return four;
  };
  each_number(n, first, words,
              [&](int64_t i, uint32_t word) { mask[i] = word < threshold ? real(0) : keep; });
}

}  // namespace

template <typename real>
void dropout_mask(real* mask, int64_t n, double p, DropoutKey key, uint32_t stream) {
  draw(mask, n, p, key, stream, 0);
}

template <typename real>
void dropout_mask(real* mask, int64_t outer, int64_t rows, int64_t inner, double p, DropoutKey key,
                  uint32_t stream) {
  if (key.whole == 0) return draw(mask, outer * rows * inner, p, key, stream, 0);
  for (int64_t o = 0; o < outer; o++) {
    draw(mask + o * rows * inner, rows * inner, p, key, stream,
         (o * key.whole + key.first) * inner);
  }
}

template <typename real>
void normal_noise(real* noise, int64_t n, DropoutKey key, uint32_t stream, int64_t first) {
  constexpr double kTurn = 6.283185307179586476925 / 4294967296.0;
  const auto numbers = [&](uint64_t block) {
    uint32_t word[4];
    philox(word, key, stream, block);
    std::array<real, 4> four;
    for (size_t j = 0; j < 4; j += 2) {
      const double radius = std::sqrt(-2 * std::log((word[j] + 0.5) / 4294967296.0)),
                   angle = kTurn * word[j + 1];
      four[j] = static_cast<real>(radius * std::cos(angle));
      four[j + 1] = static_cast<real>(radius * std::sin(angle));
    }
    return four;
  };
  each_number(n, first, numbers, [&](int64_t i, real number) { noise[i] = number; });
}

#define HS_INSTANTIATE(real)                                                             \
  template void dropout_mask<real>(real*, int64_t, double, DropoutKey, uint32_t);        \
  template void dropout_mask<real>(real*, int64_t, int64_t, int64_t, double, DropoutKey, \
                                   uint32_t);                                            \
  template void normal_noise<real>(real*, int64_t, DropoutKey, uint32_t, int64_t);
HS_INSTANTIATE(float)
HS_INSTANTIATE(double)
#undef HS_INSTANTIATE

}  // namespace hs
