// Precision of products on a card: float32, TF32 and bfloat16, against sums in double of numbers
// that are rounded here, by another method; and what that makes of layers. Runs where
// HIDDENSTATE_DEVICE names a card (test/card.h).
#include "base/error.h"
#include "device/cpu/cpu.h"
#include "test/card.h"
#include "test/compare.h"
#include "test/hosted_layer.h"
#include "test/layer_cases.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

Cuda<float>& card_of(Operands operands) {
  static Cuda<float>* const tf32 = new Cuda<float>(0, Operands::kTf32);
  static Cuda<float>* const bfloat16 = new Cuda<float>(0, Operands::kBfloat16);
  return operands == Operands::kExact  ? card<float>()
         : operands == Operands::kTf32 ? *tf32
                                       : *bfloat16;
}

// To so many significant bits: to nearest, halves to even, or away from zero as TF32 has it.
double rounded(float x, Operands operands) {
  if (operands == Operands::kExact) return x;
  const int bits = operands == Operands::kTf32 ? 11 : 8;
  int exponent;
  const double part = std::ldexp(std::frexp(double(x), &exponent), bits);
  return std::ldexp(operands == Operands::kTf32 ? std::round(part) : std::nearbyint(part),
                    exponent - bits);
}

struct Product {
  int64_t count, M, N, K;
  bool a_transposed, b_transposed, adds, prepared;
};
const Product kProducts[] = {
    {1, 1, 1, 1, false, false, false, false},   {1, 5, 7, 3, false, false, true, false},
    {1, 5, 7, 3, true, false, false, false},    {1, 5, 7, 3, false, true, true, true},
    {1, 33, 17, 65, false, false, false, true}, {3, 4, 5, 6, false, false, true, false},
    {3, 4, 5, 6, true, false, false, false},    {3, 4, 5, 6, false, true, false, false},
    {2, 3, 4, 0, false, false, false, false},   {2, 3, 4, 0, false, false, true, false},
};

// With rows that are longer than they need be, of one product.
std::vector<float> on_queue(const Product& p, Operands operands, const std::vector<float>& a,
                            const std::vector<float>& b, std::vector<float> c, int64_t more) {
  CardQueue queue(Card::open(0), operands);
  QueueMemory memory(queue);
  const int64_t lda = (p.a_transposed ? p.M : p.K) + more,
                ldb = (p.b_transposed ? p.K : p.N) + more;
  const OnCard<float> x(memory, a), y(memory, b), z(memory, c);
  const OnCard<float> room(memory, std::vector<float>(b.size()));
  CardQueue::Matrix<float> right = {y.data(), ldb, p.b_transposed};
  if (p.prepared) right = queue.rounded(right, int64_t(b.size()) / ldb, room.data());
  queue.multiply_all(p.count, z.data(), p.N, {x.data(), lda, p.a_transposed}, right, p.M, p.N, p.K,
                     p.adds);
  return z.read();
}

std::vector<double> by_hand(const Product& p, Operands operands, const std::vector<float>& a,
                            const std::vector<float>& b, const std::vector<float>& c,
                            int64_t more) {
  const int64_t lda = (p.a_transposed ? p.M : p.K) + more,
                ldb = (p.b_transposed ? p.K : p.N) + more;
  const int64_t a_rows = p.a_transposed ? p.K : p.M, b_rows = p.b_transposed ? p.N : p.K;
  std::vector<double> r(c.size());
  for (int64_t i = 0; i < p.count; i++) {
    for (int64_t m = 0; m < p.M; m++) {
      for (int64_t n = 0; n < p.N; n++) {
        double sum = p.adds ? double(c[size_t((i * p.M + m) * p.N + n)]) : 0;
        for (int64_t k = 0; k < p.K; k++) {
          const int64_t at_a = i * a_rows * lda + (p.a_transposed ? k * lda + m : m * lda + k);
          const int64_t at_b = i * b_rows * ldb + (p.b_transposed ? n * ldb + k : k * ldb + n);
          sum += rounded(a[size_t(at_a)], operands) * rounded(b[size_t(at_b)], operands);
        }
        r[size_t((i * p.M + m) * p.N + n)] = sum;
      }
    }
  }
  return r;
}

}  // namespace

TEST(products_of_a_card_round_as_they_are_told) {
  if (!card_wanted()) return;
  const Operands all[] = {Operands::kExact, Operands::kTf32, Operands::kBfloat16};
  for (const Product& p : kProducts) {
    for (const int64_t more : {0, 3}) {
      const int64_t lda = (p.a_transposed ? p.M : p.K) + more;
      const int64_t ldb = (p.b_transposed ? p.K : p.N) + more;
      const auto a = numbers<float>(p.count * (p.a_transposed ? p.K : p.M) * lda, 1);
      const auto b = numbers<float>(p.count * (p.b_transposed ? p.N : p.K) * ldb, 2);
      const auto c = numbers<float>(p.count * p.M * p.N, 3);
      for (const Operands told : all) {
        const std::vector<float> got = on_queue(p, told, a, b, c, more);
        for (const Operands other : all) {
          // 1e-11: float sums of exact products, as those of the CPU (mixed_test.cc)
          const bool same = nmse(got, by_hand(p, other, a, b, c, more)) <= 1e-11;
          const bool want = other == told || p.K == 0;
          CHECK_MESSAGE(same == want, std::to_string(p.count) + " of " + std::to_string(p.M) + " " +
                                          std::to_string(p.N) + " " + std::to_string(p.K) +
                                          " told " + std::to_string(int(told)) + " as " +
                                          std::to_string(int(other)));
        }
      }
    }
  }
}

TEST(a_card_rounds_to_bfloat16_as_the_cpu) {
  if (!card_wanted()) return;
  const float ulp = 1.0f / 128, big = std::numeric_limits<float>::max(), inf = HUGE_VALF;
  const std::vector<float> x = {
      1 + ulp / 2, 1 + ulp * 3 / 2, -1 - ulp * 3 / 2, 1 + ulp * 0.51f, big, -inf, NAN, 1e-40f};
  const std::vector<float> want = {1,   1 + 2 * ulp, -1 - 2 * ulp, 1 + ulp,
                                   inf, -inf,        NAN,          0x1p-133f};
  for (size_t i = 0; i < x.size(); i++) {
    const std::vector<float> got = on_queue({1, 1, 1, 1, false, false, false, false},
                                            Operands::kBfloat16, {x[i]}, {1}, {0}, 0);
    CHECK(got[0] == want[i] || (std::isnan(got[0]) && std::isnan(want[i])));
  }
}

// 2^-8: a sum that differs in its last bits makes an operand of another bfloat16 now and then. And
// TF32 rounds two operands by 2^-11 each, of numbers that are larger than their sum.
constexpr double kLayerTolerance = 3e-3;

// Every op in mixed_bfloat16 on both devices, and in TF32 beside float32, but for ops with kinks
// and steps, which make more of a rounding.
TEST(layers_of_a_card_compute_in_the_precision_of_the_model) {
  if (!card_wanted()) return;
  double rounds = 0;
  const auto hosted = [](const LayerCase& c, Operands operands) {
    Cuda<float>& device = card_of(operands);
    return std::make_unique<HostedLayer<float>>(device.op(c.layer, tree(c.options), kRigged),
                                                kRigged, device);
  };
  for (const LayerCase& c : layer_cases()) {
    Rig<float> mixed = make_rig<float>(
        c, true, 1, make_layer(c.layer, tree(c.options), kRigged, &mixed_kernels()));
    Rig<float> exact = make_rig<float>(c, true, 1, hosted(c, Operands::kExact));
    Rig<float> bfloat16 = make_rig<float>(c, true, 1, hosted(c, Operands::kBfloat16));
    Rig<float> tf32 = make_rig<float>(c, true, 1, hosted(c, Operands::kTf32));
    const auto compare = [&](const std::string& what, const float* a, const float* b, int64_t n) {
      const double d = distance(a, b, n, 1e-2);
      CHECK_MESSAGE(d <= kLayerTolerance,
                    c.name + ": " + what + " differs by " + std::to_string(d));
    };
    const auto y = mixed.forward(), y_exact = exact.forward(), y_bfloat16 = bfloat16.forward(),
               y_tf32 = tf32.forward();
    const int64_t n = int64_t(y.size());
    const bool steep = c.layer == "recurrence" || c.layer == "conv_recurrence" || c.layer == "scan";
    compare("y in bfloat16", y_bfloat16.data(), y.data(), n);
    if (!steep) compare("y in TF32", y_tf32.data(), y_exact.data(), n);
    rounds = std::max(rounds, distance(y_bfloat16.data(), y_exact.data(), n));
    mixed.backward(), exact.backward(), bfloat16.backward(), tf32.backward();
    for (const auto& [name, tensor] : mixed.params) {
      compare("d" + name + " in bfloat16", bfloat16.gradient(name), mixed.gradient(name),
              tensor.size);
      if (!steep)
        compare("d" + name + " in TF32", tf32.gradient(name), exact.gradient(name), tensor.size);
    }
  }
  CHECK(rounds > kLayerTolerance);
}

}  // namespace test
}  // namespace hs
