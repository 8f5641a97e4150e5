// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") as in Random123
// (https://github.com/DEShawResearch/random123); known answers in native/test/rng_test.cc.
#pragma once
#include <stdint.h>

namespace hs {

// Four 32-bit words of counter (index, stream, step) under key seed.
inline void philox(uint32_t out[4], uint64_t seed, uint64_t step, uint32_t stream, uint64_t index) {
  constexpr uint64_t kMultiply0 = 0xD2511F53, kMultiply1 = 0xCD9E8D57;
  constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  uint32_t c0 = static_cast<uint32_t>(index), c1 = static_cast<uint32_t>(index >> 32), c2 = stream,
           c3 = static_cast<uint32_t>(step);
  uint32_t k0 = static_cast<uint32_t>(seed);
  // The counter has room for 32 bits of `step`; the rest of it goes where the seed is.
  uint32_t k1 = static_cast<uint32_t>(seed >> 32) ^ static_cast<uint32_t>(step >> 32);
  for (int round = 0; round < 10; round++) {
    const uint64_t p0 = kMultiply0 * c0, p1 = kMultiply1 * c2;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<uint32_t>(p1);
    c3 = static_cast<uint32_t>(p0);
    k0 += kWeyl0;
    k1 += kWeyl1;
  }
  out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

}  // namespace hs
