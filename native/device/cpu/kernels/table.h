// The seam between baseline code and the code compiled once per instruction set: plain pointers in,
// plain pointers out. Kernels start no threads, allocate nothing, throw nothing. `real` is float or
// double.
#pragma once
#include <cstddef>
#include <cstdint>

#include "formulas/activation.h"

namespace hs {

// What Table::binary does with two numbers. kMax and kMin give the second where either is NaN.
enum class Binary : int { kAdd, kSub, kMul, kDiv, kMax, kMin };

constexpr int kPartialSums = 16;  // parts of a sum over all elements of an array (reduce.cc)

template <typename real>
struct CellKernels;  // cell.h
template <typename real>
struct FusedCell;  // cell.h
template <typename real>
struct OptimizerKernels;  // optimizer.h

// All that multiplies matrices. Operands may be rounded on the way in (mixed_bfloat16: operands.h;
// mixed_int8: int8.h), sums never are. Only these functions know what a packed right-hand side
// holds.
template <typename real>
struct Products {
  // --- gemm.cc: row-major. A product element is ONE chain of multiply-adds in rising k (blocks of
  // k in fixed order), so its bits do not depend on how M and N are split over tiles, rows or
  // threads.
  size_t (*packed_size)(int64_t K, int64_t N);  // elements of a packed right-hand side
  // packed <- op(b): b is [K, N] with row stride ldb, or, if transposed, [N, K] with row stride ldb
  // Columns n0..n1 only, as in gemm: the columns may be shared out.
  void (*pack)(real* packed, const real* b, int64_t ldb, bool transposed, int64_t K, int64_t N,
               int64_t n0, int64_t n1);
  // c[M, N] = (accumulate ? c : 0) + a[M, K] * packed. Columns n0..n1 only (multiples of gemm_nr,
  // or N): lets threads share the columns. rows [M], each once, in any order: these rows of c and
  // a; nullptr: 0..M-1.
  void (*gemm)(real* c, int64_t ldc, const real* a, int64_t lda, const real* packed, int64_t M,
               int64_t N, int64_t K, int64_t n0, int64_t n1, bool accumulate, const int32_t* rows);
  // c[m0:m1, n0:n1] = (accumulate ? c : 0) + (a^T b), a [K, M], b [K, N]: weight gradients, K =
  // T*B; nullptr for mixed_int8, which predicts only. scratch: gemm_tn_scratch elements. rows [K]:
  // these rows of a and b, in this order; nullptr: 0..K-1. Row strides may be negative.
  void (*gemm_tn)(real* c, int64_t ldc, const real* a, int64_t lda, const real* b, int64_t ldb,
                  int64_t K, int64_t m0, int64_t m1, int64_t n0, int64_t n1, bool accumulate,
                  const int32_t* rows, real* scratch);
  size_t gemm_tn_scratch;
  int gemm_mr, gemm_nr;  // rows and columns of the register tile
  // Consecutive k that a product takes together: a product in parts, each accumulated onto the one
  // before, has the bits of the whole where all parts but the last are multiples.
  int gemm_k;
  bool converts;  // operands are converted: no product is of the numbers themselves
  // The fused forward of a cell, by name; nullptr when there is none.
  const FusedCell<real>* (*fused_cell)(const char* name);
};

template <typename real>
struct Table : Products<real> {
  const char* isa;  // "scalar" "sse" "avx2" "avx512" "avx512bf16" "neon"
  int lanes;        // elements of `real` in one vector

  // --- activations.cc
  void (*activate)(Activation kind, real* y, const real* x, int64_t n);  // not kSoftmax; y may be x
  // dx = dy * f'; kept: x where slope_from_input(kind), else y; dx may be dy
  void (*activate_backward)(Activation kind, real* dx, const real* kept, const real* dy, int64_t n);
  void (*softmax)(real* y, const real* x, int64_t rows, int64_t K);  // y may be x
  // dx may be dy
  void (*softmax_backward)(real* dx, const real* y, const real* dy, int64_t rows, int64_t K);

  // --- elementwise.cc
  void (*fill)(real* y, real a, int64_t n);
  void (*add)(real* y, const real* x, int64_t n);                           // y += x
  void (*axpy)(real* y, real a, const real* x, int64_t n);                  // y += a * x
  void (*scale)(real* y, real a, int64_t n);                                // y *= a
  void (*multiply)(real* z, const real* x, const real* y, int64_t n);       // z = x * y
  void (*multiply_add)(real* z, const real* x, const real* y, int64_t n);   // z += x * y
  void (*broadcast_rows)(real* y, const real* b, int64_t rows, int64_t K);  // y[r, :] = b
  // y = a and b, combined as `kind` says; one: b is one number. y may be a or b.
  void (*binary)(Binary kind, real* y, const real* a, const real* b, bool one, int64_t n);
  void (*clip)(real* y, real low, real high, int64_t n);

  // --- reduce.cc: fixed order, whatever the instruction set or alignment of the call
  // s[k] (+)= sum over rows, in order; rows of x are ldx apart, which may be negative
  void (*column_sums)(real* s, const real* x, int64_t ldx, int64_t rows, int64_t K,
                      bool accumulate);
  double (*sum_squares)(const real* x, int64_t n);
  // The same sum in parts, for arrays of which zeros may be left out. partial [kPartialSums] is
  // zero at first; add_squares adds the squares of x [n], whose first number is number `first` of
  // the whole; fold makes the sum.
  void (*add_squares)(double* partial, const real* x, int64_t first, int64_t n);
  double (*fold)(double* partial);
  double (*sum_abs)(const real* x, int64_t n);
  bool (*all_finite)(const real* x, int64_t n);

  // --- by name; nullptr when there is none
  const CellKernels<real>* (*cell)(const char* name);
  const OptimizerKernels<real>* (*optimizer)(const char* name);
};

// The set in use: the best one the processor has, or the one HIDDENSTATE_ISA names. Throws
// Error(kOption) if that is unknown or not there.
template <typename real>
const Table<real>& kernels();
template <typename real>
const Table<real>& kernels_for(const char* isa);  // throws likewise: tests compare instruction sets
// The same with bfloat16 operands in all products: rounded to nearest even; sums, states and gate
// math stay float.
const Table<float>& mixed_kernels();
const Table<float>& mixed_kernels_for(const char* isa);
// The same with operands of 8-bit integers.
const Table<float>& int8_kernels();
const Table<float>& int8_kernels_for(const char* isa);
const char* const* available_isas();  // nullptr-terminated, from the slowest up

}  // namespace hs
