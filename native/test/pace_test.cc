// Pace: the quicker of one thread and all, by a clock that these tests make up.
#include "device/cpu/pace.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

// Time over `batches` batches of `work` each that take all[alone] ms a unit of work.
struct Clock {
  Pace pace;
  int on_one = 0, threads = 2;
  double run(int batches, const double (&each)[2], double work = 1) {
    double ms = 0;
    on_one = 0;
    for (int i = 0; i < batches; i++) {
      const bool one = pace.alone();
      on_one += one;
      pace.took(each[one] * work, work, threads);
      ms += each[one] * work;
    }
    return ms;
  }
};

TEST(pace_keeps_what_is_quicker) {
  const double one_is_quicker[2] = {0.5, 0.3}, all_are_quicker[2] = {0.2, 0.3};
  Clock clock;
  const double ms = clock.run(10000, one_is_quicker);
  CHECK(ms < 1.03 * 10000 * 0.3);
  CHECK(clock.on_one > 9000);
  clock.run(4000, all_are_quicker);  // the other processor has become idle
  CHECK(clock.run(10000, all_are_quicker) < 1.03 * 10000 * 0.2);
  CHECK(clock.on_one < 1000);
}

TEST(pace_of_long_batches_costs_little) {
  const double each[2] = {400, 750};
  Clock clock;
  CHECK(clock.run(200, each) < 1.03 * 200 * 400);
  CHECK(clock.on_one >= 1);
  clock.run(100, {800, 750});  // a busy system
  CHECK(clock.on_one > 50);
}

// 20 batches on 16 threads: none runs on one, where it might take 16 times as long.
TEST(pace_tries_no_long_batch_early) {
  Clock clock;
  clock.threads = 16;
  clock.run(20, {1000, 8000});
  CHECK(clock.on_one == 0);
}

TEST(pace_starts_anew_for_another_number_of_threads) {
  Clock clock;
  clock.run(100, {0.5, 0.3});
  CHECK(clock.pace.alone());
  clock.threads = 8;
  clock.run(1, {0.1, 0.3});
  CHECK(!clock.pace.alone());
}

TEST(pace_goes_by_work_not_by_batches) {
  const double each[2] = {0.02, 0.03};
  Clock clock;
  for (int i = 0; i < 3000; i++) clock.run(1, each, 1 + i % 40);  // sequences of many lengths
  int on_one = 0;
  for (int i = 0; i < 3000; i++) clock.run(1, each, 1 + i % 40), on_one += clock.on_one;
  CHECK(on_one < 300);
}

TEST(pace_prefers_all_threads_when_it_is_even) {
  Clock clock;
  clock.run(3000, {0.3, 0.297});
  CHECK(clock.on_one < 1200);
}

}  // namespace
}  // namespace test
}  // namespace hs
