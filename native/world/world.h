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
#include "world/tree_sum.h"

namespace hs {

class World {
 public:
  // All ranks; mpi nullptr: one, without MPI.
  explicit World(Mpi* mpi);
  // Those of `members`, ranks of MPI in this world's order, of which this process is one. id: from
  // 1, another one for each world.
  World(Mpi& mpi, std::vector<int> members, int id);
  // Without MPI: ranks between which a transport goes, on a thread.
  World(TaskThread& thread, std::unique_ptr<Transport>);

  int rank() const { return rank_; }
  int size() const { return int(members_.size()); }
  Mpi* mpi() const { return mpi_; }
  TaskThread* thread() const { return thread_; }  // that talks to others; nullptr: there are none
  const std::vector<int>& members() const { return members_; }

  // The rest is done on that thread, if there is one: within a task.

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

  // Does it on the thread and waits; without one, at once.
  void together(const std::function<void()>& what);

 private:
  class Members;
  struct Said;
  static Said said(const Call&);
  void roll_call(const Said&);
  std::string say(int rank) const;

  Mpi* const mpi_;
  TaskThread* const thread_;
  const std::vector<int> members_;
  const int id_;
  int rank_ = 0;
  std::unique_ptr<Transport> transport_;
  TreeSum by_rank_;
  std::string reason_;  // of fail()
};

}  // namespace hs
