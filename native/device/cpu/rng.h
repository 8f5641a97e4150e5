// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): numbers from a
// counter, so that no order of execution and no number of threads changes them.
#pragma once
#include <cstdint>

#include "ops/op.h"

namespace hs {

// Four 32-bit words of counter (index, stream, step) under key seed.
void philox(uint32_t out[4], DropoutKey key, uint32_t stream, uint64_t index);

// Inverted dropout: mask[i] = 0 with probability p, else 1 / (1 - p). stream: layer * 16 + a number
// of the layer's own.
template <typename real>
void dropout_mask(real* mask, int64_t n, double p, DropoutKey key, uint32_t stream);
// The same, [outer, rows, inner]: of a shard, what those rows have in the mask of the whole batch.
template <typename real>
void dropout_mask(real* mask, int64_t outer, int64_t rows, int64_t inner, double p, DropoutKey key,
                  uint32_t stream);

// noise[i] = element first + i of a list of standard normal numbers (Box-Muller on the same
// counter).
template <typename real>
void normal_noise(real* noise, int64_t n, DropoutKey key, uint32_t stream, int64_t first = 0);

}  // namespace hs
