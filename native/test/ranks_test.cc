// Trainings that ranks share out while they compute: threads for ranks, a plan each.
#include <cstring>

#include "base/error.h"
#include "test/card.h"
#include "test/plan_spec.h"
#include "test/test.h"
#include "test/thread_ranks.h"
#include "world/world_team.h"

namespace hs {
namespace test {
namespace {

constexpr int kShards = 6, kBatches = 3;
constexpr int64_t kRows = 7;  // of a batch: one shard of 6 has two, and of 5 rows one has none

// Words -> embedding -> LSTM -> LSTM -> dense. Each LSTM is a bucket in doubles, the embedding and
// the dense layer go with the next one.
Config deep() {
  Config embedding =
      op("embedding", "e", {"input"}, "e",
         tree({{"inputDim", number(9)}, {"outputDim", number(64)}}), {param("W", {9, 64})});
  Config first = lstm("first", "e", 64, 64, false), second = lstm("second", "first", 64, 64, false);
  first.tree["options"].tree["returnSequences"] = flag(true);
  return model({3}, {embedding, first, second, dense("out", "second", 64, 1, "tanh")}, "out");
}

std::shared_ptr<const DataSet> words() {
  constexpr int64_t n = kRows * (kBatches - 1) + 5;
  std::vector<double> ids;
  for (int64_t i = 0; i < n * 3; i++) ids.push_back(double(i * i % 7));
  return data(array({n, 3}, ids), array({n, 1}, noise(size_t(n), 2)));
}

RunResult trained(Plan& plan, std::shared_ptr<Team> team) {
  RunRequest request;
  request.mode = Mode::kTrain;
  request.data = words();
  request.batch_size = kRows;
  request.team = std::move(team);
  const std::atomic<bool> never{false};
  return plan.run(request, never);
}

std::vector<double> weights(const Plan& plan) {
  std::vector<double> all;
  for (const char* name : {"e/W", "first/W", "first/U", "first/b", "second/W", "second/U",
                           "second/b", "out/W", "out/b"}) {
    const Array array = plan.read(name);
    all.insert(all.end(), array.f64.begin(), array.f64.end());
  }
  return all;
}

bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
}

struct Rank {
  std::shared_ptr<World> world;
  std::unique_ptr<Plan> plan;
};

// Each rank does it on a thread of its own, as the engine's thread does.
void on_ranks(int size, const std::function<void(Rank&)>& what) {
  Post post;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; rank++) {
    threads.emplace_back([&, rank] {
      TestThread messages;
      Rank own{
          std::make_shared<World>(messages, std::make_unique<ThreadTransport>(post, rank, size)),
          compile(deep())};
      fill(*own.plan);
      what(own);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Weights after a training, of each rank.
std::vector<std::vector<double>> trained_by(int size) {
  std::vector<std::vector<double>> all(static_cast<size_t>(size));
  on_ranks(size, [&](Rank& own) {
    trained(*own.plan, std::make_shared<WorldTeam>(own.world, kShards, "fit"));
    all[size_t(own.world->rank())] = weights(*own.plan);
  });
  return all;
}

// Does what another team does; at(n) is called before the n-th sum begins.
class Watched final : public Team {
 public:
  Watched(std::shared_ptr<Team> team, std::function<void(int)> at)
      : team_(std::move(team)), at_(std::move(at)) {}
  int shards() const override { return team_->shards(); }
  const std::vector<TreeSum::Node>& ours() const override { return team_->ours(); }
  void start(uint64_t place, std::vector<Segment> segments,
             std::vector<std::vector<void*>> values) override {
    at_(begun_++);
    team_->start(place, std::move(segments), std::move(values));
  }
  void finish() override { team_->finish(); }

 private:
  const std::shared_ptr<Team> team_;
  const std::function<void(int)> at_;
  int begun_ = 0;
};

}  // namespace

TEST(ranks_have_the_same_bits_whatever_their_number) {
  if (card_wanted()) return;  // compile({ distribute }) refuses cards
  const std::vector<double> alone = trained_by(1)[0];
  for (int size : {2, 3, 4, 6})
    for (const std::vector<double>& each : trained_by(size))
      CHECK_MESSAGE(same_bits(each, alone), std::to_string(size) + " ranks");
}

// A sum begins before the gradients of the layers below have been computed.
TEST(ranks_hand_gradients_over_while_they_go_backward) {
  if (card_wanted()) return;
  const auto plan = compile(deep());
  fill(*plan);
  const auto world = std::make_shared<World>(nullptr);
  std::vector<std::vector<double>> above, below;  // at each sum
  const auto team =
      std::make_shared<Watched>(std::make_shared<WorldTeam>(world, 1, "fit"), [&](int) {
        above.push_back(plan->read("second/U:grad").f64);
        below.push_back(plan->read("first/U:grad").f64);
      });
  trained(*plan, team);
  CHECK(above.size() == 3 * kBatches);
  for (size_t i = 0; i < above.size(); i += 3) {
    CHECK(same_bits(above[i], above[i + 2]));
    CHECK(!same_bits(below[i], below[i + 1]) && same_bits(below[i + 1], below[i + 2]));
  }
}

// Rank 1 fails between two sums of the second batch. All learn it, nothing has changed by that
// batch, and all can go on.
TEST(ranks_that_fail_halfway_through_a_batch_are_noticed) {
  if (card_wanted()) return;
  std::vector<std::vector<double>> after(3), later(3);
  on_ranks(3, [&](Rank& own) {
    const int rank = own.world->rank();
    const auto team = std::make_shared<WorldTeam>(own.world, kShards, "fit");
    const auto failing = std::make_shared<Watched>(team, [&](int n) {
      if (rank == 1 && n == 4) throw Error(Code::kOutOfMemory, "first", "there is no memory.");
    });
    if (rank == 1) {
      CHECK_ERROR(trained(*own.plan, failing), Code::kOutOfMemory, "no memory");
      own.world->together([&] { own.world->fail({"fit"}, "has failed: no memory"); });
    } else {
      CHECK_ERROR(trained(*own.plan, failing), Code::kRank, "rank 1 of 3 has failed: no memory");
    }
    after[size_t(rank)] = weights(*own.plan);
    trained(*own.plan, team);
    later[size_t(rank)] = weights(*own.plan);
  });
  std::vector<double> one_batch;
  {
    const auto plan = compile(deep());
    fill(*plan);
    RunRequest request;
    request.mode = Mode::kTrain;
    request.data = words();
    request.batch_size = kRows;
    request.max_batches = 1;
    request.team = std::make_shared<WorldTeam>(std::make_shared<World>(nullptr), kShards, "fit");
    plan->run(request, std::atomic<bool>{false});
    one_batch = weights(*plan);
  }
  for (const std::vector<double>& each : after) CHECK(same_bits(each, one_batch));
  for (const std::vector<double>& each : later)
    CHECK(same_bits(each, later[0]) && !same_bits(each, one_batch));
}

}  // namespace test
}  // namespace hs
