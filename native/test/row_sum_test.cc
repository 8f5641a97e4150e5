// Sums of tables by the rows that are not zero, against those of whole tables.
#include "world/row_sum.h"

#include <cstring>
#include <thread>

#include "test/plan_spec.h"
#include "test/test.h"
#include "test/thread_ranks.h"

namespace hs {
namespace test {
namespace {

constexpr int64_t kRows = 100, kWidth = 5;

struct Value {
  std::vector<float> table = std::vector<float>(kRows * kWidth), beside = std::vector<float>(3, 1);
  std::vector<unsigned char> flags = std::vector<unsigned char>(kRows);
};

// Every `step`-th row from one that is the leaf's own on; some of their numbers are -0.
Value leaf_value(int leaf, int64_t step) {
  Value value;
  const std::vector<double> numbers = noise(kRows * kWidth, unsigned(leaf) + 1, 1e3);
  for (int64_t row = leaf % 3; row < kRows; row += step) {
    value.flags[size_t(row)] = 1;
    for (int64_t i = row * kWidth; i < (row + 1) * kWidth; i++)
      value.table[size_t(i)] = i % 4 == 0 ? -0.0f : float(numbers[size_t(i)]);
  }
  return value;
}

struct Summed {
  std::vector<Value> values;  // of all blocks of all ranks
  size_t bytes = 0;           // that were sent
  int64_t told = 0;           // by one rank
};

// A leaf a rank.
Summed summed(int size, int64_t step, bool by_rows) {
  Post post;
  std::vector<std::vector<Value>> all(static_cast<size_t>(size));
  Summed result;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; rank++) {
    threads.emplace_back([&, rank] {
      TreeSum tree(rank, size, size);
      ThreadTransport transport(post, rank, size);
      std::vector<Value>& own = all[size_t(rank)];
      for (const TreeSum::Node& node : tree.blocks()) {
        CHECK(node.end - node.first == 1);
        own.push_back(leaf_value(node.first, step));
      }
      SumValues values;
      for (Value& value : own)
        values.push_back({value.beside.data(), value.flags.data(), value.table.data()});
      const auto sum = [&](const std::vector<Segment>& segments, const SumValues& these) {
        tree.sum(transport, segments, these);
      };
      const int64_t told = sum_by_rows(sum,
                                       {{Addend::kFloat, 3},
                                        {Addend::kBits, kRows},
                                        {Addend::kFloat, kRows * kWidth, by_rows ? 1 : -1}},
                                       values);
      if (rank == 0) result.told = told;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::vector<Value>& own : all)
    for (Value& value : own) result.values.push_back(std::move(value));
  result.bytes = post.bytes;
  return result;
}

bool same(const Value& a, const Value& b) {
  return std::memcmp(a.table.data(), b.table.data(), a.table.size() * sizeof(float)) == 0 &&
         a.flags == b.flags && a.beside == b.beside;
}

}  // namespace

TEST(row_sum_has_the_bits_of_a_sum_of_whole_tables) {
  for (int size : {2, 3, 5, 8}) {
    for (int64_t step : {1, 2, 7, 40, 1000}) {
      const Summed whole = summed(size, step, false), rows = summed(size, step, true);
      CHECK(whole.values.size() == rows.values.size());
      for (size_t i = 0; i < rows.values.size(); i++) {
        CHECK_MESSAGE(same(rows.values[i], whole.values[0]),
                      std::to_string(size) + " ranks, each " + std::to_string(step) + ". row");
      }
    }
  }
}

TEST(row_sum_sends_whole_tables_where_half_of_the_rows_are_written) {
  const int64_t flags = (kRows + 7) / 8, beside = 3 * 4, row = kWidth * 4;
  CHECK(summed(2, 1, true).told == flags + beside + kRows * row);
  // Rows 0, 10, 20, ... of one rank and 1, 11, 21, ... of the other.
  CHECK(summed(2, 10, true).told == flags + beside + 20 * row);
  CHECK(summed(2, 10, true).bytes < summed(2, 10, false).bytes / 3);
}

}  // namespace test
}  // namespace hs
