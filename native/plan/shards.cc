// A batch that several ranks share out (decision 0053). It is cut into shards whose number does not
// depend on how many ranks there are; each goes forward and backward by itself, and what comes of
// them is added up in one tree: [a, b) is [a, m) + [m, b), here as far as a node of it is ours,
// then by the team. After that all ranks do the same: penalties, finite?, update.
#include "plan/shards.h"

#include <algorithm>

#include "base/error.h"
#include "plan/array.h"
#include "plan/typed_plan.h"

namespace hs {
namespace {

constexpr size_t kDeep = 32;  // no tree of ours is deeper

int64_t begin_of(int64_t rows, int64_t shard, int64_t shards) { return rows * shard / shards; }

bool in(const Bucket& bucket, const Param& p) {
  return p.offset >= bucket.begin && p.offset < bucket.end;
}

}  // namespace

// ready: as Graph::backward() takes it.
template <typename real>
void TypedPlan<real>::run_shard(const RunRequest& r, Mode what, const Batch& whole, int shard,
                                const typename Graph<real>::Ready* ready) {
  const bool learns = what == Mode::kTrain;
  int64_t rows = whole.rows, shards = r.team->shards(), before = 0;
  if (r.whole > 0) {  // our rows are cut into our shards
    const std::vector<TreeSum::Node>& ours = r.team->ours();
    rows = r.order.empty() ? r.data->samples : int64_t(r.order.size());
    shards = ours.back().end - ours.front().first;
    shard -= ours.front().first;
    before = r.before;
  }
  const int64_t begin = begin_of(rows, shard, shards);
  rows = begin_of(rows, shard + 1, shards) - begin;
  std::vector<double>& parts = shards_->parts;
  parts.assign(size_t(losses_.parts() + 1), 0.0);
  if (rows == 0) {
    if (learns) device_->zero(params_.grads(), params_.trained_size() * int64_t(sizeof(real)));
    for (const Param& p : params_.list())
      if (learns && p.rows) std::fill(p.rows->written.begin(), p.rows->written.end(), char(0));
    return;
  }
  bind(r, rows);
  const Batch batch{whole.first + begin, rows, whole.order ? whole.order + begin : nullptr};
  double work = 0;
  for (int i = 0; i < graph_.inputs(); i++) work += double(graph_.input(i).extent.size());
  const DropoutKey key{static_cast<uint64_t>(seed_), static_cast<uint64_t>(step_), before + begin,
                       whole.rows};
  device_->batch(int(r.mode), work, [&] {
    prepare_batch(r.mode, *r.data, batch);
    graph_.forward(TypedPlan::learns(what), key, true);
    losses_.shard_value(graph_, rows, whole.rows, parts.data());
    if (graph_.has_activity()) {
      graph_.activity_penalty(number(kActivity));
      device_->download(&parts.back(), number(kActivity), sizeof(double));
    }
    if (learns && graph_.learns()) {
      losses_.gradient(graph_, shards_->factors.empty() ? nullptr : shards_->factors.data());
      graph_.backward(number(kActivity), ready);
    }
  });
  if (what != Mode::kGradient) graph_.packed_are_current();  // without backward, some are not
}

// The sum of a node of ours, in the place of a shard's.
template <typename real>
void TypedPlan<real>::add_up(const RunRequest& r, Mode what, const Batch& batch, TreeSum::Node node,
                             size_t depth) {
  if (node.end - node.first == 1) return run_shard(r, what, batch, node.first, nullptr);
  add_up(r, what, batch, {node.first, node.middle()}, depth + 1);
  keep_shard(depth, what == Mode::kTrain);
  add_up(r, what, batch, {node.middle(), node.end}, depth + 1);
  add_parts(depth);
  if (what == Mode::kTrain) add_kept(depth, {0, params_.trained_size()});
}

// The right half of a node, which is in its place, becomes the node: the left one is added.
template <typename real>
void TypedPlan<real>::add_parts(size_t depth) {
  const std::vector<double>& left = shards_->kept[depth]->parts;
  std::vector<double>& parts = shards_->parts;
  for (size_t i = 0; i < parts.size(); i++) parts[i] = left[i] + parts[i];
}

template <typename real>
void TypedPlan<real>::add_kept(size_t depth, const Bucket& bucket) {
  const ShardValue<real>& left = *shards_->kept[depth];
  device_->add(params_.grads() + bucket.begin, left.grads.data() + bucket.begin,
               bucket.end - bucket.begin);
  auto from = left.rows.begin();
  for (const Param& p : params_.list()) {
    if (!by_rows(p)) continue;
    for (char& written : p.rows->written) {
      const char there = *from++;
      if (in(bucket, p)) written |= there;
    }
  }
}

template <typename real>
void TypedPlan<real>::keep_shard(size_t i, bool learns) {
  auto& kept = shards_->kept;
  while (kept.size() <= i) kept.push_back(std::make_unique<ShardValue<real>>(*device_));
  ShardValue<real>& value = *kept[i];
  value.parts = shards_->parts;
  if (!learns) return;
  value.rows.clear();
  for (const Param& p : params_.list())
    if (by_rows(p))
      value.rows.insert(value.rows.end(), p.rows->written.begin(), p.rows->written.end());
  const int64_t n = params_.trained_size();
  value.grads.reserve(n);
  device_->copy(value.grads.data(), params_.grads(), n * int64_t(sizeof(real)));
}

// Cut where gradients are ready, but into no smaller ones than kBucket bytes: each is one sum, and
// begins with a meeting.
template <typename real>
std::vector<Bucket> TypedPlan<real>::buckets() const {
  constexpr int64_t kBucket = 256 * 1024;
  std::vector<Bucket> all;
  int64_t end = params_.trained_size();
  for (const int64_t from : graph_.ready_places()) {
    if ((end - from) * int64_t(sizeof(real)) < kBucket) continue;
    all.push_back({from, end});
    end = from;
  }
  if (end > 0 || all.empty()) all.push_back({0, end});
  return all;
}

// Gradients from place `from` on are those of our last shard. What we have added up to its left is
// added, and the team gets them. With the first of them go the parts of losses.
template <typename real>
void TypedPlan<real>::hand_over(Team& team, Handing& h, int64_t from) {
  const size_t blocks = team.ours().size();
  const auto value = [&](size_t block) -> ShardValue<real>* {  // nullptr: of the last, in its place
    return block + 1 == blocks ? nullptr : shards_->kept[kDeep + block].get();
  };
  for (; h.next < h.buckets.size() && h.buckets[h.next].begin >= from; h.next++) {
    const Bucket& bucket = h.buckets[h.next];
    std::vector<Segment> segments;
    std::vector<std::vector<void*>> values(blocks);
    const auto add = [&](const Segment& segment, const auto& of_block) {
      segments.push_back(segment);
      for (size_t b = 0; b < blocks; b++) values[b].push_back(of_block(value(b)));
    };
    const auto add_gradients = [&](int64_t begin, int64_t end, int flags) {
      if (begin == end) return;
      add({sizeof(real) == 8 ? Addend::kDouble : Addend::kFloat, end - begin, flags},
          [&](auto* kept) { return (kept ? kept->grads.data() : params_.grads()) + begin; });
    };
    if (h.next == 0) {
      for (size_t d = h.depth; d-- > 0;) add_parts(d);
      add({Addend::kDouble, int64_t(shards_->parts.size())},
          [&](auto* kept) { return (kept ? kept->parts : shards_->parts).data(); });
    }
    if (bucket.begin < bucket.end)
      for (size_t d = h.depth; d-- > 0;) add_kept(d, bucket);
    int64_t added = bucket.begin;
    size_t before = 0;  // rows of parameters
    for (const Param& p : params_.list()) {
      if (!by_rows(p)) continue;
      if (in(bucket, p)) {
        add_gradients(added, p.offset, -1);
        const int flags = int(segments.size());
        add({Addend::kBits, p.rows->rows},
            [&](auto* kept) { return kept ? kept->rows.data() + before : p.rows->written.data(); });
        add_gradients(p.offset, p.offset + p.size, flags);
        added = p.offset + aligned(p.size);
      }
      before += p.rows->written.size();
    }
    add_gradients(added, bucket.end, -1);
    team.start(h.place, std::move(segments), std::move(values));
  }
}

// Our shards, one by one, and the sum over all ranks: while the last of ours goes backward, what is
// ready of its gradients is on its way.
template <typename real>
void TypedPlan<real>::sum_shards(const RunRequest& r, Mode what, const Batch& batch) {
  const bool learns = what == Mode::kTrain;
  Team& team = *r.team;
  const std::vector<TreeSum::Node>& ours = team.ours();
  for (size_t b = 0; b + 1 < ours.size(); b++) {
    add_up(r, what, batch, ours[b], 0);
    keep_shard(kDeep + b, learns);
  }
  TreeSum::Node node = ours.back();
  size_t depth = 0;
  for (; node.end - node.first > 1; depth++, node.first = node.middle()) {
    add_up(r, what, batch, {node.first, node.middle()}, depth + 1);
    keep_shard(depth, learns);
  }
  // What all have alike: the mark and the seed of this training, and which batch it is; of a test,
  // whose runs all begin at one place in its data, the first of its samples.
  const bool trains = TypedPlan::learns(what);
  const uint64_t at = trains ? static_cast<uint64_t>(step_) : uint64_t(batch.first);
  const uint64_t of = r.mark ^ (trains ? static_cast<uint64_t>(seed_) : 0);
  const uint64_t place = of << 32 | (at & 0xffffffffu);
  Handing handing{place, depth, learns ? shards_->buckets : std::vector<Bucket>{{0, 0}}};
  const auto hand = [&](int64_t from) { hand_over(team, handing, from); };
  const typename Graph<real>::Ready ready(hand);
  try {
    run_shard(r, what, batch, node.first, &ready);
    hand(0);
  } catch (...) {
    team.finish();  // where others have failed before us, that is what is to be told
    throw;
  }
  team.finish();
}

template <typename real>
void TypedPlan<real>::shared_batch(const RunRequest& r, const Batch& batch, RunResult& result) {
  const bool learns = r.mode == Mode::kTrain;
  if (!shards_) shards_ = std::make_unique<Shards<real>>(Shards<real>{{}, buckets(), {}, {}});
  // One loss alone is multiplied by its factor afterwards. Several, and one beside an activity
  // penalty, are not all multiplied alike: a pass before tells the factors.
  std::vector<double>& factors = shards_->factors;
  factors.clear();
  if (learns && losses_.divided(graph_) && (graph_.outputs() > 1 || graph_.has_activity())) {
    sum_shards(r, Mode::kGradient, batch);
    factors = losses_.whole_factors(shards_->parts.data());
  }
  sum_shards(r, r.mode, batch);

  std::vector<double>& read = numbers_read_;
  const int logs = losses_.logs();
  read.assign(size_t(numbers_.size()), 0.0);
  losses_.whole_value(graph_, batch.rows, shards_->parts.data(), &read[kLoss],
                      &read[size_t(kLoss + logs)]);
  read[kActivity] = shards_->parts.back();
  read[kFinite] = 1;
  device_->upload(numbers_.data(), read.data(), numbers_.bytes());
  const double factor = factors.empty() ? losses_.whole_factors(shards_->parts.data())[0] : 1;
  if (learns && factor != 1) device_->scale(params_.grads(), factor, params_.trained_size());
  result.last.resize(size_t(logs));
  params_.penalties(number(kPenalty), learns);
  device_->total(number(kLoss), number(kPenalty), number(kActivity), number(kFinite));
  if (learns) {
    params_.check_gradients(number(kFinite));
    device_->change();
    update_.apply(params_, number(kFinite));
  }
  settle(r, batch, result);
}

#define HS_INSTANTIATE(real) \
  template void TypedPlan<real>::shared_batch(const RunRequest&, const Batch&, RunResult&);
HS_INSTANTIATE(float)
HS_INSTANTIATE(double)
#undef HS_INSTANTIATE

}  // namespace hs
