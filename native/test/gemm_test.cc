// Products of every instruction set against long sums in double; and their bits against other ways
// of splitting the work.
#include <algorithm>

#include "test/compare.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

struct Shape {
  int64_t M, N, K;
  const char* why;
};
const Shape kShapes[] = {
    {1, 1, 1, "the smallest"},
    {3, 5, 0, "K=0: no products, c is zeroed or kept"},
    {1, 512, 128, "M=1: one row, streaming"},
    {6, 64, 32, "exactly one AVX-512 tile"},
    {7, 65, 33, "one more than a tile in every direction"},
    {5, 63, 31, "one less than a tile in every direction"},
    {13, 17, 257, "K=257: one element after a block of k; N=17: one after a vector"},
    {2, 31, 512, "K=512: two whole blocks of k"},
    {97, 33, 20, "M=97: one row after a block of rows"},
    {32, 100, 64, "N=100: a panel of 64 and one of 36"},
    {11, 1, 40, "N=1: Dense(1)"},
    {40, 48, 3, "K=3: shorter than any unrolling"},
    {8, 520, 520, "more than 1 MB of weights: panels are fetched ahead"},
};

template <typename real>
std::vector<double> reference(const Shape& s, const std::vector<real>& a,
                              const std::vector<real>& b, const std::vector<real>& c) {
  std::vector<double> r = as_double(c);
  for (int64_t m = 0; m < s.M; m++)
    for (int64_t n = 0; n < s.N; n++)
      for (int64_t k = 0; k < s.K; k++)
        r[m * s.N + n] += double(a[m * s.K + k]) * double(b[k * s.N + n]);
  return r;
}

template <typename real>
std::vector<real> transposed(const std::vector<real>& x, int64_t rows, int64_t columns) {
  std::vector<real> t(x.size());
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < columns; c++) t[c * rows + r] = x[r * columns + c];
  return t;
}

constexpr int64_t kPad = 3;  // leading dimensions are larger than the rows: strides must be used

template <typename real>
std::vector<real> padded(const std::vector<real>& x, int64_t rows, int64_t columns) {
  std::vector<real> p(static_cast<size_t>(rows * (columns + kPad)), real(7));
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < columns; c++) p[r * (columns + kPad) + c] = x[r * columns + c];
  return p;
}

// Takes the padding off; it must be untouched.
template <typename real>
std::vector<real> unpadded(const std::vector<real>& p, int64_t rows, int64_t columns,
                           const std::string& where) {
  std::vector<real> x(static_cast<size_t>(rows * columns));
  bool clean = true;
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t c = 0; c < columns; c++) x[r * columns + c] = p[r * (columns + kPad) + c];
    for (int64_t c = 0; c < kPad; c++)
      clean = clean && p[r * (columns + kPad) + columns + c] == real(7);
  }
  CHECK_MESSAGE(clean, where + ": wrote beyond its columns");
  return x;
}

// 1e-11: house rule for products in float; in double the chain of K <= 512 roundings.
template <typename real>
constexpr double kTolerance = sizeof(real) == 4 ? 1e-11 : 1e-29;

template <typename real>
std::vector<real> run_gemm(const Table<real>& k, const Shape& s, const std::vector<real>& a,
                           const std::vector<real>& b, const std::vector<real>& c,
                           bool b_transposed, bool accumulate, const std::string& where) {
  const std::vector<real> at = padded(a, s.M, s.K);
  const std::vector<real> bt =
      b_transposed ? padded(transposed(b, s.K, s.N), s.N, s.K) : padded(b, s.K, s.N);
  std::vector<real> ct = padded(c, s.M, s.N), packed(k.packed_size(s.K, s.N));
  k.pack(packed.data(), bt.data(), (b_transposed ? s.K : s.N) + kPad, b_transposed, s.K, s.N, 0,
         s.N);
  k.gemm(ct.data(), s.N + kPad, at.data(), s.K + kPad, packed.data(), s.M, s.N, s.K, 0, s.N,
         accumulate, nullptr);
  return unpadded(ct, s.M, s.N, where);
}

template <typename real>
std::vector<real> run_gemm_tn(const Table<real>& k, const Shape& s, const std::vector<real>& a,
                              const std::vector<real>& b, const std::vector<real>& c,
                              bool accumulate, const std::string& where) {
  const std::vector<real> at = padded(transposed(a, s.M, s.K), s.K, s.M), bt = padded(b, s.K, s.N);
  std::vector<real> ct = padded(c, s.M, s.N), scratch(k.gemm_tn_scratch);
  k.gemm_tn(ct.data(), s.N + kPad, at.data(), s.M + kPad, bt.data(), s.N + kPad, s.K, 0, s.M, 0,
            s.N, accumulate, nullptr, scratch.data());
  return unpadded(ct, s.M, s.N, where);
}

template <typename real>
void check_shape(const Shape& s) {
  const auto a = numbers<real>(s.M * s.K, 1), b = numbers<real>(s.K * s.N, 2),
             c = numbers<real>(s.M * s.N, 3);
  const std::vector<real> zero(c.size());
  const std::vector<double> product = reference(s, a, b, zero), sum = reference(s, a, b, c);
  for_each_isa<real>([&](const Table<real>& k, const std::string& isa) {
    const std::string where = isa + ", " + s.why;
    CHECK_MESSAGE(nmse(run_gemm(k, s, a, b, c, false, false, where), product) <= kTolerance<real>,
                  where);
    CHECK_MESSAGE(nmse(run_gemm(k, s, a, b, c, true, false, where), product) <= kTolerance<real>,
                  where + ", transposed");
    CHECK_MESSAGE(nmse(run_gemm(k, s, a, b, c, false, true, where), sum) <= kTolerance<real>,
                  where + ", accumulate");
    CHECK_MESSAGE(nmse(run_gemm_tn(k, s, a, b, c, false, where), product) <= kTolerance<real>,
                  where + ", tn");
    CHECK_MESSAGE(nmse(run_gemm_tn(k, s, a, b, c, true, where), sum) <= kTolerance<real>,
                  where + ", tn accumulate");
  });
}

// Whole, in one call, against rows one by one and panels one by one: bit for bit.
template <typename real>
void check_splits() {
  const int64_t M = 29, N = 200, K = 600;  // three blocks of k; rows and columns that fit no tile
  const auto a = numbers<real>(M * K, 4), b = numbers<real>(K * N, 5);
  for_each_isa<real>([&](const Table<real>& k, const std::string& isa) {
    std::vector<real> packed(k.packed_size(K, N)), whole(M * N), rows(M * N), panels(M * N),
        uneven(M * N);
    // Packed in two parts, as threads share it.
    const int64_t part = std::min<int64_t>(N, k.gemm_nr);
    k.pack(packed.data(), b.data(), N, false, K, N, part, N);
    k.pack(packed.data(), b.data(), N, false, K, N, 0, part);
    k.gemm(whole.data(), N, a.data(), K, packed.data(), M, N, K, 0, N, false, nullptr);
    for (int64_t m = 0; m < M; m++)
      k.gemm(&rows[m * N], N, &a[m * K], K, packed.data(), 1, N, K, 0, N, false, nullptr);
    for (int64_t n = 0; n < N; n += k.gemm_nr)
      k.gemm(panels.data(), N, a.data(), K, packed.data(), M, N, K, n,
             std::min<int64_t>(N, n + k.gemm_nr), false, nullptr);
    for (int64_t m = 0, step = 1; m < M; m += step, step++)
      k.gemm(&uneven[m * N], N, &a[m * K], K, packed.data(), std::min(step, M - m), N, K, 0, N,
             false, nullptr);
    CHECK_MESSAGE(same_bits(whole, rows), isa);
    CHECK_MESSAGE(same_bits(whole, panels), isa);
    CHECK_MESSAGE(same_bits(whole, uneven), isa);

    const auto at = transposed(a, M, K);
    std::vector<real> scratch(k.gemm_tn_scratch), tn(M * N), tn_split(M * N);
    k.gemm_tn(tn.data(), N, at.data(), M, b.data(), N, K, 0, M, 0, N, false, nullptr,
              scratch.data());
    for (int64_t m = 0; m < M; m += 10)  // tiles that begin anywhere
      for (int64_t n = 0; n < N; n += 70)
        k.gemm_tn(tn_split.data(), N, at.data(), M, b.data(), N, K, m, std::min(M, m + 10), n,
                  std::min(N, n + 70), false, nullptr, scratch.data());
    CHECK_MESSAGE(same_bits(tn, tn_split), isa);
    CHECK_MESSAGE(same_bits(tn, whole), isa + ": both kernels make the same chain");
  });
}

// Lists of rows: the same bits as products of the rows copied out, and nothing else touched.
template <typename real>
void check_rows() {
  const int64_t M = 40, N = 70, K = 300;
  const auto a = numbers<real>(M * K, 6), b = numbers<real>(K * N, 7), d = numbers<real>(M * N, 8);
  std::vector<int32_t> rows;
  for (int32_t m = 0; m < M; m++)
    if (m % 3 != 1 && m != 21) rows.push_back(m);
  const int64_t n_rows = static_cast<int64_t>(rows.size());
  std::vector<real> a_few, d_few;  // [rows, K], [rows, N]
  for (int32_t m : rows) {
    a_few.insert(a_few.end(), a.begin() + m * K, a.begin() + (m + 1) * K);
    d_few.insert(d_few.end(), d.begin() + m * N, d.begin() + (m + 1) * N);
  }
  for_each_isa<real>([&](const Table<real>& k, const std::string& isa) {
    std::vector<real> packed(k.packed_size(K, N)), scratch(k.gemm_tn_scratch);
    std::vector<real> listed(M * N, 7), few(n_rows * N), wanted(M * N, 7), tn(K * N), tn_few(K * N);
    k.pack(packed.data(), b.data(), N, false, K, N, 0, N);
    k.gemm(listed.data(), N, a.data(), K, packed.data(), n_rows, N, K, 0, N, false, rows.data());
    k.gemm(few.data(), N, a_few.data(), K, packed.data(), n_rows, N, K, 0, N, false, nullptr);
    for (int64_t i = 0; i < n_rows; i++) std::copy_n(&few[i * N], N, &wanted[rows[size_t(i)] * N]);
    CHECK_MESSAGE(same_bits(listed, wanted), isa);
    k.gemm_tn(tn.data(), N, a.data(), K, d.data(), N, n_rows, 0, K, 0, N, false, rows.data(),
              scratch.data());
    k.gemm_tn(tn_few.data(), N, a_few.data(), K, d_few.data(), N, n_rows, 0, K, 0, N, false,
              nullptr, scratch.data());
    CHECK_MESSAGE(same_bits(tn, tn_few), isa);
  });
}

TEST(gemm_of_listed_rows) {
  check_rows<float>();
  check_rows<double>();
}

TEST(gemm_of_every_isa) {
  for (const Shape& s : kShapes) check_shape<float>(s), check_shape<double>(s);
}

TEST(gemm_bits_do_not_depend_on_the_split) { check_splits<float>(), check_splits<double>(); }

TEST(
    // one chain, one rounding a step: the width of a vector cannot matter
    gemm_isas_with_fma_agree_bit_for_bit) {
  const Shape s{17, 70, 300, ""};
  const auto a = numbers<float>(s.M * s.K, 6), b = numbers<float>(s.K * s.N, 7),
             c = numbers<float>(s.M * s.N, 8);
  std::vector<std::vector<float>> fused, plain;
  for_each_isa<float>([&](const Table<float>& k, const std::string& isa) {
    const bool no_fma = isa == "scalar/f32" || isa == "sse/f32";
    (no_fma ? plain : fused).push_back(run_gemm(k, s, a, b, c, false, true, isa));
  });
  for (const auto* group : {&fused, &plain})
    for (const auto& result : *group) CHECK(same_bits(result, group->front()));
}

// Broken kernels must be seen by the comparison above.
TEST(broken_gemm_is_caught) {
  const Shape s{7, 65, 33, ""};
  const auto a = numbers<float>(s.M * s.K, 1), b = numbers<float>(s.K * s.N, 2);
  const std::vector<float> c(static_cast<size_t>(s.M * s.N));
  const std::vector<double> product = reference(s, a, b, c);
  const Table<float>& good = kernels_for<float>("scalar");
  CHECK(nmse(run_gemm(good, s, a, b, c, false, false, "good"), product) <= kTolerance<float>);

  Table<float> broken = good;
  broken.gemm = [](float* y, int64_t ldc, const float* x, int64_t lda, const float* packed,
                   int64_t M, int64_t N, int64_t K, int64_t n0, int64_t n1, bool accumulate,
                   const int32_t* rows) {  // forgets the last k
    Table<float> t = kernels_for<float>("scalar");
    std::vector<float> copy(x, x + (M - 1) * lda + K);
    for (int64_t m = 0; m < M; m++) copy[m * lda + K - 1] = 0;
    t.gemm(y, ldc, copy.data(), lda, packed, M, N, K, n0, n1, accumulate, rows);
  };
  CHECK(nmse(run_gemm(broken, s, a, b, c, false, false, "broken"), product) > kTolerance<float>);

  broken.gemm = [](float* y, int64_t ldc, const float* x, int64_t lda, const float* packed,
                   int64_t M, int64_t N, int64_t K, int64_t n0, int64_t n1, bool accumulate,
                   const int32_t* rows) {  // one element off by one part in a hundred
    kernels_for<float>("scalar").gemm(y, ldc, x, lda, packed, M, N, K, n0, n1, accumulate, rows);
    y[ldc + 1] *= 1.01f;
  };
  CHECK(nmse(run_gemm(broken, s, a, b, c, false, false, "broken"), product) > kTolerance<float>);
  std::vector<float> result = run_gemm(good, s, a, b, c, false, false, "good"), other = result;
  other[3] = std::nextafter(other[3], 2.0f);
  CHECK(!same_bits(result, other));
  other[3] = NAN;
  CHECK(nmse(other, product) > kTolerance<float>);
}

}  // namespace
}  // namespace test
}  // namespace hs
