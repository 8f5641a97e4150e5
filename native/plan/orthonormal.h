// Initial values that take native speed: a matrix with orthonormal rows.
#pragma once
#include <cstdint>

namespace hs {

// Gram-Schmidt on the rows of q [n, m], n <= m, in place, on this thread. A row that lies in the span of those above it (never, for
// random ones) becomes NaN.
void orthonormalize(double* q, int64_t n, int64_t m);

}  // namespace hs
