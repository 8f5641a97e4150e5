// A training or a test of one plan, by the ranks of a world.
#pragma once
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "world/team.h"
#include "world/world.h"

namespace hs {

class WorldTeam final : public Team {
 public:
  // rounds: gradients of floats go from rank to rank as bfloat16.
  WorldTeam(std::shared_ptr<World> world, int shards, std::string call, bool rounds = false);
  // Whether it was made with these.
  bool is(int shards, const std::string& call, bool rounds) const {
    return shards == shards_ && call == sums_->call && rounds == rounds_;
  }

  int shards() const override { return shards_; }
  const std::vector<TreeSum::Node>& ours() const override { return sums_->tree.blocks(); }
  void start(uint64_t place, std::vector<Segment>, std::vector<std::vector<void*>> values) override;
  void finish() override;

 private:
  class Sum;
  struct Sums {  // what has begun and what is on its way; lives as long as one of them
    Sums(std::shared_ptr<World> w, int shards, std::string c)
        : world(std::move(w)), call(std::move(c)), tree(world->rank(), world->size(), shards) {}
    const std::shared_ptr<World> world;
    const std::string call;
    TreeSum tree;
    std::mutex mutex;
    std::condition_variable changed;
    int open = 0;
    std::exception_ptr failed;  // the first that has; those after it are not done
  };
  const int shards_;
  const bool rounds_;
  const std::shared_ptr<Sums> sums_;
};

}  // namespace hs
