// Steps of a card as graphs: the same bits as without, nothing launched beside them, and what ends
// them. On the stand-in driver (test/stand_in) alone, which counts.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iterator>

#include "base/error.h"
#include "device/cuda/rules.h"
#include "test/card.h"
#include "test/layer_rig.h"
#include "test/optimizer_cases.h"
#include "test/plan_spec.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

// The first batch comes from the host, whose data go to the card when they are read again; two more
// are run launch by launch, and the next is recorded.
constexpr int kSteps = 8, kWarmUps = 3;

long graphs() { return counted("stand_in_graphs"); }

class WithoutGraphs {
 public:
#if defined(__linux__)
  WithoutGraphs() { setenv("HIDDENSTATE_CUDA_GRAPHS", "0", 1); }
  ~WithoutGraphs() { unsetenv("HIDDENSTATE_CUDA_GRAPHS"); }
#endif
};

std::unique_ptr<Plan> plan_of(const Config& spec, bool with_graphs) {
  std::unique_ptr<WithoutGraphs> without;
  if (!with_graphs) without = std::make_unique<WithoutGraphs>();
  std::unique_ptr<Plan> plan = compile(spec);
  fill(*plan);
  return plan;
}

// Parameters, moments, states and the logs of the last batch.
std::vector<double> all_of(const Plan& plan, const RunResult& result) {
  std::vector<double> all = result.last;
  const auto add = [&](const Array& array) {
    all.insert(all.end(), array.f64.begin(), array.f64.end());
    all.insert(all.end(), array.f32.begin(), array.f32.end());
  };
  for (const std::string& name : plan.names()) add(plan.read(name));
  for (const Array& output : result.outputs) add(output);
  return all;
}

bool same(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0);
}

// The same batches with graphs and without; `turn` comes before each. In step kWarmUps and later
// there are `most` graphs a batch (-1: not counted) and, after that, `beside` launches beside them.
using Turn = std::function<void(Plan&, int step)>;
void compare(const std::string& where, const Config& spec,
             const std::shared_ptr<const DataSet>& samples, Mode mode, int64_t batch_size = 1000,
             const Turn& turn = {}, long most = 1, long beside = 0) {
  const auto with = plan_of(spec, true), without = plan_of(spec, false);
  for (int step = 0; step < kSteps; step++) {
    if (turn) turn(*with, step), turn(*without, step);
    const std::string at = where + ", step " + std::to_string(step);
    const std::vector<double> wanted = all_of(*without, run(*without, mode, samples, batch_size));
    const long graphs_before = graphs(), before = launches() + products();
    const RunResult result = run(*with, mode, samples, batch_size);
    const long launched = graphs() - graphs_before, others = launches() + products() - before;
    CHECK_MESSAGE(same(all_of(*with, result), wanted), at);
    const long times = step < kWarmUps ? 0 : most * result.batches;
    CHECK_MESSAGE(most < 0 || launched == times, at + ": " + std::to_string(launched) + " graphs");
    if (step > kWarmUps)
      CHECK_MESSAGE(others == beside, at + ": " + std::to_string(others) + " launches beside them");
  }
}

Config recurrence(const CellShape& cell, int64_t D, int64_t H, Options options) {
  const int64_t G = int64_t(std::strlen(cell.gates));
  std::vector<Config> params = {param("W", {D, G * H}), param("U", {H, G * H}),
                                param("b", {G * H})};
  if (cell.recurrent_bias) params.push_back(param("c", {G * H}));
  for (int i = 0; i < cell.vectors; i++) params.push_back(param(cell.vector_names[i], {H}));
  options.insert(options.begin(), {{"cell", cell.name}, {"units", int(H)}});
  return op("recurrence", "r", {"masked"}, "r", tree(options), params);
}

Config masking() {
  Config masking = op("masking", "masked", {"input"}, "masked", tree({{"maskValue", number(0)}}));
  masking.tree["maskOut"] = text("mask");
  return masking;
}

Config with_optimizer(Config spec, const Setting& setting) {
  spec.tree["optimizer"] =
      tree({{"name", text(setting.optimizer)}, {"lr", number(0.05)}, {"decay", number(0.1)}});
  for (const auto& [key, value] : setting.options) spec.tree["optimizer"].tree[key] = value;
  return spec;
}

std::shared_ptr<const DataSet> sequences(int64_t N, int64_t T, int64_t D, const Dims& y) {
  std::vector<double> x = noise(size_t(N * T * D), 3);
  std::fill(x.begin() + (T - 1) * D, x.begin() + T * D, 0.0);  // masked: the end of the first row
  return data(array({N, T, D}, x), array(y, noise(size_t(count(y)), 4)));
}

// Masking, the cell, dropout, a head.
Config net(const CellShape& cell, bool masked, Options options, double p = 0.3) {
  Config r = recurrence(cell, 2, 3, options);
  if (masked) r.tree["mask"] = text("mask");
  std::vector<Config> ops = {masking(), r};
  ops.push_back(op("dropout", "dropped", {"r"}, "dropped", tree({{"p", number(p)}})));
  ops.push_back(dense("d", "dropped", 3, 2, "tanh"));
  return model({-1, 2}, ops, "d");
}

RunResult run_request(Plan& plan, const RunRequest& request) {
  const std::atomic<bool> cancelled{false};
  return plan.run(request, cancelled);
}

constexpr const char* kDropouts[] = {"", "by gates", "shared"};

std::vector<double> weights(const Plan& plan) {
  std::vector<double> all;
  for (const char* name : {"d/W", "r/U"}) {
    const Array array = plan.read(name);
    all.insert(all.end(), array.f64.begin(), array.f64.end());
  }
  return all;
}

}  // namespace

TEST(steps_of_a_card_are_graphs_of_the_same_bits) {
  if (!stands_in()) return;
  size_t setting = 0;
  for (const std::string& name : cell_names()) {
    for (const std::string dropout : kDropouts) {
      for (const bool masked : {false, true}) {
        const double p = dropout.empty() ? 0 : 0.4;
        const Config spec = net(*cuda_cell(name.c_str()), masked,
                                {{"dropoutW", p},
                                 {"dropoutU", p},
                                 {"sharedDropout", dropout == "shared"},
                                 {"goBackwards", masked}});
        const Setting& s = kSettings[setting++ % std::size(kSettings)];
        compare(name + (masked ? ", masked, " : ", ") + dropout + ", " + s.optimizer,
                with_optimizer(spec, s), sequences(3, 4, 2, {3, 2}), Mode::kTrain);
      }
    }
  }
}

TEST(updates_of_a_card_are_graphs_of_the_same_bits) {
  if (!stands_in()) return;
  for (const Setting& setting : kSettings) {
    Config spec =
        model({3}, {dense("e", "input", 3, 4, "relu"), dense("d", "e", 4, 2, "linear")}, "d");
    param_of(spec, "e/W").tree["penalty"] =
        tree({{"l1", number(0.01)}, {"l2", number(0.1)}, {"eigenvalue", number(0.01)}});
    param_of(spec, "d/W").tree["constraint"] = tree({{"name", text("nonneg")}});
    compare(setting.optimizer, with_optimizer(spec, setting),
            data(array({5, 3}, noise(15, 1)), array({5, 2}, noise(10, 2))), Mode::kTrain);
  }
}

TEST(batches_of_all_kinds_are_graphs_on_a_card) {
  if (!stands_in()) return;
  const CellShape& lstm = *cuda_cell("lstm");
  const auto samples = sequences(3, 4, 2, {3, 2});
  for (const Mode mode : {Mode::kTrain, Mode::kTest, Mode::kGradient, Mode::kPredict}) {
    const std::string name = "kind " + std::to_string(int(mode));
    compare(name, net(lstm, true, {{"dropoutU", 0.4}}), samples, mode);
    // Where nothing is learned, states become those of the batch apart, in a graph that has nothing
    // to do with its data.
    const bool parts = mode == Mode::kPredict || mode == Mode::kTest;
    compare(name + ", stateful", net(lstm, true, {{"stateful", true}}), samples, mode, 1000, {},
            parts ? -1 : 1);
  }
}

TEST(what_changes_between_steps_of_a_card_is_in_no_graph) {
  if (!stands_in()) return;
  const CellShape& gru = *cuda_cell("gru");
  const Config spec = with_optimizer(net(gru, true, {{"stateful", true}}), kSettings[2]);
  compare("rates and states", spec, sequences(3, 4, 2, {3, 2}), Mode::kTrain, 1000,
          [](Plan& plan, int step) {
            plan.set("lr", 0.1 / (step + 1));
            plan.set("rho", 0.9 - 0.01 * step);
            if (step % 2) plan.reset_states();
            if (step == 5) plan.set("step", 1000);
          });
  // Words: other ones in each batch.
  Config embed =
      op("embedding", "e", {"input"}, "e",
         tree({{"inputDim", number(9)}, {"outputDim", number(3)}, {"dropout", number(0.4)}}),
         {param("W", {9, 3})});
  const Config words =
      model({4}, {embed, lstm("r", "e", 3, 2, false), dense("d", "r", 2, 2, "tanh")}, "d");
  std::vector<double> ids = noise(4 * 6, 5, 4.4);
  for (double& id : ids) id = std::floor(id + 4.5);
  compare("words", words, data(array({6, 4}, ids), array({6, 2}, noise(12, 6))), Mode::kTrain, 3,
          {}, -1);
  // Those that another layer gives.
  Config behind = op("activation", "a", {"input"}, "a", tree({{"activation", text("relu")}}));
  embed.tree["inputs"] = list({text("a")});
  const Config made =
      model({4}, {behind, embed, lstm("r", "e", 3, 2, false), dense("d", "r", 2, 2, "tanh")}, "d");
  compare("words that are made", made, data(array({6, 4}, ids), array({6, 2}, noise(12, 6))),
          Mode::kTrain);
  const Setting& adam = kSettings[6];
  compare("rows", with_optimizer(net(gru, false, {}), adam), sequences(5, 4, 2, {5, 2}),
          Mode::kTrain, 2, {}, -1);
}

TEST(settings_that_a_graph_of_a_card_holds_make_another) {
  if (!stands_in()) return;
  const Config spec = net(*cuda_cell("simple_rnn"), false, {{"dropoutW", 0.4}});
  const auto samples = sequences(3, 4, 2, {3, 2});
  const auto with = plan_of(spec, true), without = plan_of(spec, false);
  for (int step = 0; step < 16; step++) {
    for (Plan* plan : {with.get(), without.get()}) {
      if (step == 4) plan->set("clipnorm", 0.01);
      if (step == 8) plan->set("clipvalue", 0.001);
      if (step == 12) plan->set("seed", 5);
    }
    const std::vector<double> wanted = all_of(*without, run(*without, Mode::kTrain, samples));
    const long before = graphs();
    CHECK_MESSAGE(same(all_of(*with, run(*with, Mode::kTrain, samples)), wanted),
                  "step " + std::to_string(step));
    CHECK_MESSAGE((graphs() > before) == (step < 4 ? step >= 3 : step % 4 >= 2),
                  "step " + std::to_string(step));
  }
}

// By turns, on one plan; their data are new each time, so that they come from the host, and nothing
// but what the plan says of a batch tells them apart.
TEST(batches_of_other_kinds_on_one_plan_have_graphs_of_their_own_on_a_card) {
  if (!stands_in()) return;
  const auto all = sequences(3, 4, 2, {3, 2}), few = sequences(2, 4, 2, {2, 2}),
             shorter = sequences(3, 3, 2, {3, 2});
  DataSet weighted = *all;
  weighted.weights = {array({3}, {1, 0.25, 2})};
  const std::vector<std::pair<Mode, const DataSet*>> turns = {
      {Mode::kTrain, all.get()},   {Mode::kTest, all.get()},    {Mode::kGradient, all.get()},
      {Mode::kPredict, all.get()}, {Mode::kTrain, few.get()},   {Mode::kPredict, few.get()},
      {Mode::kTrain, &weighted},   {Mode::kTest, &weighted},    {Mode::kTrain, shorter.get()},
      {Mode::kTest, few.get()},    {Mode::kTest, shorter.get()}};
  const Config spec = net(*cuda_cell("lstm"), true, {{"dropoutU", 0.4}});
  const auto with = plan_of(spec, true), without = plan_of(spec, false);
  for (int round = 0; round < 5; round++) {
    for (size_t turn = 0; turn < turns.size(); turn++) {
      const auto& [mode, set] = turns[turn];
      const auto batch = [&, mode = mode, set = set](Plan& plan) {
        return all_of(plan, run(plan, mode, std::make_shared<DataSet>(*set)));
      };
      const std::vector<double> wanted = batch(*without);
      const long before = graphs();
      const std::string where = "round " + std::to_string(round) + ", " + std::to_string(turn);
      CHECK_MESSAGE(same(batch(*with), wanted), where);
      CHECK_MESSAGE((graphs() > before) == (round >= 2), where);
    }
  }
}

// Data on the card, and data of the host, in whose graphs nothing tells where the memory lies.
TEST(memory_that_goes_ends_the_graphs_of_a_card) {
  if (!stands_in()) return;
  const Config spec = net(*cuda_cell("lstm"), true, {});
  const auto few = sequences(2, 4, 2, {2, 2}), many = sequences(70, 9, 2, {70, 2});
  for (const bool kept : {true, false}) {
    const auto with = plan_of(spec, true), without = plan_of(spec, false);
    for (int step = 0; step < 15; step++) {
      const auto& samples = step == 5 || step == 6 ? many : few;
      const auto batch = [&](Plan& plan) {
        const auto data = kept ? samples : std::make_shared<DataSet>(*samples);
        return all_of(plan, run(plan, Mode::kTrain, data));
      };
      const std::string where = (kept ? "kept, step " : "step ") + std::to_string(step);
      const std::vector<double> wanted = batch(*without);
      const long before = graphs();
      CHECK_MESSAGE(same(batch(*with), wanted), where);
      const bool expected = (step >= (kept ? 3 : 2) && step < 5) || step >= 9;
      CHECK_MESSAGE((graphs() > before) == expected, where);
    }
  }
}

TEST(a_driver_that_records_nothing_runs_steps_as_they_are) {
  if (!stands_in()) return;
  tell_stand_in("stand_in_no_graphs", 1);
  const Config spec = net(*cuda_cell("lstm"), true, {{"dropoutU", 0.4}});
  const auto samples = sequences(3, 4, 2, {3, 2});
  const auto with = plan_of(spec, true), without = plan_of(spec, false);
  const long before = graphs();
  for (int step = 0; step < kSteps; step++) {
    const std::vector<double> wanted = all_of(*without, run(*without, Mode::kTrain, samples));
    CHECK(same(all_of(*with, run(*with, Mode::kTrain, samples)), wanted));
    if (step == 4) tell_stand_in("stand_in_no_graphs", 0);  // it is not asked again
  }
  CHECK(graphs() == before);
}

TEST(a_card_that_refuses_a_call_of_a_graph_leaves_a_model_that_goes_on) {
  if (!stands_in()) return;
  const Config spec = net(*cuda_cell("lstm"), true, {}, 0);
  const auto samples = sequences(3, 4, 2, {3, 2});
  std::vector<std::vector<double>> path;  // weights after so many steps
  const auto twin = plan_of(spec, false);
  for (int step = 0; step < 7; step++) {
    path.push_back(weights(*twin));
    run(*twin, Mode::kTrain, samples);
  }
  for (const int code : {2, 719}) {
    long call = 0;
    for (bool failed = true; failed; call++) {
      const auto plan = plan_of(spec, true);
      for (int step = 0; step < kWarmUps; step++) run(*plan, Mode::kTrain, samples);
      fail_call(call, code);
      int threw = 0;
      for (int step = 0; step < 2; step++) {  // that which is recorded, and the next
        try {
          run(*plan, Mode::kTrain, samples);
        } catch (const Error& error) {
          threw++;
          CHECK_MESSAGE(error.code == Code::kDevice || error.code == Code::kOutOfMemory,
                        error.message);
        }
      }
      failed = counted("stand_in_calls") > call;
      fail_call(-1, 0);
      const std::string where = "call " + std::to_string(call) + ", " + std::to_string(code);
      const std::vector<double> now = weights(*plan);
      // An update that is under way when the card fails may have been.
      const auto at =
          std::find(path.begin() + kWarmUps + 2 - threw, path.begin() + kWarmUps + 3, now);
      CHECK_MESSAGE(at != path.begin() + kWarmUps + 3 && threw < 2, where);
      run(*plan, Mode::kTrain, samples);
      CHECK_MESSAGE(weights(*plan) != now, where);
    }
    CHECK_MESSAGE(call > 60, std::to_string(call));
  }
}

TEST(data_that_are_read_again_lie_on_the_card) {
  if (!stands_in()) return;
  const Config spec = net(*cuda_cell("gru"), true, {{"dropoutW", 0.4}});
  const auto samples = sequences(5, 90, 2, {5, 2});
  const auto epoch = [&](Plan& plan, const std::shared_ptr<const DataSet>& data, int turn) {
    RunRequest r;
    r.mode = Mode::kTrain, r.data = data, r.batch_size = 2;
    for (int i = 0; i < 5; i++) r.order.push_back((3 * i + turn) % 5);
    if (turn == 4) r.order.clear();
    const long before = counted("stand_in_sent");
    run_request(plan, r);
    return counted("stand_in_sent") - before;
  };
  for (const bool room : {true, false}) {
    const auto kept = plan_of(spec, true), fresh = plan_of(spec, false);
    for (int turn = 0; turn < 6; turn++) {
      const long sent = epoch(*kept, samples, turn);
      const long all = epoch(*fresh, std::make_shared<DataSet>(*samples), turn);
      const std::string where = "turn " + std::to_string(turn) + ": " + std::to_string(sent);
      CHECK_MESSAGE(same(all_of(*kept, {}), all_of(*fresh, {})), where);
      CHECK_MESSAGE(all >= 5 * 90 * 2 * 8, std::to_string(all));
      if (!room) leave_memory(16000);  // more than the data need, which may take a quarter
      if (turn > 1) CHECK_MESSAGE(room ? sent < 2000 : sent >= 5 * 90 * 2 * 8, where);
    }
    leave_memory(kMuchMemory);
  }
}

// What is free on a card and what its copies of data take is there for a larger batch.
TEST(data_on_the_card_make_way_for_a_larger_batch) {
  if (!stands_in()) return;
  const Config spec = model({64}, {dense("d", "input", 64, 2, "tanh")}, "d");
  const auto samples =
      data(array({2000, 64}, noise(2000 * 64, 3)), array({2000, 2}, noise(4000, 4)));
  const auto sent_by = [&](Plan& plan, int64_t batch_size) {
    const long before = counted("stand_in_sent");
    run(plan, Mode::kTrain, samples, batch_size);
    return counted("stand_in_sent") - before;
  };
  const auto kept = plan_of(spec, true), fresh = plan_of(spec, true);
  for (const auto* plan : {&kept, &fresh}) {
    sent_by(**plan, 10), sent_by(**plan, 10);
    CHECK(sent_by(**plan, 10) < 2000 * 64 * 8 / 2);  // they are there
  }
  leave_memory(30 << 10);  // less than 200 rows of 64 numbers
  const long sent = sent_by(*kept, 200);
  leave_memory(kMuchMemory);
  CHECK_MESSAGE(sent >= 2000 * 64 * 8, std::to_string(sent));
  sent_by(*fresh, 200);
  CHECK(same(all_of(*kept, {}), all_of(*fresh, {})));
}

// The stand-in driver itself: what a graph holds is what was asked for when it was recorded.
TEST(the_stand_in_driver_records_as_a_driver_does) {
  if (!stands_in()) return;
  const CudaDriver& driver = *cuda_driver(nullptr);
  CardQueue queue(Card::open(0));
  float* const x = static_cast<float*>(queue.allocate(4));
  for (int turn = 0; turn < 5; turn++) {
    queue.repeated({1}, [&] { queue.fill(x, turn, 1); });
    float got = -1;
    queue.download(&got, x, 4);
    CHECK_MESSAGE(got == std::min(turn, 2), std::to_string(got));
  }
  void* stream = nullptr;
  driver.cuStreamCreate(&stream, 1);
  const auto spoils = [&](const std::function<int()>& call) {
    void* graph = nullptr;
    CHECK(driver.cuStreamBeginCapture_v2(stream, 1) == 0);
    const int result = call();
    const int ended = driver.cuStreamEndCapture(stream, &graph);
    CHECK((graph != nullptr) == (ended == 0) && (result == 0) == (ended == 0));
    if (graph) driver.cuGraphDestroy(graph);
    return ended != 0;
  };
  CudaAddress memory = 0;
  void* pinned = nullptr;
  const CudaAddress there = CudaAddress(reinterpret_cast<uintptr_t>(x));
  CHECK(!spoils([&] { return driver.cuMemsetD8Async(there, 0, 4, stream); }));
  CHECK(spoils([&] { return driver.cuStreamSynchronize(stream); }));
  CHECK(spoils([&] { return driver.cuMemAlloc_v2(&memory, 4); }));
  CHECK(spoils([&] { return driver.cuMemFree_v2(there); }));
  CHECK(spoils([&] { return driver.cuMemAllocHost_v2(&pinned, 4); }));
  CHECK(spoils([&] { return driver.cuMemsetD8Async(there, 0, 4, nullptr); }));
  CHECK(spoils([&] { return driver.cuMemcpyHtoDAsync_v2(there, &memory, 4, stream); }));
  driver.cuStreamDestroy_v2(stream);
  queue.release(x);
}

}  // namespace test
}  // namespace hs
