// When a queue of a card waits. Runs where HIDDENSTATE_DEVICE names a card (test/card.h); the
// stand-in driver does nothing before somebody waits.
#include "test/card.h"
#include "test/test.h"

namespace hs {
namespace test {

// There are fewer pieces of it than copies under way.
TEST(pinned_memory_of_a_card_is_used_again_when_its_copy_is_done) {
  if (!card_wanted()) return;
  constexpr int kCopies = 19;
  CardQueue queue(Card::open(0));
  auto* const there = static_cast<double*>(queue.allocate(kCopies * sizeof(double)));
  for (int i = 0; i < kCopies; i++) {
    const double number = i + 1;
    queue.upload(there + i, &number, sizeof(number));
  }
  std::vector<double> got(kCopies);
  queue.download(got.data(), there, kCopies * sizeof(double));
  for (int i = 0; i < kCopies; i++) CHECK_MESSAGE(got[size_t(i)] == i + 1, std::to_string(i));
  queue.release(there);
}

// Another plan may have the same weights, and its queue does not wait for this one.
TEST(an_upload_is_there_for_all_queues_of_a_card) {
  if (!card_wanted()) return;
  Cuda<double> one(0), other(0);
  // again and again: the stand-in driver decides by chance which of two streams goes on
  for (double i = 0; i < 64; i++) {
    const OnCard<double> sent(one, {i, 2, 3}), copied(other, {0, 0, 0});
    other.copy(copied.data(), sent.data(), 3 * sizeof(double));
    CHECK(copied.read() == std::vector<double>({i, 2, 3}));
  }
}

}  // namespace test
}  // namespace hs
