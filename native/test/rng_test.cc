// Philox against the known answers of Random123 (examples/kat_vectors), and what is made of its
// numbers.
#include "device/cpu/rng.h"

#include "test/compare.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

void check_known(uint64_t seed, uint32_t step, uint32_t stream, uint64_t index,
                 const uint32_t (&expected)[4]) {
  uint32_t out[4];
  philox(out, {seed, step}, stream, index);
  for (int i = 0; i < 4; i++) CHECK_MESSAGE(out[i] == expected[i], "word " + std::to_string(i));
}

TEST(philox_known_answers) {
  check_known(0, 0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  check_known(~0ull, ~0u, ~0u, ~0ull, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  check_known(0x299f31d0a4093822, 0x03707344, 0x13198a2e, 0x85a308d3243f6a88,
              {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST(philox_streams_differ) {
  uint32_t a[4], b[4];
  philox(a, {1, 2}, 3, 4);
  const DropoutKey others[] = {{2, 2}, {1, 3}, {1, 2 + (1ull << 32)}};
  for (const DropoutKey& key : others) {
    philox(b, key, 3, 4);
    CHECK(a[0] != b[0] || a[1] != b[1]);
  }
  philox(b, {1, 2}, 4, 4);
  CHECK(a[0] != b[0] || a[1] != b[1]);
}

template <typename real>
void check_dropout(double p) {
  const int64_t n = 100003;
  std::vector<real> mask(n);
  dropout_mask(mask.data(), n, p, {42, 7}, 16);
  int64_t dropped = 0;
  const real keep = p < 1 ? static_cast<real>(1 / (1 - p)) : real(0);
  for (real m : mask) {
    CHECK(m == 0 || m == keep);
    dropped += m == 0;
  }
  // five standard deviations of a binomial
  CHECK_CLOSE(double(dropped) / double(n), p, 5 * std::sqrt(p * (1 - p) / double(n)) + 1e-12);
}

TEST(dropout_rate) {
  for (double p : {0.0, 0.1, 0.5, 0.9, 1.0}) check_dropout<float>(p), check_dropout<double>(p);
}

TEST(dropout_is_a_function_of_the_counter) {
  std::vector<float> longer(1000), shorter(333), other(1000);
  std::vector<double> twice(1000);
  dropout_mask(longer.data(), 1000, 0.5, {1, 1}, 0);
  dropout_mask(shorter.data(), 333, 0.5, {1, 1}, 0);
  dropout_mask(twice.data(), 1000, 0.5, {1, 1}, 0);
  dropout_mask(other.data(), 1000, 0.5, {1, 2}, 0);
  CHECK(same_bits(shorter, std::vector<float>(longer.begin(), longer.begin() + 333)));
  CHECK(twice == as_double(longer));
  CHECK(!same_bits(longer, other));
}

TEST(normal_noise_moments) {
  const int64_t n = 200001;
  std::vector<double> x(n);
  normal_noise(x.data(), n, {3, 9}, 5);
  double moment[5] = {};
  for (double v : x)
    for (int i = 1; i <= 4; i++) moment[i] += std::pow(v, i) / double(n);
  // five standard deviations of each moment's estimate: variances 1, 2, 15, 96
  const double sigma = 5 / std::sqrt(double(n));
  CHECK_CLOSE(moment[1], 0, sigma);
  CHECK_CLOSE(moment[2], 1, sigma * std::sqrt(2.0));
  CHECK_CLOSE(moment[3], 0, sigma * std::sqrt(15.0));
  CHECK_CLOSE(moment[4], 3, sigma * std::sqrt(96.0));
}

}  // namespace
}  // namespace test
}  // namespace hs
