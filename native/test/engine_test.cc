// The engine: order, fairness, cancelling, dropping what belongs to someone who leaves, and the
// thread's floating-point mode.
#include "engine/engine.h"

#include <chrono>
#include <future>
#include <stdexcept>
#include <thread>

#include "base/error.h"
#include "test/plan_spec.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

void sleep_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

class Counted : public Job {  // `slices` steps, each noted in the log
 public:
  Counted(std::string name, int slices, std::vector<std::string>* log)
      : name_(std::move(name)), left_(slices), log_(log) {}
  bool step() override {
    if (cancelled) return true;
    log_->push_back(name_);
    return --left_ <= 0;
  }
  void finished(std::exception_ptr error) noexcept override { done.set_value(error != nullptr); }
  std::promise<bool> done;

 private:
  std::string name_;
  int left_;
  std::vector<std::string>* log_;  // engine thread only, until done
};

class Gate : public Job {  // holds the engine until opened
 public:
  bool step() override {
    entered.set_value();
    opened.get_future().wait();
    return true;
  }
  void finished(std::exception_ptr) noexcept override { finishes++; }
  std::promise<void> entered, opened;
  std::atomic<int> finishes{0};
};

class Promised : public RunJob {
 public:
  using RunJob::RunJob;
  void finished(std::exception_ptr error) noexcept override { done.set_value(error); }
  std::promise<std::exception_ptr> done;
};

RunRequest training(int64_t N, int64_t batch_size) {
  RunRequest request;
  request.mode = Mode::kTrain;
  request.data = data(array({N, 3}, noise(size_t(N) * 3, 1)), array({N, 1}, noise(size_t(N), 2)));
  request.batch_size = batch_size;
  return request;
}

std::shared_ptr<Plan> small_plan() {
  std::shared_ptr<Plan> plan = compile(model({3}, {dense("d", "input", 3, 1, "linear")}, "d"));
  fill(*plan);
  return plan;
}

}  // namespace

TEST(engine_takes_turns_in_order) {
  std::vector<std::string> log;
  auto gate = std::make_shared<Gate>();
  Engine::get().submit(gate);
  gate->entered.get_future().wait();
  auto a = std::make_shared<Counted>("a", 3, &log), b = std::make_shared<Counted>("b", 1, &log),
       c = std::make_shared<Counted>("c", 2, &log);
  for (const auto& job : {a, b, c}) Engine::get().submit(job);
  gate->opened.set_value();
  for (const auto& job : {a, b, c}) CHECK(!job->done.get_future().get());
  CHECK(log == (std::vector<std::string>{"a", "b", "c", "a", "c", "a"}));
}

TEST(engine_run_in_slices_equals_run_in_one) {
  const auto a = small_plan(), b = small_plan();
  RunRequest request = training(30000, 3);
  request.max_batches = 9000;
  const std::atomic<bool> never{false};
  const RunResult whole = a->run(request, never);
  auto job = std::make_shared<Promised>(b, request);
  Engine::get().submit(job);
  CHECK(job->done.get_future().get() == nullptr);
  CHECK(job->result.batches == 9000 && job->result.samples == 27000);
  CHECK(a->read("d/W").f64 == b->read("d/W").f64);
  CHECK(job->result.sums == whole.sums);  // one chain of additions, wherever it was cut
  request.mode = Mode::kPredict;
  request.max_batches = -1;
  auto predict = std::make_shared<Promised>(b, request);
  Engine::get().submit(predict);
  CHECK(predict->done.get_future().get() == nullptr);
  CHECK(predict->result.outputs[0].dims == (Dims{30000, 1}));
  CHECK(predict->result.outputs[0].f64 == a->run(request, never).outputs[0].f64);
}

TEST(engine_stops_after_max_ms_and_when_cancelled) {
  const auto plan = small_plan();
  RunRequest request = training(1000, 1);
  request.order.resize(20000000, 5);
  request.max_ms = 30;
  auto timed = std::make_shared<Promised>(plan, request);
  Engine::get().submit(timed);
  CHECK(timed->done.get_future().get() == nullptr);
  CHECK(timed->result.batches > 0 && timed->result.batches < 20000000);
  request.max_ms = -1;
  auto endless = std::make_shared<Promised>(plan, request);
  Engine::get().submit(endless);
  sleep_ms(5);
  endless->cancelled = true;
  CHECK(endless->done.get_future().get() == nullptr);
  CHECK(endless->result.samples < 20000000);
}

TEST(engine_carries_errors_to_the_job) {
  const auto plan = small_plan();
  RunRequest request = training(4, 2);
  request.from = 99;
  auto job = std::make_shared<Promised>(plan, request);
  Engine::get().submit(job);
  const std::exception_ptr error = job->done.get_future().get();
  CHECK(error != nullptr);
  if (error) CHECK_ERROR(std::rethrow_exception(error), Code::kOption, "from 0 to 4, got 99");
}

TEST(engine_drops_what_belongs_to_one_owner) {
  int mine = 0, other = 0;
  std::vector<std::string> log;
  auto running = std::make_shared<Gate>();
  running->owner = &mine;
  Engine::get().submit(running);
  running->entered.get_future().wait();
  auto queued = std::make_shared<Counted>("dropped", 1, &log),
       kept = std::make_shared<Counted>("kept", 1, &log);
  queued->owner = &mine;
  kept->owner = &other;
  Engine::get().submit(queued);
  Engine::get().submit(kept);
  std::thread opener([&] {
    while (!running->cancelled) sleep_ms(1);
    running->opened.set_value();
  });
  Engine::get().drop(&mine);
  CHECK(running->cancelled);
  CHECK(running->finishes == 0);
  CHECK(!kept->done.get_future().get());
  opener.join();
  CHECK(log == std::vector<std::string>{"kept"});
  Engine::get().drop(&mine);  // nothing left: returns at once
}

TEST(engine_flushes_denormals_and_nobody_else) {
  struct Denormal : Job {
    bool step() override {
      volatile double tiny = 1e-310;
      flushed = tiny * 0.5 == 0;
      return true;
    }
    void finished(std::exception_ptr) noexcept override { done.set_value(); }
    bool flushed = false;
    std::promise<void> done;
  };
  auto job = std::make_shared<Denormal>();
  Engine::get().submit(job);
  job->done.get_future().wait();
#if defined(__x86_64__) || defined(__aarch64__)
  CHECK(job->flushed);
#endif
  volatile double tiny = 1e-310;
  CHECK(tiny * 0.5 != 0);
}

}  // namespace test
}  // namespace hs
