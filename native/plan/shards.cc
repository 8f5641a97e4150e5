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

int64_t begin_of(int64_t rows, int64_t shard, int64_t shards) { return rows * shard / shards; }

}  // namespace

template <typename real>
void TypedPlan<real>::run_shard(const RunRequest& r, const Batch& whole, int shard) {
  const bool learns = r.mode == Mode::kTrain;
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
  parts.assign(size_t(losses_.parts()), 0.0);
  shards_->rows.clear();
  if (rows == 0) {
    if (learns) device_->zero(params_.grads(), params_.trained_size() * int64_t(sizeof(real)));
    for (const Param& p : params_.list())
      if (learns && p.rows) std::fill(p.rows->written.begin(), p.rows->written.end(), char(0));
  } else {
    bind(r, rows);
    const Batch batch{whole.first + begin, rows, whole.order ? whole.order + begin : nullptr};
    double work = 0;
    for (int i = 0; i < graph_.inputs(); i++) work += double(graph_.input(i).extent.size());
    const DropoutKey key{static_cast<uint64_t>(seed_), static_cast<uint64_t>(step_), before + begin,
                         whole.rows};
    device_->batch(int(r.mode), work, [&] {
      prepare_batch(r.mode, *r.data, batch);
      graph_.forward(learns, key, true);
      losses_.shard_value(graph_, rows, whole.rows, parts.data());
      if (learns && graph_.learns()) {
        losses_.gradient(graph_);
        graph_.backward(number(kActivity));
      }
    });
    graph_.packed_are_current();
  }
  for (const Param& p : params_.list()) {
    if (!learns || !p.rows || !params_.has_grad(p)) continue;
    shards_->rows.insert(shards_->rows.end(), p.rows->written.begin(), p.rows->written.end());
  }
}

// The sum of a node of ours, in the place of a shard's.
template <typename real>
void TypedPlan<real>::add_up(const RunRequest& r, const Batch& batch, TreeSum::Node node,
                             size_t depth) {
  if (node.end - node.first == 1) return run_shard(r, batch, node.first);
  add_up(r, batch, {node.first, node.middle()}, depth + 1);
  keep_shard(depth, r.mode == Mode::kTrain);
  add_up(r, batch, {node.middle(), node.end}, depth + 1);
  const ShardValue<real>& left = *shards_->kept[depth];
  std::vector<double>& parts = shards_->parts;
  for (size_t i = 0; i < parts.size(); i++) parts[i] = left.parts[i] + parts[i];
  for (size_t i = 0; i < left.rows.size(); i++) shards_->rows[i] |= left.rows[i];
  if (r.mode != Mode::kTrain) return;
  device_->add(params_.grads(), left.grads.data(), params_.trained_size());
  note_written_rows();
}

// The next backward pass makes the rows zero that are written now.
template <typename real>
void TypedPlan<real>::note_written_rows() {
  auto from = shards_->rows.begin();
  for (const Param& p : params_.list()) {
    if (!p.rows || !params_.has_grad(p)) continue;
    std::copy_n(from, p.rows->written.size(), p.rows->written.begin());
    from += std::ptrdiff_t(p.rows->written.size());
  }
}

template <typename real>
void TypedPlan<real>::keep_shard(size_t i, bool learns) {
  auto& kept = shards_->kept;
  while (kept.size() <= i) kept.push_back(std::make_unique<ShardValue<real>>(*device_));
  ShardValue<real>& value = *kept[i];
  value.parts = shards_->parts;
  value.rows = shards_->rows;
  if (!learns) return;
  const int64_t n = params_.trained_size();
  value.grads.reserve(n);
  device_->copy(value.grads.data(), params_.grads(), n * int64_t(sizeof(real)));
}

template <typename real>
void TypedPlan<real>::shared_batch(const RunRequest& r, const Batch& batch, RunResult& result) {
  const bool learns = r.mode == Mode::kTrain;
  if (!shards_) shards_ = std::make_unique<Shards<real>>();
  Team& team = *r.team;
  const std::vector<TreeSum::Node>& ours = team.ours();
  constexpr size_t kDeep = 32;  // no tree of ours is deeper
  for (size_t b = 0; b < ours.size(); b++) {
    add_up(r, batch, ours[b], 0);
    if (b + 1 < ours.size()) keep_shard(kDeep + b, learns);
  }

  std::vector<Segment> segments = {{Addend::kDouble, int64_t(shards_->parts.size())},
                                   {Addend::kBits, int64_t(shards_->rows.size())}};
  const Addend kind = sizeof(real) == 8 ? Addend::kDouble : Addend::kFloat;
  if (learns) segments.push_back({kind, params_.trained_size()});
  std::vector<std::vector<void*>> values;
  for (size_t b = 0; b < ours.size(); b++) {
    const bool last = b + 1 == ours.size();
    ShardValue<real>* const kept = last ? nullptr : shards_->kept[kDeep + b].get();
    values.push_back({last ? shards_->parts.data() : kept->parts.data(),
                      last ? shards_->rows.data() : kept->rows.data()});
    if (learns) values.back().push_back(last ? params_.grads() : kept->grads.data());
  }
  // What all have alike: the mark and the seed of this training, and which batch it is; of a test,
  // whose runs all begin at one place in its data, the first of its samples.
  const uint64_t at = learns ? static_cast<uint64_t>(step_) : uint64_t(batch.first);
  const uint64_t of = r.mark ^ (learns ? static_cast<uint64_t>(seed_) : 0);
  team.sum(of << 32 | (at & 0xffffffffu), segments, values);

  std::vector<double>& read = numbers_read_;
  const int logs = losses_.logs();
  read.assign(size_t(numbers_.size()), 0.0);
  const double factor =
      losses_.whole_value(shards_->parts.data(), &read[kLoss], &read[size_t(kLoss + logs)]);
  read[kFinite] = 1;
  device_->upload(numbers_.data(), read.data(), numbers_.bytes());
  if (learns) {
    note_written_rows();
    if (factor != 1) device_->scale(params_.grads(), factor, params_.trained_size());
  }
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
