// Batches that a team shares out, of one rank: shards of them, folded, against the whole.
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "test/card.h"
#include "test/plan_spec.h"
#include "test/test.h"
#include "world/team.h"

namespace hs {
namespace test {
namespace {

class Alone final : public Team {
 public:
  explicit Alone(int shards) : shards_(shards), tree_(0, 1, shards) {}
  int shards() const override { return shards_; }
  const std::vector<TreeSum::Node>& ours() const override { return tree_.blocks(); }
  void start(uint64_t, std::vector<Segment>, std::vector<std::vector<void*>>) override { sums++; }
  void finish() override { waits++; }
  int sums = 0, waits = 0;

 private:
  const int shards_;
  const TreeSum tree_;
};

// A quarter of what the shards are is not computed, as if another rank had not come.
class Short final : public Team {
 public:
  int shards() const override { return 4; }
  const std::vector<TreeSum::Node>& ours() const override { return ours_; }
  void start(uint64_t, std::vector<Segment>, std::vector<std::vector<void*>> values) override {
    CHECK(values.size() == 1);
  }
  void finish() override {}

 private:
  const std::vector<TreeSum::Node> ours_ = {{0, 3}};
};

// input [T, 2] -> dropout -> LSTM with dropout -> dense
Config dropping() {
  Config first = op("dropout", "drop", {"input"}, "drop", tree({{"p", number(0.4)}}));
  Config cell = lstm("lstm", "drop", 2, 3, false);
  cell.tree["options"].tree["dropoutW"] = number(0.3);
  cell.tree["options"].tree["dropoutU"] = number(0.3);
  return model({4, 2}, {first, cell, dense("out", "lstm", 3, 1, "tanh")}, "out");
}

// input [T] of words -> embedding with a mask -> dense, and its mask reaches the loss
Config masked() {
  Config embedding =
      op("embedding", "e", {"input"}, "e",
         tree({{"inputDim", number(5)}, {"outputDim", number(3)}, {"maskZero", flag(true)}}),
         {param("W", {5, 3})});
  embedding.tree["maskOut"] = text("e/mask");
  Config spec = model({4}, {embedding, dense("out", "e", 3, 1, "tanh")}, "out");
  output_of(spec)["mask"] = text("e/mask");
  return spec;
}

std::shared_ptr<const DataSet> series(int64_t n, Array weights = {}) {
  return data(array({n, 4, 2}, noise(size_t(n) * 8, 1)), array({n, 1}, noise(size_t(n), 2)),
              std::move(weights));
}

std::shared_ptr<const DataSet> words(int64_t n) {
  std::vector<double> ids;
  for (int64_t i = 0; i < n * 4; i++) ids.push_back(double(i * i % 5));
  return data(array({n, 4}, ids), array({n, 4, 1}, noise(size_t(n) * 4, 2)));
}

RunResult trained(Plan& plan, std::shared_ptr<const DataSet> set, std::shared_ptr<Team> team,
                  int64_t batch_size, Mode mode = Mode::kTrain) {
  RunRequest request;
  request.mode = mode;
  request.data = std::move(set);
  request.batch_size = batch_size;
  request.team = std::move(team);
  const std::atomic<bool> never{false};
  return plan.run(request, never);
}

struct Compared {
  double weights = 0, loss = 0;  // largest differences
};

// Trains one plan as it is and another one with a team.
Compared compared(const Config& spec, const std::shared_ptr<const DataSet>& set,
                  std::shared_ptr<Team> team, int64_t batch_size) {
  const auto alone = compile(spec), shared = compile(spec);
  fill(*alone), fill(*shared);
  Compared c;
  for (int epoch = 0; epoch < 2; epoch++) {
    for (const Mode mode : {Mode::kTrain, Mode::kTest}) {
      const RunResult a = trained(*alone, set, nullptr, batch_size, mode),
                      b = trained(*shared, set, team, batch_size, mode);
      CHECK(a.batches == b.batches && a.samples == b.samples && a.counted == b.counted);
      CHECK(a.bad_batches == b.bad_batches);
      c.loss = std::max(c.loss, std::fabs(a.sums[0] - b.sums[0]));
    }
  }
  for (const std::string& name : alone->names()) {
    if (name.find('/') == std::string::npos || name.find(':') != std::string::npos) continue;
    const Array a = alone->read(name), b = shared->read(name);
    if (name.find("/W") == std::string::npos && name.find("/b") == std::string::npos) continue;
    for (size_t i = 0; i < a.f64.size(); i++)
      c.weights = std::max(c.weights, std::fabs(a.f64[i] - b.f64[i]));
  }
  return c;
}

}  // namespace

TEST(shards_one_is_the_batch_itself) {
  const Compared c = compared(dropping(), series(10), std::make_shared<Alone>(1), 4);
  CHECK(c.weights == 0 && c.loss == 0);
}

// With 1e-12: what doubles differ by when they are added up in another order.
TEST(shards_add_up_to_the_batch) {
  if (card_wanted()) return;         // compile({ distribute }) refuses cards
  for (int shards : {2, 3, 4, 8}) {  // batches of 4 and of 2 rows: some shards have none
    const std::string many = std::to_string(shards) + " shards";
    for (const Compared& c :
         {compared(dropping(), series(10), std::make_shared<Alone>(shards), 4),
          compared(dropping(), series(10, array({10}, {1, 0, 2, 1, 0, 0, 1, 3, 1, 1})),
                   std::make_shared<Alone>(shards), 4),
          compared(masked(), words(10), std::make_shared<Alone>(shards), 4)}) {
      CHECK_MESSAGE(c.weights < 1e-12, many + " " + std::to_string(c.weights));
      CHECK_MESSAGE(c.loss < 1e-12, many + " " + std::to_string(c.loss));
    }
  }
}

TEST(shards_that_are_missing_are_noticed) {
  CHECK(compared(dropping(), series(12), std::make_shared<Short>(), 4).weights > 1e-3);
}

TEST(shards_meet_once_a_batch) {
  const auto plan = compile(dropping());
  fill(*plan);
  const auto team = std::make_shared<Alone>(4);
  trained(*plan, series(10), team, 4);
  CHECK(team->sums == 3 && team->waits == 3);
}

TEST(shards_of_a_batch_that_is_not_finite_change_nothing) {
  const auto plan = compile(dropping());
  fill(*plan);
  const Array before = plan->read("out/W");
  auto set = std::make_shared<DataSet>(*series(4));
  set->x[0].f64[9] = NAN;
  const RunResult result = trained(*plan, set, std::make_shared<Alone>(4), 4);
  CHECK(result.bad_batches == 1 && std::isnan(result.last[0]));
  CHECK(result.bad_number.array == "x0" && result.bad_number.sample == 1);
  CHECK(plan->read("out/W").f64 == before.f64);
}

TEST(shards_with_nothing_to_take_a_mean_of) {
  if (card_wanted()) return;  // compile({ distribute }) refuses cards
  const auto plan = compile(dropping());
  fill(*plan);
  const auto set = series(4, array({4}, {0, 0, 0, 0}));
  const RunResult result = trained(*plan, set, std::make_shared<Alone>(4), 4);
  CHECK(result.bad_batches == 1 && result.bad_nothing == "weights" && result.counted[0] == 0);
}

}  // namespace test
}  // namespace hs
