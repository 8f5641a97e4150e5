// mixed_bfloat16: operands of every product rounded to bfloat16, of every instruction set, against
// long sums in double over numbers rounded here, by another method; and what that makes of layers.
#include <algorithm>

#include "device/cpu/threads/parallel.h"
#include "test/compare.h"
#include "test/layer_cases.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

// To 8 significant bits, halves to even. The tests use no subnormal numbers.
float rounded(float x) {
  if (!std::isfinite(x) || x == 0) return x;
  int exponent;
  const double part = std::frexp(double(x), &exponent);  // [0.5, 1)
  return float(std::ldexp(std::nearbyint(part * 256), exponent - 8));
}

std::vector<float> rounded(std::vector<float> x) {
  for (float& v : x) v = rounded(v);
  return x;
}

template <typename Fn>
void for_each_mixed(const Fn& fn) {
  for (const char* const* isa = available_isas(); *isa; isa++) {
    const Table<float>& k = mixed_kernels_for(*isa);
    CHECK_MESSAGE(k.isa == std::string(*isa), k.isa);
    fn(k, std::string(*isa) + "/bf16");
  }
}

struct Shape {
  int64_t M, N, K;
  const char* why;
};
const Shape kShapes[] = {
    {1, 1, 1, "the smallest: half a pair"},
    {3, 5, 0, "K=0: no products, c is zeroed or kept"},
    {1, 512, 128, "M=1: one row, streaming"},
    {7, 65, 33, "one more than a tile in every direction; an odd k"},
    {5, 63, 31, "one less than a tile in every direction; K one less than the pairs of a vector"},
    {13, 17, 513, "K=513: one k after a block of pairs"},
    {49, 33, 47,
     "M=49: one row after a converted block; K=47: pairs that end in the second vector of a "
     "conversion"},
    {97, 33, 20, "M=97: one row after a block of rows; K=20: in the first"},
    {2, 100, 1040, "K=1040: two blocks of pairs and a bit"},
    {40, 48, 3, "K=3: shorter than any unrolling"},
};

// that of float products: those of rounded operands are exact, only sums round
constexpr double kTolerance = 1e-11;

struct Case {
  Shape s;
  std::vector<float> a, b, c;  // [M, K] [K, N] [M, N]
  explicit Case(const Shape& shape)
      : s(shape),
        a(numbers<float>(s.M * s.K, 1)),
        b(numbers<float>(s.K * s.N, 2)),
        c(numbers<float>(s.M * s.N, 3)) {}

  std::vector<double> product(bool rounds, bool accumulate) const {
    std::vector<double> r = accumulate ? as_double(c) : std::vector<double>(c.size());
    const std::vector<float> x = rounds ? rounded(a) : a, y = rounds ? rounded(b) : b;
    for (int64_t m = 0; m < s.M; m++)
      for (int64_t n = 0; n < s.N; n++)
        for (int64_t k = 0; k < s.K; k++)
          r[m * s.N + n] += double(x[m * s.K + k]) * double(y[k * s.N + n]);
    return r;
  }
  static std::vector<float> transposed(const std::vector<float>& x, int64_t rows, int64_t columns) {
    std::vector<float> t(x.size());
    for (int64_t r = 0; r < rows; r++)
      for (int64_t c = 0; c < columns; c++) t[c * rows + r] = x[r * columns + c];
    return t;
  }
  std::vector<float> gemm(const Table<float>& k, bool b_transposed, bool accumulate) const {
    std::vector<float> packed(k.packed_size(s.K, s.N)), y = c;
    const std::vector<float> from = b_transposed ? transposed(b, s.K, s.N) : b;
    // In two parts, as threads share it.
    const int64_t part = std::min<int64_t>(s.N, k.gemm_nr), ld = b_transposed ? s.K : s.N;
    k.pack(packed.data(), from.data(), ld, b_transposed, s.K, s.N, part, s.N);
    k.pack(packed.data(), from.data(), ld, b_transposed, s.K, s.N, 0, part);
    k.gemm(y.data(), s.N, a.data(), s.K, packed.data(), s.M, s.N, s.K, 0, s.N, accumulate, nullptr);
    return y;
  }
  std::vector<float> gemm_tn(const Table<float>& k, bool accumulate) const {
    std::vector<float> scratch(k.gemm_tn_scratch), y = c;
    const std::vector<float> at = transposed(a, s.M, s.K);
    k.gemm_tn(y.data(), s.N, at.data(), s.M, b.data(), s.N, s.K, 0, s.M, 0, s.N, accumulate,
              nullptr, scratch.data());
    return y;
  }
};

TEST(mixed_products_of_every_isa) {
  for (const Shape& s : kShapes) {
    const Case test(s);
    for_each_mixed([&](const Table<float>& k, const std::string& isa) {
      for (bool accumulate : {false, true}) {
        const std::vector<double> wanted = test.product(true, accumulate);
        const std::string where = isa + ", " + s.why + (accumulate ? ", accumulate" : "");
        CHECK_MESSAGE(nmse(test.gemm(k, false, accumulate), wanted) <= kTolerance, where);
        CHECK_MESSAGE(nmse(test.gemm(k, true, accumulate), wanted) <= kTolerance,
                      where + ", transposed");
        CHECK_MESSAGE(nmse(test.gemm_tn(k, accumulate), wanted) <= kTolerance, where + ", tn");
      }
    });
  }
}

// The same comparison sees operands that are not rounded, and rounding where none belongs.
TEST(products_of_the_wrong_precision_are_caught) {
  const Case test({7, 65, 33, ""});
  const Table<float>& exact = kernels_for<float>("scalar");
  const Table<float>& mixed = mixed_kernels_for("scalar");
  CHECK(nmse(test.gemm(exact, false, false), test.product(true, false)) > kTolerance);
  CHECK(nmse(test.gemm_tn(exact, false), test.product(true, false)) > kTolerance);
  CHECK(nmse(test.gemm(mixed, false, false), test.product(false, false)) > kTolerance);
  CHECK(nmse(test.gemm(exact, false, false), test.product(false, false)) <= kTolerance);
}

// Operands one at a time: to nearest, halves to even, infinities and NaN as they are; on both sides
// of a product.
TEST(mixed_rounds_to_nearest_even) {
  const float ulp = 1.0f / 128, big = std::numeric_limits<float>::max(),
              infinity = std::numeric_limits<float>::infinity();
  const std::pair<float, float> cases[] = {
      {1 + ulp / 2, 1},   {1 + ulp * 3 / 2, 1 + 2 * ulp},   {1 + ulp * 0.51f, 1 + ulp},
      {-1 - ulp / 2, -1}, {-1 - ulp * 3 / 2, -1 - 2 * ulp}, {1 - ulp / 8, 1},
      {big, infinity},    {-infinity, -infinity},           {3.0e-38f, rounded(3.0e-38f)}};
  for_each_mixed([&](const Table<float>& k, const std::string& isa) {
    Case one({1, 1, 1, ""});
    one.c = {0};
    const auto all = [&](const auto& check) {
      for (int side = 0; side < 2; side++) {
        check(one.gemm(k, false, false)[0]), check(one.gemm(k, true, false)[0]);
        check(one.gemm_tn(k, false)[0]);
        std::swap(one.a, one.b);
      }
    };
    for (const auto& [x, y] : cases) {
      one.a = {x}, one.b = {1};
      all([&, wanted = y](float got) { CHECK_MESSAGE(got == wanted, isa); });
    }
    uint32_t bits = 0x7fffffff;  // a NaN whose rounding would carry into the sign
    float nan;
    std::memcpy(&nan, &bits, sizeof(nan));
    one.a = {nan}, one.b = {1};
    all([&](float got) { CHECK_MESSAGE(std::isnan(got), isa); });
  });
}

TEST(mixed_bits_do_not_depend_on_the_split) {
  // three blocks of pairs, an odd k; rows and columns that fit no tile
  const Case test({53, 200, 1101, ""});
  const int64_t M = test.s.M, N = test.s.N, K = test.s.K;
  for_each_mixed([&](const Table<float>& k, const std::string& isa) {
    std::vector<float> packed(k.packed_size(K, N)), y(M * N), scratch(k.gemm_tn_scratch);
    const std::vector<float> whole = test.gemm(k, false, false),
                             at = Case::transposed(test.a, M, K);
    k.pack(packed.data(), test.b.data(), N, false, K, N, 0, N);
    for (int64_t m = 0, step = 1; m < M; m += step, step++)
      for (int64_t n = 0; n < N; n += k.gemm_nr)
        k.gemm(&y[m * N], N, &test.a[m * K], K, packed.data(), std::min(step, M - m), N, K, n,
               std::min<int64_t>(N, n + k.gemm_nr), false, nullptr);
    CHECK_MESSAGE(same_bits(y, whole), isa);
    for (int64_t m = 0; m < M; m += 10)
      for (int64_t n = 0; n < N; n += 70)
        k.gemm_tn(y.data(), N, at.data(), M, test.b.data(), N, K, m, std::min(M, m + 10), n,
                  std::min(N, n + 70), false, nullptr, scratch.data());
    CHECK_MESSAGE(same_bits(y, whole), isa + ": both kernels make the same chain");
  });
}

TEST(mixed_products_of_listed_rows) {
  const Case test({61, 70, 35, ""});
  const int64_t M = test.s.M, N = test.s.N, K = test.s.K;
  std::vector<int32_t> rows;
  for (int32_t m = 0; m < M; m++)
    if (m % 4 != 1 && m != 22) rows.push_back(m);
  const int64_t count = int64_t(rows.size());
  CHECK(count % 2 == 1);   // of tn: an odd number of k
  std::vector<float> few;  // [count, K]
  for (int32_t m : rows) few.insert(few.end(), &test.a[m * K], &test.a[m * K] + K);
  for_each_mixed([&](const Table<float>& k, const std::string& isa) {
    std::vector<float> packed(k.packed_size(K, N)), scratch(k.gemm_tn_scratch);
    std::vector<float> listed(M * N, 7), dense(count * N), wanted(M * N, 7), tn(K * N),
        tn_few(K * N), c_few;
    k.pack(packed.data(), test.b.data(), N, false, K, N, 0, N);
    k.gemm(listed.data(), N, test.a.data(), K, packed.data(), count, N, K, 0, N, false,
           rows.data());
    k.gemm(dense.data(), N, few.data(), K, packed.data(), count, N, K, 0, N, false, nullptr);
    for (int64_t i = 0; i < count; i++) std::copy_n(&dense[i * N], N, &wanted[rows[size_t(i)] * N]);
    CHECK_MESSAGE(same_bits(listed, wanted), isa);
    for (int32_t m : rows) c_few.insert(c_few.end(), &test.c[m * N], &test.c[m * N] + N);
    k.gemm_tn(tn.data(), N, test.a.data(), K, test.c.data(), N, count, 0, K, 0, N, false,
              rows.data(), scratch.data());
    k.gemm_tn(tn_few.data(), N, few.data(), K, c_few.data(), N, count, 0, K, 0, N, false, nullptr,
              scratch.data());
    CHECK_MESSAGE(same_bits(tn, tn_few), isa);
  });
}

// Distance between two lists of numbers over the size of the second.
double distance(const std::vector<float>& a, const std::vector<float>& b) {
  return std::sqrt(nmse(a, as_double(b)));
}

struct Outcome {
  std::vector<float> y;
  std::map<std::string, std::vector<float>> gradients;
};

Outcome run_with(const LayerCase& c, const Table<float>& k) {
  Rig<float> rig = make_rig<float>(c, true, 1, make_layer(c.layer, tree(c.options), kRigged, &k));
  Outcome out{rig.forward(), {}};
  rig.backward();
  for (const auto& [name, tensor] : rig.params)
    out.gradients[name].assign(rig.gradient(name), rig.gradient(name) + tensor.size);
  if (!c.indices) out.gradients["x"] = rig.input_gradients[0];
  return out;
}

// Large enough that operands span blocks of rows; T=3, since a state that rounds to another
// bfloat16 for its last bit grows.
std::vector<LayerCase> mixed_cases() {
  std::vector<LayerCase> cases = {{"dense", "dense", {{"units", 33}}, {{50, {37}}}}};
  for (const std::string& cell : cell_names()) {
    const Options options = {
        {"cell", cell}, {"units", 37}, {"returnSequences", true}, {"innerActivation", "sigmoid"}};
    Options dropped = options;
    dropped.push_back({"dropoutU", 0.3}), dropped.push_back({"dropoutW", 0.3});
    for (int rows : {3, 15}) {  // x W beforehand, and folded into the steps
      const std::string name = cell + "/B" + std::to_string(rows);
      cases.push_back({"recurrence", name, options, {{rows, {3, 11}}}});
      cases.push_back({"recurrence", name + ".masked", options, {{rows, {3, 11}}}, true});
    }
    cases.push_back({"recurrence", cell + "/dropout", dropped, {{15, {3, 11}}}});
  }
  return cases;
}

// Against float: an operand is off by 2^-9 at most, which three steps of a cell, there and back,
// make into no more than 3e-2; and by no less than 1e-4, or nothing was rounded.
TEST(mixed_layers_are_close_to_float) {
  for (const LayerCase& c : mixed_cases()) {
    const Outcome exact = run_with(c, kernels<float>()), mixed = run_with(c, mixed_kernels());
    const auto check = [&](const std::vector<float>& a, const std::vector<float>& b,
                           const std::string& what) {
      const double d = distance(a, b);
      CHECK_MESSAGE(d <= 3e-2 && d >= 1e-4, c.name + ", " + what + ": " + std::to_string(d));
    };
    check(mixed.y, exact.y, "y");
    for (const auto& [name, gradient] : exact.gradients)
      if (c.layer == "recurrence" || name != "b")  // a sum over dy, no product
        check(mixed.gradients.at(name), gradient, name);
  }
}

// Of all instruction sets. 1e-4: a sum that differs in its last bits makes a state of another
// bfloat16 now and then.
TEST(mixed_layers_agree_on_every_isa) {
  for (const LayerCase& c : mixed_cases()) {
    const Outcome first = run_with(c, mixed_kernels_for("scalar"));
    for_each_mixed([&](const Table<float>& k, const std::string& isa) {
      const Outcome other = run_with(c, k);
      CHECK_MESSAGE(distance(other.y, first.y) <= 1e-4, isa + ", " + c.name);
      for (const auto& [name, gradient] : first.gradients) {
        const double d = distance(other.gradients.at(name), gradient);
        CHECK_MESSAGE(d <= 5e-4, isa + ", " + c.name + ", " + name + ": " + std::to_string(d));
      }
    });
  }
}

TEST(mixed_layers_any_number_of_threads) {
  const int before = threads();
  for (int rows : {4, 35}) {  // split by hidden panels, and by rows
    const LayerCase c{"recurrence",
                      "lstm",
                      {{"cell", "lstm"}, {"units", 133}, {"returnSequences", true}},
                      {{rows, {12, 31}}}};
    set_threads(1);
    const Outcome one = run_with(c, mixed_kernels());
    for (int n : {2, 3}) {
      set_threads(n);
      const Outcome many = run_with(c, mixed_kernels());
      CHECK(same_bits(many.y, one.y));
      for (const auto& [name, gradient] : one.gradients)
        CHECK_MESSAGE(same_bits(many.gradients.at(name), gradient), name);
    }
  }
  set_threads(before);
}

}  // namespace
}  // namespace test
}  // namespace hs
