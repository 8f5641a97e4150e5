// Batches that are sent to a card while the one before is computed: the same bits, whatever the
// order in which streams go on, and nothing of a batch that does not come. On the stand-in driver
// (test/stand_in) alone, which counts.
#include <algorithm>
#include <atomic>
#include <functional>

#include "base/error.h"
#include "test/card.h"
#include "test/plan_spec.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

constexpr int64_t kSamples = 7, kSteps = 2, kFeatures = 60;
constexpr long kSampleBytes = (kSteps * kFeatures + 2) * long(sizeof(double));

std::unique_ptr<Plan> made() {
  Config spec =
      model({kSteps, kFeatures},
            {lstm("r", "input", kFeatures, 2, false), dense("d", "r", 2, 2, "softmax")}, "d");
  output_of(spec)["loss"] = text("categorical_crossentropy");
  spec.tree["optimizer"] = tree({{"name", text("rmsprop")}, {"lr", number(0.1)}});
  auto plan = compile(spec);
  fill(*plan);
  return plan;
}

std::shared_ptr<const DataSet> frames(unsigned seed) {
  std::vector<double> y;
  for (int64_t i = 0; i < kSamples; i++) y.insert(y.end(), {double(i % 2), double((i + 1) % 2)});
  return data(array({kSamples, kSteps, kFeatures}, noise(kSamples * kSteps * kFeatures, seed)),
              array({kSamples, 2}, y));
}

// An epoch of batches of 2, the rows in an order that `turn` makes.
RunRequest epoch(const std::shared_ptr<const DataSet>& samples, int turn, Mode mode) {
  RunRequest r;
  r.mode = mode, r.data = samples, r.batch_size = 2;
  for (int i = 0; i < kSamples; i++) r.order.push_back((3 * i + turn) % int(kSamples));
  return r;
}

std::vector<double> all_of(const Plan& plan) {
  std::vector<double> all;
  for (const char* name : {"r/W", "r/U", "d/W", "d/b"}) {
    const Array array = plan.read(name);
    all.insert(all.end(), array.f64.begin(), array.f64.end());
  }
  return all;
}

std::vector<double> numbers_of(const RunResult& result) {
  std::vector<double> all = result.sums;
  for (const Array& output : result.outputs)
    all.insert(all.end(), output.f64.begin(), output.f64.end());
  return all;
}

RunResult run_all(Plan& plan, const RunRequest& request) {
  const std::atomic<bool> cancelled{false};
  return plan.run(request, cancelled);
}

// Batch after batch, each with data of its own, of which nobody knows the next.
RunResult run_apart(Plan& plan, const RunRequest& request) {
  const std::atomic<bool> cancelled{false};
  RunResult result(request);
  for (int64_t at = 0; at < kSamples; at += 2) {
    RunRequest one = request;
    one.data = std::make_shared<DataSet>(*request.data);
    one.order.resize(size_t(std::min(at + 2, kSamples)));
    plan.run(one, result, cancelled);
  }
  return result;
}

}  // namespace

TEST(a_batch_goes_to_a_card_while_the_one_before_is_computed) {
  if (!stands_in()) return;
  for (const Mode mode : {Mode::kTrain, Mode::kTest, Mode::kPredict, Mode::kGradient}) {
    const long bytes =
        mode == Mode::kPredict ? kSampleBytes - 2 * long(sizeof(double)) : kSampleBytes;
    auto plan = made();
    const RunRequest whole = epoch(frames(1), 1, mode);
    RunRequest part = whole;
    part.max_batches = 0;
    RunResult so_far(whole);
    const std::atomic<bool> cancelled{false};
    const auto sent = [&] {
      const long before = counted("stand_in_sent");
      part.max_batches++;
      plan->run(part, so_far, cancelled);
      return counted("stand_in_sent") - before;
    };
    // Beside the data there are the few numbers that a step is told.
    const auto is = [](long got, long expected) { return got >= expected && got < expected + 500; };
    CHECK(is(sent(), 4 * bytes));  // its own, and the next
    CHECK(is(sent(), 2 * bytes));
    CHECK(is(sent(), 0));  // the last has one row, and is sent in its turn
    CHECK(is(sent(), bytes));
    CHECK(so_far.samples == kSamples);
  }
}

TEST(batches_that_are_sent_ahead_have_the_same_bits) {
  if (!stands_in()) return;
  for (int seed = 0; seed < 6; seed++) {
    tell_stand_in("stand_in_turns", seed);
    auto plan = made(), twin = made();
    for (const Mode mode : {Mode::kTrain, Mode::kTest, Mode::kTrain, Mode::kPredict}) {
      for (int turn = 0; turn < 3; turn++) {
        // Other data each time, so that none of it lies on the card.
        const RunRequest request = epoch(frames(unsigned(turn) + 1), turn, mode);
        const long before = counted("stand_in_waits");
        const std::vector<double> got = numbers_of(run_all(*plan, request));
        // Of four batches two are sent ahead, x and y, and wait for those before them.
        const long waits = mode == Mode::kPredict ? 2 * 2 : 2 * 3;
        CHECK(counted("stand_in_waits") - before == waits);
        CHECK(got == numbers_of(run_apart(*twin, request)));
        CHECK(counted("stand_in_waits") - before == waits);
        CHECK(all_of(*plan) == all_of(*twin));
      }
    }
  }
}

TEST(a_batch_that_was_sent_ahead_and_does_not_come_is_forgotten) {
  if (!stands_in()) return;
  const auto first_batch_of = [](Plan& plan, const std::shared_ptr<const DataSet>& samples) {
    RunRequest one = epoch(samples, 0, Mode::kTrain);
    one.max_batches = 1;
    run_all(plan, one);
  };
  auto samples = frames(1);
  auto plan = made(), twin = made();
  first_batch_of(*plan, samples), first_batch_of(*twin, std::make_shared<DataSet>(*samples));
  // Other rows; a batch of another size; other data where those lay.
  for (const int turn : {2, 4}) {
    RunRequest other = epoch(samples, turn, Mode::kTrain);
    other.batch_size = turn;
    other.order.resize(4);
    run_all(*plan, other);
    other.data = std::make_shared<DataSet>(*samples);
    run_all(*twin, other);
    CHECK(all_of(*plan) == all_of(*twin));
  }
  first_batch_of(*plan, samples), first_batch_of(*twin, std::make_shared<DataSet>(*samples));
  RunRequest second = epoch(samples, 0, Mode::kTrain);
  second.from = 2, second.max_batches = 1;
  for (double& number : const_cast<DataSet&>(*samples).x[0].f64) number += 1;  // as new data would
  second.data = std::make_shared<DataSet>(std::move(const_cast<DataSet&>(*samples)));
  samples.reset();
  run_all(*plan, second);
  second.data = std::make_shared<DataSet>(*second.data);
  run_all(*twin, second);
  CHECK(all_of(*plan) == all_of(*twin));
}

// From the second of three batches on, which has been sent ahead.
TEST(a_card_that_refuses_a_call_beside_the_work_goes_on) {
  if (!stands_in()) return;
  constexpr int64_t kBatches = 3;
  RunRequest request = epoch(frames(1), 1, Mode::kTrain);
  request.order.resize(size_t(2 * kBatches));
  const auto run_from = [&](Plan& plan, int64_t batch, int64_t most) {
    RunRequest r = request;
    r.data = std::make_shared<DataSet>(*request.data);
    r.from = 2 * batch, r.max_batches = most;
    run_all(plan, r);
  };
  std::vector<std::vector<double>> path;  // after so many batches
  const auto twin = made();
  for (int64_t batches = 0; batches <= kBatches; batches++) {
    path.push_back(all_of(*twin));
    run_from(*twin, batches, 1);
  }
  const std::atomic<bool> cancelled{false};
  RunRequest first = request;
  first.max_batches = 1;
  long refused = 0, unseen = 0;
  bool asked = true;
  for (long call = 0; asked; call++) {
    const auto plan = made();
    RunResult so_far(request);
    plan->run(first, so_far, cancelled);
    bool failed = false;
    fail_call(call, 719);
    try {
      plan->run(request, so_far, cancelled);
    } catch (const Error& error) {
      failed = true;
      CHECK_MESSAGE(error.code == Code::kDevice, error.message);
    }
    asked = counted("stand_in_calls") > call;
    fail_call(-1, 0);
    refused += failed, unseen += asked && !failed;
    const std::string where = "call " + std::to_string(call);
    const int64_t done = std::find(path.begin(), path.end(), all_of(*plan)) - path.begin();
    // A batch that was under way may have been.
    CHECK_MESSAGE(done == so_far.batches || (failed && done == so_far.batches + 1), where);
    run_from(*plan, done, -1);
    CHECK_MESSAGE(all_of(*plan) == path.back(), where);
  }
  std::printf("%ld calls refused, %ld more unseen\n", refused, unseen);
  CHECK(refused > 30 && unseen > 30);
}

}  // namespace test
}  // namespace hs
