// Initial values that take native speed: a matrix with orthonormal rows.
#pragma once
#include <cstdint>
#include <vector>

#include "base/arena.h"
#include "device/cpu/host_memory.h"

namespace hs {

// Gram-Schmidt on the rows of q [n, m], 1 <= n <= m, in place, on this thread, in steps of some
// milliseconds. A row that lies in the span of those above it (never, for random ones) becomes NaN.
class Orthonormalization {
 public:
  Orthonormalization(int64_t n, int64_t m);

  // Does the next step on q, which is as the step before left it. Returns whether there are more.
  bool step(double* q);

 private:
  enum class Phase { kBegin, kFind, kTakeOut, kRows };

  // Columns [from, to) of common = -V Q^T, V [rows, m], Q [first, m].
  void find_common(const double* v, int64_t rows, const double* q, int64_t first, int64_t from,
                   int64_t to);
  // Columns [from, to) of V += common Q.
  void take_out(double* v, int64_t rows, const double* q, int64_t first, int64_t from, int64_t to);
  // What is left of a row beside those above, as a unit vector.
  void finish_row(double* q, int64_t row);

  const int64_t n_;
  const int64_t m_;
  int64_t block_ = 0;  // its first row
  Phase phase_ = Phase::kBegin;
  int64_t at_ = 0;                       // of the phase: columns done, or rows
  Block<double> packed_{host_memory()};  // rows Q, as the products want them
  std::vector<double> common_;           // [rows, first]
  std::vector<double> before_;           // of the block's rows: their norms
};

}  // namespace hs
