// The functions that table.cc puts into a Table; contracts are in table.h. One set per instruction
// set, so the namespace.
#pragma once
#include "device/cpu/kernels/table.h"

namespace hs {
namespace HS_ISA {

// gemm.cc; Operands: operands.h
template <class Operands>
size_t packed_size(int64_t K, int64_t N);
template <class Operands, class real = typename Operands::real>
void pack(real* packed, const real* b, int64_t ldb, bool transposed, int64_t K, int64_t N,
          int64_t n0, int64_t n1);
template <class Operands, class real = typename Operands::real>
void gemm(real* c, int64_t ldc, const real* a, int64_t lda, const real* packed, int64_t M,
          int64_t N, int64_t K, int64_t n0, int64_t n1, bool accumulate, const int32_t* rows);
template <class Operands, class real = typename Operands::real>
void gemm_tn(real* c, int64_t ldc, const real* a, int64_t lda, const real* b, int64_t ldb,
             int64_t K, int64_t m0, int64_t m1, int64_t n0, int64_t n1, bool accumulate,
             const int32_t* rows, real* scratch);

// activations.cc
template <class real>
void activate_array(Activation kind, real* y, const real* x, int64_t n);
template <class real>
void activate_backward(Activation kind, real* dx, const real* kept, const real* dy, int64_t n);
template <class real>
void softmax(real* y, const real* x, int64_t rows, int64_t K);
template <class real>
void softmax_backward(real* dx, const real* y, const real* dy, int64_t rows, int64_t K);

// elementwise.cc
template <class real>
void fill(real* y, real a, int64_t n);
template <class real>
void add(real* y, const real* x, int64_t n);
template <class real>
void axpy(real* y, real a, const real* x, int64_t n);
template <class real>
void scale(real* y, real a, int64_t n);
template <class real>
void multiply(real* z, const real* x, const real* y, int64_t n);
template <class real>
void multiply_add(real* z, const real* x, const real* y, int64_t n);
template <class real>
void broadcast_rows(real* y, const real* b, int64_t rows, int64_t K);
template <class real>
void binary(Binary kind, real* y, const real* a, const real* b, bool one, int64_t n);
template <class real>
void clip(real* y, real low, real high, int64_t n);

// reduce.cc
template <class real>
void column_sums(real* s, const real* x, int64_t ldx, int64_t rows, int64_t K, bool accumulate);
template <class real>
double sum_squares(const real* x, int64_t n);
template <class real>
void add_squares(double* partial, const real* x, int64_t first, int64_t n);
double fold(double* partial);
template <class real>
double sum_abs(const real* x, int64_t n);
template <class real>
bool all_finite(const real* x, int64_t n);

}  // namespace HS_ISA
}  // namespace hs
