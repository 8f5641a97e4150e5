#include "world/world.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace hs {
namespace {

constexpr int kTags = 8;  // beats, and room; a world's own tag comes after them
constexpr size_t kReason = 1024;

std::vector<int> up_to(int n) {
  std::vector<int> all(static_cast<size_t>(n));
  for (int i = 0; i < n; i++) all[size_t(i)] = i;
  return all;
}

int place_of(Mpi* mpi, const std::vector<int>& members) {
  const int rank = mpi ? mpi->rank() : 0;
  return int(std::find(members.begin(), members.end(), rank) - members.begin());
}

}  // namespace

class World::Members final : public Transport {
 public:
  Members(Mpi& mpi, const std::vector<int>& members, int rank, int tag)
      : mpi_(mpi), members_(members), rank_(rank), tag_(tag) {}
  int rank() const override { return rank_; }
  int size() const override { return int(members_.size()); }
  void transfer(const std::vector<Transfer>& all) override {
    std::vector<Transfer> of_mpi = all;
    for (Transfer& t : of_mpi) t.peer = members_[size_t(t.peer)];
    mpi_.transfer(of_mpi, tag_);
  }

 private:
  Mpi& mpi_;
  const std::vector<int>& members_;
  const int rank_, tag_;
};

struct World::Said {
  char call[55];
  char fails;  // 1: it does
  uint64_t place;
};

World::World(Mpi* mpi)
    : mpi_(mpi),
      thread_(mpi),
      members_(up_to(mpi ? mpi->size() : 1)),
      id_(0),
      rank_(place_of(mpi, members_)),
      by_rank_(rank_, int(members_.size()), int(members_.size())) {
  if (mpi) transport_ = std::make_unique<Members>(*mpi, members_, rank_, kTags);
}

World::World(Mpi& mpi, std::vector<int> members, int id)
    : mpi_(&mpi),
      thread_(&mpi),
      members_(std::move(members)),
      id_(id),
      rank_(place_of(&mpi, members_)),
      by_rank_(rank_, int(members_.size()), int(members_.size())) {
  transport_ = std::make_unique<Members>(mpi, members_, rank_, kTags + id);
}

World::World(TaskThread& thread, std::unique_ptr<Transport> transport)
    : mpi_(nullptr),
      thread_(&thread),
      members_(up_to(transport->size())),
      id_(0),
      rank_(transport->rank()),
      transport_(std::move(transport)),
      by_rank_(rank_, size(), size()) {}

void World::together(const std::function<void()>& what) {
  if (thread_) return thread_->run(what);
  what();
}

void World::sum(TreeSum& tree, const std::vector<Segment>& segments,
                const std::vector<std::vector<void*>>& values) {
  if (size() > 1) tree.sum(*transport_, segments, values);
}

std::string World::say(int rank) const {
  return "rank " + std::to_string(rank) + " of " + std::to_string(size());
}

void World::roll_call(const Said& own) {
  if (size() == 1) return;
  static_assert(sizeof(Said) == 64, "no padding: what is compared is all bytes");
  std::vector<Said> said(members_.size());
  std::memset(said.data(), 0, said.size() * sizeof(Said));
  said[size_t(rank_)] = own;
  sum(by_rank_, {{Addend::kBits, int64_t(said.size() * sizeof(Said))}}, {{said.data()}});
  const auto fails = [](const Said& s) { return s.fails != 0; };
  const auto first = std::find_if(said.begin(), said.end(), fails);
  if (first != said.end()) {
    std::vector<char> reasons(members_.size() * kReason);
    if (own.fails) std::copy(reason_.begin(), reason_.end(), &reasons[size_t(rank_) * kReason]);
    sum(by_rank_, {{Addend::kBits, int64_t(reasons.size())}}, {{reasons.data()}});
    const int rank = int(first - said.begin());
    throw Error(Code::kRank, first->call, say(rank) + " " + &reasons[size_t(rank) * kReason]);
  }
  for (size_t i = 0; i < said.size(); i++) {
    if (std::memcmp(&said[i], &said[0], sizeof(Said)) == 0) continue;
    const bool same = std::strcmp(said[i].call, said[0].call) == 0;
    const auto batch = [&](size_t rank) { return said[rank].place & 0xffffffff; };
    if (same && batch(i) == batch(0)) {
      throw Error(Code::kRank, own.call,
                  "all ranks must have the same data, seed and settings of the optimizer, but " +
                      say(0) + " and " + say(int(i)) + " differ.");
    }
    const auto place = [&](size_t rank) {
      return say(int(rank)) + " is at '" + said[rank].call + "'" +
             (same ? ", place " + std::to_string(batch(rank)) : "");
    };
    throw Error(Code::kRank, own.call,
                "all ranks must make the same calls, but " + place(0) + " and " + place(i) + ".");
  }
}

World::Said World::said(const Call& call) {
  Said own;
  std::memset(&own, 0, sizeof(own));
  std::memcpy(own.call, call.name.data(), std::min(call.name.size(), sizeof(own.call) - 1));
  return own;
}

void World::meet(const Call& call) {
  Said own = said(call);
  own.place = call.place;
  roll_call(own);
}

void World::fail(const Call& call, const std::string& why) {
  Said own = said(call);
  own.fails = 1;
  reason_ = why.substr(0, kReason - 1);
  try {
    roll_call(own);
  } catch (const Error&) {  // that is what the others get
  }
}

std::vector<std::string> World::gather(const std::string& own) {
  std::vector<int64_t> lengths(members_.size());
  lengths[size_t(rank_)] = int64_t(own.size());
  sum(by_rank_, {{Addend::kBits, int64_t(lengths.size() * sizeof(int64_t))}}, {{lengths.data()}});
  int64_t total = 0, before = 0;
  for (size_t i = 0; i < lengths.size(); i++) {
    if (int(i) < rank_) before += lengths[i];
    total += lengths[i];
  }
  std::string all(size_t(total), '\0');
  std::copy(own.begin(), own.end(), all.begin() + before);
  if (total > 0) sum(by_rank_, {{Addend::kBits, total}}, {{all.data()}});
  std::vector<std::string> each;
  size_t at = 0;
  for (const int64_t length : lengths) {
    each.push_back(all.substr(at, size_t(length)));
    at += size_t(length);
  }
  return each;
}

void World::spread(void* bytes, int64_t n) {
  if (size() == 1 || n == 0) return;
  if (rank_ != 0) std::memset(bytes, 0, size_t(n));
  sum(by_rank_, {{Addend::kBits, n}}, {{bytes}});
}

}  // namespace hs
