// The sum over ranks: with threads for ranks, and queues for what goes between them.
#include "world/tree_sum.h"

#include <cstring>
#include <thread>

#include "test/plan_spec.h"
#include "test/test.h"
#include "test/thread_ranks.h"

namespace hs {
namespace test {
namespace {

std::vector<float> addend(int leaf, int64_t n) {
  std::vector<float> all;
  for (double x : noise(size_t(n), unsigned(leaf) + 1, 1e3)) all.push_back(float(x));
  return all;
}

std::vector<float> plus(const std::vector<float>& a, const std::vector<float>& b) {
  std::vector<float> sum(a.size());
  for (size_t i = 0; i < a.size(); i++) sum[i] = a[i] + b[i];
  return sum;
}

// What a rank adds up itself.
std::vector<float> tree(TreeSum::Node node, int64_t n) {
  if (node.end - node.first == 1) return addend(node.first, n);
  return plus(tree({node.first, node.middle()}, n), tree({node.middle(), node.end}, n));
}

struct Values {
  std::vector<std::vector<float>> floats;
  std::vector<std::vector<double>> doubles;
  std::vector<std::vector<unsigned char>> bits;
};

// Of all ranks: what every block holds after the sum.
std::vector<Values> sums(int size, int leaves, int64_t n, int64_t m, int* sent = nullptr) {
  Post post;
  std::vector<Values> all(static_cast<size_t>(size));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; rank++) {
    threads.emplace_back([&, rank] {
      TreeSum sum(rank, size, leaves);
      Values& v = all[size_t(rank)];
      const size_t blocks = sum.blocks().size();
      v.doubles.assign(blocks, {}), v.bits.assign(blocks, {});
      std::vector<std::vector<void*>> values;
      for (size_t b = 0; b < blocks; b++) {
        v.floats.push_back(tree(sum.blocks()[b], n));
        v.doubles[b].assign(size_t(m), double(sum.blocks()[b].end - sum.blocks()[b].first));
        v.bits[b].assign(size_t(leaves), 0);
        for (int leaf = sum.blocks()[b].first; leaf < sum.blocks()[b].end; leaf++)
          v.bits[b][size_t(leaf)] = static_cast<unsigned char>(leaf + 1);
      }
      for (size_t b = 0; b < blocks; b++)
        values.push_back({v.floats[b].data(), v.doubles[b].data(), v.bits[b].data()});
      ThreadTransport transport(post, rank, size);
      sum.sum(transport, {{Addend::kFloat, n}, {Addend::kDouble, m}, {Addend::kBits, leaves}},
              values);
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (sent) *sent = post.sent;
  return all;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

}  // namespace

TEST(tree_sum_has_the_same_bits_for_any_number_of_ranks) {
  for (int leaves : {1, 2, 3, 5, 8, 13, 16}) {
    for (int64_t n : {int64_t(1), int64_t(100), int64_t(1000)}) {
      const std::vector<float> expected = tree({0, leaves}, n);
      for (int size = 1; size <= leaves; size++) {
        const std::string at = std::to_string(size) + " ranks, " + std::to_string(leaves);
        for (const Values& v : sums(size, leaves, n, 3)) {
          for (const auto& floats : v.floats) CHECK_MESSAGE(same_bits(floats, expected), at);
          for (const auto& doubles : v.doubles)
            for (double d : doubles) CHECK_MESSAGE(d == leaves, at);
          for (const auto& bits : v.bits)
            for (int leaf = 0; leaf < leaves; leaf++)
              CHECK_MESSAGE(bits[size_t(leaf)] == leaf + 1, at);
        }
      }
    }
  }
}

TEST(tree_sum_differs_from_a_sum_from_left_to_right) {
  std::vector<float> sum = addend(0, 1000);
  for (int leaf = 1; leaf < 8; leaf++) sum = plus(sum, addend(leaf, 1000));
  CHECK(!same_bits(sum, tree({0, 8}, 1000)));
}

// Sums of floats that go as bfloat16, of all blocks of all ranks; sent: bytes.
std::vector<std::vector<float>> rounded_sums(int size, int leaves, Addend kind, size_t* sent) {
  constexpr int64_t n = 1000;
  Post post;
  std::vector<std::vector<std::vector<float>>> all(static_cast<size_t>(size));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; rank++) {
    threads.emplace_back([&, rank] {
      TreeSum sum(rank, size, leaves);
      std::vector<std::vector<void*>> values;
      auto& own = all[size_t(rank)];
      for (const TreeSum::Node& node : sum.blocks()) own.push_back(tree(node, n));
      for (std::vector<float>& block : own) values.push_back({block.data()});
      ThreadTransport transport(post, rank, size);
      sum.sum(transport, {{kind, n}}, values);
    });
  }
  for (std::thread& thread : threads) thread.join();
  *sent = post.bytes;
  std::vector<std::vector<float>> each;
  for (auto& own : all) each.insert(each.end(), own.begin(), own.end());
  return each;
}

TEST(tree_sum_rounds_the_same_for_all_and_sends_half) {
  for (int leaves : {2, 3, 8, 13}) {
    const std::vector<float> exact = tree({0, leaves}, 1000);
    for (int size = 2; size <= leaves; size++) {
      const std::string at = std::to_string(size) + " ranks, " + std::to_string(leaves);
      size_t half = 0, whole = 0;
      const auto rounded = rounded_sums(size, leaves, Addend::kRounded, &half);
      rounded_sums(size, leaves, Addend::kFloat, &whole);
      CHECK_MESSAGE(2 * half == whole, at);
      for (const std::vector<float>& each : rounded) {
        CHECK_MESSAGE(same_bits(each, rounded[0]), at);
        // Each number is rounded at most once a hop, of 2^-9 of addends that are at most 1e3 each.
        for (size_t i = 0; i < exact.size(); i++)
          CHECK_CLOSE(each[i], exact[i], 1e3 * leaves * 5 / 512.0);
      }
      CHECK_MESSAGE(!same_bits(rounded[0], exact), at);
    }
  }
}

TEST(tree_sum_rounds_as_bfloat16_does) {
  const auto sum = [](float a, float b) {  // of two ranks
    Post post;
    float values[2] = {a, b};
    std::thread other([&] {
      ThreadTransport transport(post, 1, 2);
      TreeSum(1, 2, 2).sum(transport, {{Addend::kRounded, 1}}, {{&values[1]}});
    });
    ThreadTransport transport(post, 0, 2);
    TreeSum(0, 2, 2).sum(transport, {{Addend::kRounded, 1}}, {{&values[0]}});
    other.join();
    CHECK(std::memcmp(&values[0], &values[1], sizeof(float)) == 0);
    return values[0];
  };
  CHECK(sum(1, 0) == 1 && sum(0.1f, 0) == 0.10009765625f && sum(0, 0.1f) == 0.10009765625f);
  CHECK(sum(1 + 1 / 256.0f, 0) == 1 && sum(1 + 3 / 256.0f, 0) == 1 + 4 / 256.0f);  // halves to even
  CHECK(std::isinf(sum(INFINITY, 1)) && std::isnan(sum(INFINITY, -INFINITY)));
  CHECK(std::isnan(sum(NAN, 0)) && std::isnan(sum(0, NAN)));
}

TEST(tree_sum_has_every_leaf_in_one_block) {
  for (int leaves = 1; leaves <= 40; leaves++) {
    for (int size = 1; size <= leaves; size++) {
      int next = 0;
      for (int rank = 0; rank < size; rank++) {
        const TreeSum sum(rank, size, leaves);
        CHECK(!sum.blocks().empty());
        for (const TreeSum::Node& node : sum.blocks()) {
          CHECK(node.first == next && node.end > node.first);
          next = node.end;
        }
      }
      CHECK(next == leaves);
    }
  }
}

TEST(tree_sum_halves_and_doubles_between_powers_of_two) {
  int sent = 0;
  sums(8, 8, 1024, 1024, &sent);
  // Three times up and three times down each rank sends to one other; bits of 8 leaves are one
  // piece, which goes up and down the tree once.
  CHECK(sent == 8 * 6 * 2 + 7 * 2);
}

}  // namespace test
}  // namespace hs
