// Products with inputs of mostly zeros (one-hot characters, bags of words) skip the zeros. The bits
// stay: a multiply-add with zero changes no sum. (Weights that are not finite would make NaN of
// zeros; no update leaves such weights behind.)
#pragma once
#include <cstdint>
#include <vector>

#include "device/cpu/kernels/table.h"
#include "device/cpu/threads/chunks.h"

namespace hs {

class SparseRows {
 public:
  // A row counts as sparse if at most one number in kShare is not zero: reading numbers one by one
  // is about that many times slower.
  static constexpr int64_t kShare = 8;

  void reserve(int64_t rows, int64_t D) {
    from_.reserve(static_cast<size_t>(rows + 1));
    columns_.reserve(static_cast<size_t>(rows * (D / kShare)));
  }

  // Whether all rows of x [rows, D] are sparse; if not, from() and columns() mean nothing.
  template <typename real>
  bool find(const real* x, int64_t rows, int64_t D) {
    from_.assign(1, 0);
    columns_.clear();
    const int64_t most = D / kShare;  // a row
    for (int64_t r = 0; r < rows && most > 0; r++, x += D) {
      int64_t left = most;
      for (int64_t d = 0; d < D; d++) {
        if (x[d] == 0) continue;
        if (left-- == 0) return false;
        columns_.push_back(static_cast<int32_t>(d));
      }
      from_.push_back(static_cast<int64_t>(columns_.size()));
    }
    return most > 0;
  }

  // Of the rows found last: row r has numbers in the columns columns()[i], i from from()[r] up to,
  // not including, from()[r + 1].
  const int64_t* from() const { return from_.data(); }  // [rows + 1]
  const int32_t* columns() const { return columns_.data(); }

  // c [rows, N] += x [rows, D] W [D, N]
  template <typename real>
  void multiply(const Table<real>* k, real* c, const real* x, int64_t D, const real* W,
                int64_t N) const {
    for_rows(rows(), N, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; r++)
        each(r, [&](int64_t d) { k->axpy(c + r * N, x[r * D + d], W + d * N, N); });
    });
  }

  // c [D, N] = (accumulate ? c : 0) + x^T b, x [rows, D], b [rows, N], from the last row to the
  // first.
  template <typename real>
  void multiply_transposed(const Table<real>* k, real* c, const real* x, int64_t D, const real* b,
                           int64_t N, bool accumulate) const {
    constexpr int64_t kColumns = 256;
    for_chunks(N, kColumns, rows(), [&](int64_t n0, int64_t n1) {
      for (int64_t d = 0; d < D && !accumulate; d++) k->fill(c + d * N + n0, 0, n1 - n0);
      for (int64_t r = rows(); r-- > 0;)
        each(r, [&](int64_t d) { k->axpy(c + d * N + n0, x[r * D + d], b + r * N + n0, n1 - n0); });
    });
  }

 private:
  int64_t rows() const { return static_cast<int64_t>(from_.size()) - 1; }
  template <typename Fn>
  void each(int64_t r, const Fn& fn) const {
    for (int64_t i = from_[size_t(r)]; i < from_[size_t(r + 1)]; i++)
      fn(int64_t{columns_[size_t(i)]});
  }

  std::vector<int64_t> from_;
  std::vector<int32_t> columns_;
};

}  // namespace hs
