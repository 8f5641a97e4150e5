// mixed_int8: products of 8-bit integers, of every instruction set, against sums in double of
// numbers rounded here; and what that makes of layers that predict.
#include <algorithm>

#include "device/cpu/threads/parallel.h"
#include "test/compare.h"
#include "test/layer_cases.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

constexpr int64_t kBlock = 1024;  // numbers along k with a scale of their own on the left

template <typename Fn>
void for_each_int8(const Fn& fn) {
  for (const char* const* isa = available_isas(); *isa; isa++) {
    const Table<float>& k = int8_kernels_for(*isa);
    CHECK_MESSAGE(k.isa == std::string(*isa), k.isa);
    fn(k, std::string(*isa) + "/int8");
  }
}

// n numbers, `step` apart, as whole numbers in [-127, 127] times a scale.
void round_line(float* x, int64_t step, int64_t n) {
  float largest = 0;
  for (int64_t i = 0; i < n; i++) largest = std::max(largest, std::fabs(x[i * step]));
  const float inverse = 127 / largest, scale = largest / 127;
  for (int64_t i = 0; largest > 0 && i < n; i++)
    x[i * step] = float(std::nearbyint(double(x[i * step] * inverse)) * double(scale));
}

struct Shape {
  int64_t M, N, K;
  const char* why;
};
const Shape kShapes[] = {
    {1, 1, 1, "the smallest: a quarter of an element"},
    {3, 5, 0, "K=0: no products, c is zeroed or kept"},
    {1, 512, 128, "M=1: one row, streaming"},
    {7, 65, 33, "one more than a tile in every direction; K one more than elements"},
    {5, 63, 31, "one less than a tile in every direction"},
    {13, 17, 1025, "K=1025: one k after a block"},
    {49, 33, 47, "M=49: one row after the rounded rows of one block"},
    {25, 100, 2050, "K=2050: two blocks and a bit, M=25 of 16-bit integers"},
    {40, 48, 3, "K=3: shorter than an element"},
};

// Of sums that are exact: the numbers above are rounded once more as floats.
constexpr double kTolerance = 1e-12;

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
    std::vector<float> x = a, y = b;
    if (rounds) {
      for (int64_t m = 0; m < s.M; m++)
        for (int64_t k = 0; k < s.K; k += kBlock)
          round_line(&x[m * s.K + k], 1, std::min(kBlock, s.K - k));
      for (int64_t n = 0; n < s.N && s.K > 0; n++) round_line(&y[n], s.N, s.K);
    }
    for (int64_t m = 0; m < s.M; m++)
      for (int64_t n = 0; n < s.N; n++)
        for (int64_t k = 0; k < s.K; k++)
          r[m * s.N + n] += double(x[m * s.K + k]) * double(y[k * s.N + n]);
    return r;
  }
  std::vector<float> packed(const Table<float>& k, bool transposed) const {
    std::vector<float> to(k.packed_size(s.K, s.N)), from = b;
    if (transposed)
      for (int64_t i = 0; i < s.K; i++)
        for (int64_t j = 0; j < s.N; j++) from[j * s.K + i] = b[i * s.N + j];
    // In two parts, as threads share it.
    const int64_t part = std::min<int64_t>(s.N, k.gemm_nr), ld = transposed ? s.K : s.N;
    k.pack(to.data(), from.data(), ld, transposed, s.K, s.N, part, s.N);
    k.pack(to.data(), from.data(), ld, transposed, s.K, s.N, 0, part);
    return to;
  }
  std::vector<float> gemm(const Table<float>& k, bool transposed, bool accumulate) const {
    std::vector<float> y = c;
    k.gemm(y.data(), s.N, a.data(), s.K, packed(k, transposed).data(), s.M, s.N, s.K, 0, s.N,
           accumulate, nullptr);
    return y;
  }
};

TEST(int8_products_of_every_isa) {
  for (const Shape& s : kShapes) {
    const Case test(s);
    const Table<float>& first = int8_kernels_for(available_isas()[0]);
    for (bool accumulate : {false, true}) {
      const std::vector<double> wanted = test.product(true, accumulate);
      const std::vector<float> bits = test.gemm(first, false, accumulate);
      for_each_int8([&](const Table<float>& k, const std::string& isa) {
        const std::string where = isa + ", " + s.why + (accumulate ? ", accumulate" : "");
        const std::vector<float> got = test.gemm(k, false, accumulate);
        CHECK_MESSAGE(nmse(got, wanted) <= kTolerance, where);
        CHECK_MESSAGE(same_bits(got, bits), where + ": every set has the same bits");
        CHECK_MESSAGE(same_bits(test.gemm(k, true, accumulate), bits), where + ", transposed");
      });
    }
  }
}

// The same comparison sees operands that are not rounded, and rounding where none belongs.
TEST(products_that_are_not_of_integers_are_caught) {
  const Case test({7, 65, 33, ""});
  CHECK(nmse(test.gemm(kernels<float>(), false, false), test.product(true, false)) > 1e-6);
  CHECK(nmse(test.gemm(int8_kernels(), false, false), test.product(false, false)) > 1e-6);
}

// Whole numbers times a scale of few bits come back as they are: so what a file holds is what a
// model computed with before it was saved.
TEST(int8_weights_are_packed_without_loss) {
  Case test({127, 127, 127, ""});
  std::fill(test.a.begin(), test.a.end(), 0.0f);
  for (int64_t i = 0; i < 127; i++) test.a[i * 127 + i] = 1;
  for (int64_t k = 0; k < 127; k++)
    for (int64_t n = 0; n < 127; n++) {
      const float scale = std::ldexp(float(40000 + 197 * n), -22);
      test.b[k * 127 + n] = scale * float((k * 2 + n) % 255 - 127);
    }
  for (int64_t n = 0; n < 127; n++)  // each column has its largest number
    test.b[(n + 5) % 127 * 127 + n] = std::ldexp(float(40000 + 197 * n), -22) * 127;
  for_each_int8([&](const Table<float>& k, const std::string& isa) {
    const std::vector<float> y = test.gemm(k, false, false);
    for (size_t i = 0; i < y.size(); i++)
      CHECK_MESSAGE(std::fabs(y[i] - test.b[i]) <= 1e-6f * std::fabs(test.b[i]), isa);
  });
}

// A number that is not finite is never lost: it makes its row, or its column, NaN, and no other.
TEST(int8_products_keep_what_is_not_finite) {
  const float infinity = std::numeric_limits<float>::infinity(),
              nan = std::numeric_limits<float>::quiet_NaN();
  for (float bad : {infinity, -infinity, nan, -nan}) {
    Case left({9, 70, 40, ""}), right = left;
    left.a[4 * 40 + 17] = bad, right.b[17 * 70 + 66] = bad;
    for_each_int8([&](const Table<float>& k, const std::string& isa) {
      const std::vector<float> y = left.gemm(k, false, false), z = right.gemm(k, false, false);
      for (int64_t m = 0; m < 9; m++)
        for (int64_t n = 0; n < 70; n++) {
          CHECK_MESSAGE(std::isnan(y[m * 70 + n]) == (m == 4), isa);
          CHECK_MESSAGE(std::isnan(z[m * 70 + n]) == (n == 66), isa);
        }
    });
  }
}

TEST(int8_takes_the_smallest_and_the_largest_numbers) {
  for (float size : {1e-45f, 1e-38f, 1e-36f, 1e30f, 3e38f}) {
    Case test({4, 20, 1, ""});
    for (float& x : test.a) x *= size / 4;
    for (float& x : test.b) x = 1;
    for_each_int8([&](const Table<float>& k, const std::string& isa) {
      const std::vector<float> y = test.gemm(k, false, false);
      for (int64_t m = 0; m < 4; m++) {
        const float wanted = std::fabs(test.a[m]) > 1e-36f ? test.a[m] : 0;
        CHECK_MESSAGE(std::fabs(y[m * 20] - wanted) <= std::fabs(wanted) * 1e-6f, isa);
      }
    });
  }
}

TEST(int8_bits_do_not_depend_on_the_split) {
  const Case test({53, 200, 1101, ""});
  const int64_t M = test.s.M, N = test.s.N, K = test.s.K;
  for_each_int8([&](const Table<float>& k, const std::string& isa) {
    std::vector<float> y(M * N);
    const std::vector<float> whole = test.gemm(k, false, false), packed = test.packed(k, false);
    for (int64_t m = 0, step = 1; m < M; m += step, step++)
      for (int64_t n = 0; n < N; n += k.gemm_nr)
        k.gemm(&y[m * N], N, &test.a[m * K], K, packed.data(), std::min(step, M - m), N, K, n,
               std::min<int64_t>(N, n + k.gemm_nr), false, nullptr);
    CHECK_MESSAGE(same_bits(y, whole), isa);
  });
}

TEST(int8_products_of_listed_rows) {
  const Case test({61, 70, 35, ""});
  const int64_t N = test.s.N, K = test.s.K;
  std::vector<int32_t> rows;
  for (int32_t m = 0; m < test.s.M; m++)
    if (m % 4 != 1) rows.push_back(m);
  for_each_int8([&](const Table<float>& k, const std::string& isa) {
    const std::vector<float> packed = test.packed(k, false), whole = test.gemm(k, false, false);
    std::vector<float> listed(whole.size(), 7), wanted(whole.size(), 7);
    k.gemm(listed.data(), N, test.a.data(), K, packed.data(), int64_t(rows.size()), N, K, 0, N,
           false, rows.data());
    for (int32_t m : rows) std::copy_n(&whole[m * N], N, &wanted[m * N]);
    CHECK_MESSAGE(same_bits(listed, wanted), isa);
  });
}

std::vector<float> predicted(const LayerCase& c, const Table<float>& k) {
  return make_rig<float>(c, false, 1, make_layer(c.layer, tree(c.options), kRigged, &k)).forward();
}

// Rows that go by blocks, and by one; panels and a rest; x W beforehand, and folded into the steps;
// softmax, for the path without panels.
std::vector<LayerCase> int8_cases() {
  std::vector<LayerCase> cases = {{"dense", "dense", {{"units", 133}}, {{50, {37}}}}};
  for (const std::string& cell : cell_names()) {
    const Options options = {
        {"cell", cell}, {"units", 133}, {"returnSequences", true}, {"innerActivation", "sigmoid"}};
    Options soft = options;
    soft.push_back({"activation", "softmax"});
    for (int rows : {1, 3, 55}) {
      const std::string name = cell + "/B" + std::to_string(rows);
      cases.push_back({"recurrence", name, options, {{rows, {3, 11}}}});
      cases.push_back({"recurrence", name + ".masked", options, {{rows, {3, 11}}}, true});
    }
    cases.push_back({"recurrence", cell + "/deep", options, {{5, {2, 1100}}}});
    cases.push_back({"recurrence", cell + "/softmax", soft, {{5, {3, 11}}}});
  }
  return cases;
}

// Against float: an operand is off by 1/254 of the largest of its row or column at most, which
// three steps of a cell make into no more than 5e-2; and by no less than 1e-5, or nothing was
// rounded.
TEST(int8_layers_are_close_to_float) {
  for (const LayerCase& c : int8_cases()) {
    const double d =
        std::sqrt(nmse(predicted(c, int8_kernels()), as_double(predicted(c, kernels<float>()))));
    CHECK_MESSAGE(d <= 5e-2 && d >= 1e-5, c.name + ": " + std::to_string(d));
  }
}

// 1e-3: activations differ in their last bits between sets, which makes another integer of a state
// now and then.
TEST(int8_layers_agree_on_every_isa) {
  for (const LayerCase& c : int8_cases()) {
    const std::vector<double> first = as_double(predicted(c, int8_kernels_for("scalar")));
    for_each_int8([&](const Table<float>& k, const std::string& isa) {
      const double d = std::sqrt(nmse(predicted(c, k), first));
      CHECK_MESSAGE(d <= 1e-3, isa + ", " + c.name + ": " + std::to_string(d));
    });
  }
}

TEST(int8_layers_any_number_of_threads) {
  const int before = threads();
  for (int rows : {1, 4, 35}) {  // split by hidden panels, and by rows
    const LayerCase c{"recurrence",
                      "lstm",
                      {{"cell", "lstm"}, {"units", 333}, {"returnSequences", true}},
                      {{rows, {12, 31}}}};
    set_threads(1);
    const std::vector<float> one = predicted(c, int8_kernels());
    for (int n : {2, 3}) {
      set_threads(n);
      CHECK(same_bits(predicted(c, int8_kernels()), one));
    }
  }
  set_threads(before);
}

}  // namespace
}  // namespace test
}  // namespace hs
