// Sums of a card that go in two halves, and sums by words: of whole numbers, so that every order
// gives the same bits, at extents around those where there is one half or pass more. Runs where
// HIDDENSTATE_DEVICE names a card (test/card.h).
#include <cmath>
#include <random>

#include "device/cuda/nodes/run.h"
#include "device/cuda/ops/parts/words.h"
#include "device/cuda/sums.h"
#include "test/card.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

std::vector<float> whole_numbers(int64_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> numbers(static_cast<size_t>(n));
  for (float& number : numbers) number = float(int(random() % 9)) - 4;
  return numbers;
}

CardQueue& queue() {
  static CardQueue* const one = new CardQueue(Card::open(0));
  return *one;
}

std::string text_of(std::initializer_list<int64_t> numbers) { return to_string(Dims(numbers)); }

}  // namespace

TEST(sums_of_a_card_share_long_axes_among_threads) {
  for (const int64_t results : {1, 3, 512, 40000, 200000}) {
    for (const int64_t numbers : {1, 64, 65, 6400, 1000000}) {
      const int64_t lanes = sum_lanes(results, numbers);
      const std::string where = text_of({results, numbers, lanes});
      CHECK_MESSAGE(lanes >= 1 && lanes * lanes <= std::max<int64_t>(numbers, 1), where);
      CHECK_MESSAGE(lanes == 1 || lanes * results <= kBusyThreads, where);
      // Neither half is much longer than the other, but where the card is busy.
      if (numbers > kShortSum && results <= 512)
        CHECK_MESSAGE((lanes + 1) * (lanes + 1) > numbers || 2 * lanes * results > kBusyThreads,
                      where);
    }
  }
  CHECK(sum_lanes(0, 1000) == 1);
}

TEST(sums_over_an_axis_of_a_card_are_exact) {
  if (!card_wanted()) return;
  for (const int64_t m : {0, 1, 64, 65, 99, 1000}) {
    for (const int64_t outer : {1, 3}) {
      for (const int64_t inner : {1, 5}) {
        for (const int64_t more : {0, 2}) {  // columns that are passed over
          const int64_t ld = inner + more;
          const std::vector<float> x = whole_numbers(outer * m * ld, 1);
          OnCard<float> from(card<float>(), x);
          for (const bool adds : {false, true}) {
            OnCard<float> to(card<float>(), std::vector<float>(size_t(outer * inner), 7));
            sum_axis(queue(), to.data(), from.data(), outer, m, inner, ld, adds);
            queue().wait();
            std::vector<float> want(size_t(outer * inner), adds ? 7.f : 0.f);
            for (int64_t i = 0; i < outer * m * inner; i++)
              want[size_t(i / inner / m * inner + i % inner)] +=
                  x[size_t(i / inner * ld + i % inner)];
            CHECK_MESSAGE(to.read() == want, text_of({outer, m, inner, ld, adds}));
          }
        }
      }
    }
  }
}

// Over the axes of [2, 70, 3, 70] that a mask of four bits says.
TEST(sums_over_any_axes_on_a_card_are_exact) {
  if (!card_wanted()) return;
  const Dims dims = {2, 70, 3, 70};
  const std::vector<float> x = whole_numbers(count(dims), 2);
  OnCard<float> from(card<float>(), x);
  for (int mask = 0; mask < 16; mask++) {
    Dims kept = dims;
    for (size_t axis = 0; axis < 4; axis++)
      if (mask >> axis & 1) kept[axis] = 1;
    std::vector<size_t> place(x.size());  // of the result that a number belongs to
    for (size_t i = 0; i < x.size(); i++) {
      size_t rest = i, at = 0, step = 1;
      for (size_t axis = 4; axis-- > 0;) {
        const size_t index = rest % size_t(dims[axis]);
        rest /= size_t(dims[axis]);
        if (kept[axis] != 1 || dims[axis] == 1) at += index * step;
        step *= size_t(kept[axis]);
      }
      place[i] = at;
    }
    for (const NodeSum op : {NodeSum::kSum, NodeSum::kMax, NodeSum::kMin}) {
      std::vector<float> want(size_t(count(kept)), op == NodeSum::kSum ? 0.f : NAN);
      for (size_t i = 0; i < x.size(); i++) {
        float& y = want[place[i]];
        y = op == NodeSum::kSum   ? y + x[i]
            : op == NodeSum::kMax ? std::fmax(y, x[i])
                                  : std::fmin(y, x[i]);
      }
      OnCard<float> to(card<float>(), std::vector<float>(want.size(), 7));
      NodeSumArgs<float> a = {};
      a.op = op, a.y = to.data(), a.x = from.data(), a.factor = 1;
      sum_places(&queue(), a, count(kept), node_loop(dims, {&dims, &kept}));
      queue().wait();
      CHECK_MESSAGE(to.read() == want, "axes " + std::to_string(mask));
    }
    // The gradient of what is broadcast to all of them: it adds.
    std::vector<float> want(size_t(count(kept)), 7);
    for (size_t i = 0; i < x.size(); i++) want[place[i]] -= x[i];
    OnCard<float> to(card<float>(), std::vector<float>(want.size(), 7));
    add_broadcast(&queue(), to.data(), kept, -1.f, from.data(), dims);
    queue().wait();
    CHECK_MESSAGE(to.read() == want, "back, axes " + std::to_string(mask));
  }
}

TEST(sums_by_words_on_a_card_are_exact) {
  if (!card_wanted()) return;
  const int64_t D = 3;
  for (const int64_t T : {1, 7}) {
    for (const int64_t B : {1, 2, 16, 17, 32, 33, 256, 600}) {
      for (const int64_t V : {1, 2, 40, 5000}) {
        const int64_t n = T * B;
        std::mt19937 random(static_cast<unsigned>(n + V));
        std::vector<float> words(static_cast<size_t>(n));  // [B, T]
        // Every third is word 0, as padding is; some are none.
        for (size_t i = 0; i < words.size(); i++)
          words[i] = i % 3 == 0 ? 0.f : float(random() % unsigned(V)) + (i % 2 ? 0.f : 0.5f);
        if (n > 20) words[5] = -1, words[11] = float(V), words[17] = NAN;
        const std::vector<float> dy = whole_numbers(n * D, 3), factor = whole_numbers(V, 4);
        OnCard<float> on_card(card<float>(), words), gradient(card<float>(), dy),
            factors(card<float>(), factor);
        for (const bool adds : {false, true}) {
          std::vector<float> want(size_t(V * D), 0.f);
          for (int64_t s = 0; s < n; s++) {
            const float word = words[size_t(s % B * T + s / B)];
            if (!(word > -1 && word < float(V))) continue;
            for (int64_t d = 0; d < D; d++)
              want[size_t(int64_t(word) * D + d)] += dy[size_t(s * D + d)];
          }
          for (size_t i = 0; i < want.size(); i++) {
            if (!adds) want[i] *= factor[i / size_t(D)];
            if (adds) want[i] += 7;
          }
          OnCard<float> to(card<float>(), std::vector<float>(want.size(), 7));
          add_by_word(queue(), to.data(), V, D, gradient.data(), on_card.data(), B, T,
                      adds ? nullptr : factors.data(), adds);
          queue().wait();
          CHECK_MESSAGE(to.read() == want, text_of({T, B, V, adds}));
        }
      }
    }
  }
}

// As many as the square root of what there is to add up, not as many as there is.
TEST(long_sums_of_a_card_ask_for_few_kernels) {
  if (!card_wanted()) return;
  card<float>();
  if (launches() < 0) return;
  const auto asked = [](const auto& run) {
    const long before = launches();
    run();
    queue().wait();
    return launches() - before;
  };
  OnCard<float> x(card<float>(), whole_numbers(70000, 1)), y(card<float>(), whole_numbers(64, 1));
  CHECK(asked([&] { row_sums(queue(), y.data(), x.data(), 2, 64, 2); }) == 1);
  CHECK(asked([&] { row_sums(queue(), y.data(), x.data(), 2, 65, 2); }) == 2);
  const auto by_word = [&](int64_t n) {
    return asked([&] {
      add_by_word<float>(queue(), y.data(), 9, 2, x.data(), x.data(), n, 1, nullptr, false);
    });
  };
  // Their numbers and the sums; a pass for each 16 times as many words; pieces of 32.
  CHECK(by_word(1) == 2);
  CHECK(by_word(16) == 3);
  CHECK(by_word(17) == 4);
  CHECK(by_word(256) == 5);
  CHECK(by_word(257) == 6);
  CHECK(by_word(35000) == 7);
}

}  // namespace test
}  // namespace hs
