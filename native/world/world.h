// Ranks that do something together: all of MPI's, or a part of them. Every meeting begins with a
// roll call: each says what it is about to do, or why it cannot. So those who are at different
// calls, and those whose neighbour has failed, learn it, each with an Error(kRank), and nobody
// waits for one who will not come.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "world/mpi.h"
#include "world/team.h"

namespace hs {

class World {
 public:
  // All ranks; mpi nullptr: one, without MPI.
  explicit World(Mpi* mpi);
  // Those of `members`, ranks of MPI in this world's order, of which this process is one. id: from
  // 1, another one for each world.
  World(Mpi& mpi, std::vector<int> members, int id);

  int rank() const { return rank_; }
  int size() const { return int(members_.size()); }
  Mpi* mpi() const { return mpi_; }
  const std::vector<int>& members() const { return members_; }

  // The rest is done on MPI's thread, if there is MPI: within a task.

  // What is said: a call, and where in it; the lower half of `place` is a number that messages
  // tell. Throws Error(kRank) unless all say the same.
  struct Call {
    std::string name;
    uint64_t place = 0;
  };
  void meet(const Call&);
  // Says that we have failed, when the others meet next. Does not throw for that.
  void fail(const Call&, const std::string& why);
  // After meet(). Of each rank its bytes.
  std::vector<std::string> gather(const std::string& own);
  // After meet(). bytes [n]: those of rank 0.
  void spread(void* bytes, int64_t n);
  // After meet(). Over the leaves of a tree.
  void sum(TreeSum&, const std::vector<Segment>&, const std::vector<std::vector<void*>>& values);

  // Does it on MPI's thread and waits; without MPI, at once.
  void together(const std::function<void()>& what);

 private:
  class Members;
  struct Said;
  static Said said(const Call&);
  void roll_call(const Said&);
  std::string say(int rank) const;

  Mpi* const mpi_;
  const std::vector<int> members_;
  const int id_;
  int rank_ = 0;
  std::unique_ptr<Transport> transport_;
  TreeSum by_rank_;
  std::string reason_;  // of fail()
};

// A training or a test of one plan, by the ranks of a world.
class WorldTeam final : public Team {
 public:
  WorldTeam(std::shared_ptr<World> world, int shards, std::string call)
      : world_(std::move(world)),
        shards_(shards),
        call_(std::move(call)),
        tree_(world_->rank(), world_->size(), shards) {}

  int shards() const override { return shards_; }
  const std::vector<TreeSum::Node>& ours() const override { return tree_.blocks(); }
  void sum(uint64_t place, const std::vector<Segment>& segments,
           const std::vector<std::vector<void*>>& values) override {
    if (world_->size() == 1) return;
    world_->together([&] {
      world_->meet({call_, place});
      world_->sum(tree_, segments, values);
    });
  }

 private:
  const std::shared_ptr<World> world_;
  const int shards_;
  const std::string call_;
  TreeSum tree_;
};

}  // namespace hs
