// A program run once a step, with states that go from step to step: Theano's scan, and the cells
// that users write (decision 0037).
//
//   forward    nodes that stay the same, once; then for t: the step's nodes, states, outputs
//   backward   for t from the end: the step's nodes against their order. What a step adds to the
//              gradient of something that stays is added up over the steps; that of a product's
//              matrix is made of all steps at once, as one product of T*B rows
//
// Where every node of the step works row by row, blocks of rows go through all steps, each on one
// thread, without a barrier. What blocks add to the gradient of something that all rows read is
// added in the order of the blocks: bits do not depend on the number of threads. Otherwise the
// steps run on one thread (their products may use others).
//
// T_ steps, B_ rows. Slot t of a state [T+1, dims] is what it is before step t, slot T the last
// one.
//
// checkpoint k: what backward reads lies there for k steps only, a segment; backward makes it again
// from the states before each segment. Random numbers are those of the step, so the masks are the
// same. The bits are those of one segment: a matrix's gradient is one chain over falling t either
// way, and what steps add one by one is added beside it.
#pragma once
#include <algorithm>

#include "base/arena.h"
#include "ops/scan_run.h"
#include "program/rows.h"

namespace hs {

// Rows of a block, at most; where gradients are added by blocks.
constexpr int64_t kMostRows = 32, kAddedRows = 16;
// Gradients by blocks, in all: beyond, one block does less work than their sum.
constexpr int64_t kMostPartials = 1 << 22;

template <typename real, class Base>
ScanRun<real, Base>::ScanRun(const Config& options, const OpContext& context, Machine& k)
    : ScanShape(options, context), Base(k), tape_(program_, &k, context.where()) {
  sort_nodes();
}

template <typename real, class Base>
void ScanRun<real, Base>::sort_nodes() {
  leaf_of_.assign(states_.size(), -1);
  for (int i = 0; i < nodes(); i++) {
    const Node& node = program_[i];
    bool changes = node.is("sequence") || node.is("state") || node.is("mask");
    for (int arg : node.args) changes = changes || in_step(arg);
    in_step_.push_back(changes);
    if (!node.leaf()) (changes ? step_nodes_ : fixed_nodes_).push_back(i);
    if (node.is("sequence")) sequence_leaves_.push_back(i);
    if (node.is("state") && size_t(node.index) < states_.size()) leaf_of_[size_t(node.index)] = i;
  }
}

// Gradients that are made of all steps at once: those of products' matrices, and of what is added
// to all rows of a sum with such a product, whose own gradient is there for all steps then.
template <typename real, class Base>
void ScanRun<real, Base>::defer_gradients() {
  std::vector<char> all_steps(size_t(nodes()), 0);
  const auto wants = [&](int i, int arg) { return tape_.wants(i) && tape_.wants(arg); };
  for (int i : step_nodes_) {
    const Node& node = program_[i];
    if (!node.is("dot") || in_step(node.args[1]) || !wants(i, node.args[1])) continue;
    tape_.defer(i, 1);
    all_steps[size_t(tape_.grad_place(i))] = 1;
  }
  for (int i : step_nodes_) {
    const Node& node = program_[i];
    if (!node.is("add") || !all_steps[size_t(tape_.grad_place(i))]) continue;
    for (int a = 0; a < 2; a++) {
      const int arg = node.args[size_t(a)];
      const Dims &x = dims_[size_t(arg)], &y = dims_[size_t(i)];
      const bool to_rows = x.size() == 1 && y.size() > 1 && x[0] == y.back();
      if (to_rows && !in_step(arg) && wants(i, arg)) tape_.defer(i, a);
    }
  }
}

// Whether rows can be run in blocks, and which fixed nodes are then read by rows. Where steps add
// nothing to the gradient of something that all rows read, blocks change no bit: there are as many
// as threads can have. Else there are always the same ones.
template <typename real, class Base>
void ScanRun<real, Base>::choose_blocks() {
  by_rows_.assign(size_t(nodes()), 0);
  block_ = B_, blocks_ = 1;
  const int64_t threads = row_threads(this->k);
  if (whole_ || B_ < 2 || threads == 0) return;
  std::vector<char> all(size_t(nodes()), 0), rows(size_t(nodes()), 0), added(size_t(nodes()), 0);
  bool fits = true;
  for (int i = 0; i < nodes() && fits; i++) {
    const Node& node = program_[i];
    if (!in_step(i)) continue;
    if (node.leaf()) {
      fits = !dims_[size_t(i)].empty() && dims_[size_t(i)][0] == B_;
      continue;
    }
    std::vector<Dims> x;
    std::vector<Reads> reads;
    for (int arg : node.args) x.push_back(dims_[size_t(arg)]);
    fits = row_by_row(node, x, dims_[size_t(i)], B_, reads);
    for (size_t a = 0; a < node.args.size() && fits; a++) {
      const size_t arg = size_t(node.args[a]);
      if (in_step(int(arg))) {
        fits = reads[a] == Reads::kRows;
      } else {
        (reads[a] == Reads::kRows ? rows : all)[arg] = 1;
        if (reads[a] == Reads::kAll && int(a) != tape_.deferred(i)) added[arg] = 1;
        fits = !(rows[arg] && all[arg]);
      }
    }
  }
  for (const ScanState& s : states_) fits = fits && in_step(s.next);
  for (const ScanOutput& o : outputs_) fits = fits && in_step(o.node);
  int64_t partials = 0;
  for (int i = 0; i < nodes(); i++) {
    if (added[size_t(i)] && tape_.wants(i)) partials += size(i);
  }
  int64_t blocks = tiles_of(B_, partials > 0 ? kAddedRows : kMostRows);
  if (partials == 0 && B_ >= 4 * threads) blocks = round_up(blocks, threads);
  const int64_t rows_each = tiles_of(B_, blocks);
  blocks = tiles_of(B_, rows_each);
  if (!fits || blocks == 1 || partials * blocks > kMostPartials) return;
  block_ = rows_each, blocks_ = blocks;
  for (int i = 0; i < nodes(); i++) by_rows_[size_t(i)] = in_step(i) || rows[size_t(i)];
}

template <typename real, class Base>
void ScanRun<real, Base>::prepare(Declaration& d) {
  const size_t n = size_t(nodes());
  learns_ = d.training();
  // Segments of an even number of steps where products take two rows together.
  segment_ = std::min(T_, round_up(segment_of(checkpoint_, T_), rows_together(this->k)));
  std::vector<char> outside(n, 0), learns(n, 0);
  for (const ScanOutput& o : outputs_) outside[size_t(o.node)] = 1;
  for (const ScanState& s : states_) outside[size_t(s.next)] = 1;
  // What a product that stays the same has been read by is known to the step alone.
  for (int i : step_nodes_) {
    for (int arg : program_[i].args) outside[size_t(arg)] |= char(!in_step(arg));
  }
  for (size_t i = 0; i < n; i++) {
    const Node& node = program_[int(i)];
    learns[i] = learns_ && (node.is("input") || node.is("sequence") || node.is("state") ||
                            (node.is("param") && trainable()));
  }
  tape_.plan(dims_, outside, learns);
  defer_gradients();
  choose_blocks();
  place_values(d);
  place_grads(d);
  make_workers();
  const int64_t workers = static_cast<int64_t>(workers_.size());
  temp_each_ =
      aligned(std::max(tape_.temp_size(workers_[0].frame[0].dims), tape_.temp_size(dims_)));
  spare_each_ = aligned(tape_.spare_size(dims_));
  temp_ = d.scratch("temp", {workers * temp_each_});
  spare_ = d.scratch("spare", {workers * spare_each_});
}

template <typename real, class Base>
void ScanRun<real, Base>::place_values(Declaration& d) {
  const size_t n = size_t(nodes());
  state_of_.assign(n, -1);
  state_values_.clear(), kept_states_.clear();
  for (size_t s = 0; s < states_.size(); s++) {
    const int next = states_[s].next;
    const int64_t each = size(next);
    const bool free = !program_[next].leaf() && in_step(next) && state_of_[size_t(next)] < 0;
    if (free) state_of_[size_t(next)] = int(s);
    const bool is_output = free && next == outputs_[0].node && !outputs_[0].last;
    const auto slots = [&](int64_t steps) {
      Dims dims = dims_[size_t(next)];
      dims.insert(dims.begin(), steps + 1);
      return dims;
    };
    Spot spot;
    spot.of_segment = segments() > 1 && !is_output;
    spot.tensor = d.saved(states_[s].name.c_str(), slots(spot.of_segment ? segment_ : T_));
    spot.at = 0, spot.step = each, spot.row = blocks_ > 1 ? each / B_ : 0;
    state_values_.push_back(spot);
    kept_states_.emplace_back();
    if (spot.of_segment) {
      const std::string name = states_[s].name + " between segments";
      kept_states_.back() = d.saved(name.c_str(), slots(segments()));
    }
  }
  values_.assign(n, {});
  int64_t kept = 0, scratch = 0;
  for (int i = 0; i < int(n); i++) {
    Spot& spot = values_[size_t(i)];
    const Node& node = program_[i];
    spot.row = by_rows_[size_t(i)] ? size(i) / B_ : 0;
    if (node.is("sequence") || node.is("state")) spot.step = size(i);
    if (node.is("mask")) spot.step = B_;
    const bool own = !node.leaf() || node.is("number") || node.is("phase");
    if (!own || tape_.value_place(i) != i || state_of_[size_t(i)] >= 0) continue;
    const bool all_steps = tape_.kept(i) && in_step(i);
    const int64_t each = size(i);
    if (all_steps) spot.step = each, spot.of_segment = true;
    int64_t& top = tape_.kept(i) ? kept : scratch;
    spot.at = top;
    top += aligned(checked_count({all_steps ? segment_ : 1, each}, where()));
  }
  kept_ = d.saved("kept values", {kept});
  scratch_ = d.scratch("values", {scratch});
  for (int i = 0; i < int(n); i++) {
    if (program_[i].is("mask")) ones_ = d.saved("ones", {T_ * B_});
    if (values_[size_t(i)].at >= 0) values_[size_t(i)].tensor = tape_.kept(i) ? kept_ : scratch_;
  }
  const int state = state_of_[size_t(outputs_[0].node)];
  if (state >= 0) {
    const int64_t each = size(outputs_[0].node);
    const Spot& slots = state_values_[size_t(state)];
    if (slots.of_segment) {
      d.output_is(kept_states_[size_t(state)], segments() * each);
    } else {
      d.output_is(slots.tensor, outputs_[0].last ? T_ * each : each);
    }
  }
  packed_.assign(n, {}), packed_t_.assign(n, {});
  for (int i : step_nodes_) {
    const Node& node = program_[i];
    if (!node.is("dot") || in_step(node.args[1])) continue;
    const int64_t K = dims_[size_t(node.args[0])].back(), N = dims_[size_t(i)].back();
    const std::string name = "packed " + std::to_string(i);
    const bool stays = program_[node.args[1]].is("param");
    const Dims forward = {packed_size(this->k, K, N)};
    packed_[size_t(i)] = stays ? d.packed(name.c_str(), forward) : d.scratch(name.c_str(), forward);
    if (learns_) packed_t_[size_t(i)] = d.scratch("packed^T", {packed_size(this->k, N, K)});
  }
}

template <typename real, class Base>
void ScanRun<real, Base>::make_workers() {
  const size_t n = size_t(nodes());
  const auto make = [&](int64_t rows) {
    Frame<real> f = tape_.frame(dims_);
    for (size_t i = 0; i < n; i++) {
      if (by_rows_[i]) f.dims[i][0] = rows;
    }
    return f;
  };
  const int64_t count = blocks_ > 1 ? std::min<int64_t>(row_threads(this->k), blocks_) : 1;
  workers_.clear();
  for (int64_t w = 0; w < count; w++)
    workers_.push_back({{make(block_), make(rows_of(blocks_ - 1))}, std::vector<char>(n, 0)});
  fixed_ = make(block_);
  fixed_.dims = dims_;
  fixed_written_.assign(n, 0);
}

template <typename real, class Base>
void ScanRun<real, Base>::point_values(const Pass<real>& p) {
  for (size_t s = 0; s < states_.size(); s++) state_values_[s].base = p.at(state_values_[s].tensor);
  for (int i = 0; i < nodes(); i++) {
    const Node& node = program_[i];
    Spot& spot = values_[size_t(i)];
    if (node.is("input") || node.is("sequence")) {
      spot.base = const_cast<real*>(p.x[size_t(node.index)]);
    } else if (node.is("param")) {
      spot.base = p.at(param(node));
    } else if (node.is("mask")) {
      spot.base = p.mask ? const_cast<real*>(p.mask) : p.at(ones_);
    } else if (node.is("state")) {
      spot = state_values_[size_t(node.index)];
    } else if (state_of_[size_t(i)] >= 0) {
      spot = state_values_[size_t(state_of_[size_t(i)])];
      spot.base += spot.step;  // after the step
    } else if (spot.at >= 0) {
      spot.base = p.at(spot.tensor) + spot.at;
    }
    if (backwards_ && (node.is("sequence") || node.is("mask"))) {
      const int64_t each = std::abs(spot.step);
      spot.base += (T_ - 1) * each, spot.step = -each;
    }
  }
  for (int i = 0; i < nodes(); i++) {  // parts of a sum
    if (tape_.value_place(i) != i) values_[size_t(i)] = values_[size_t(tape_.value_place(i))];
    fixed_.values[size_t(i)] = values_[size_t(i)].base;
  }
}

// Values at step t of the rows from r0 on.
template <typename real, class Base>
void ScanRun<real, Base>::point_step(Frame<real>& f, int64_t t, int64_t r0) const {
  for (size_t i = 0; i < size_t(nodes()); i++) {
    f.values[i] = at(values_[i], t) + r0 * values_[i].row;
  }
}

template <typename real, class Base>
void ScanRun<real, Base>::pack_products(const Pass<real>& p, bool transposed) {
  for (int i : step_nodes_) {
    const Node& node = program_[i];
    if (packed_[size_t(i)].offset < 0) continue;
    const int64_t K = dims_[size_t(node.args[0])].back(), N = dims_[size_t(i)].back();
    const real* const b = values_[size_t(node.args[1])].base;
    const int64_t ldb = node.transposed ? K : N;
    const Tensor& to = (transposed ? packed_t_ : packed_)[size_t(i)];
    if (transposed) {
      pack(this->k, p.at(to), b, ldb, !node.transposed, N, K);
    } else if (p.repack || to.arena != Arena::kPacked) {
      pack(this->k, p.at(to), b, ldb, node.transposed, K, N);
    }
    for (Worker& w : workers_) {
      for (Frame<real>& f : w.frame) (transposed ? f.packed_t : f.packed)[size_t(i)] = p.at(to);
    }
  }
}

template <typename real, class Base>
NodeStage<real, typename Base::Machine> ScanRun<real, Base>::stage(const Pass<real>& p,
                                                                   int worker) const {
  NodeStage<real, Machine> s;
  s.k = this->k;
  s.temp = p.at(temp_) + worker * temp_each_, s.temp_size = temp_each_;
  s.spare = p.at(spare_) + worker * spare_each_;
  s.training = p.training, s.key = p.dropout, s.stream = stream() * 16;
  return s;
}

template <typename real, class Base>
void ScanRun<real, Base>::begin_states(const Pass<real>& p) {
  for (size_t i = 0; i < states_.size(); i++) {
    const ScanState& s = states_[i];
    const Dims& dims = dims_[size_t(s.next)];
    const int64_t n = count(dims);
    real* const slot = state_values_[i].base;
    if (stateful_) {
      copy_numbers(this->k, slot, p.at(s.carry), n);
    } else if (s.param.empty() && s.input < 0) {
      this->k->fill(slot, 0, n);
    } else {
      const real* const from = s.input >= 0 ? p.x[size_t(s.input)] : p.at(params_.at(s.param));
      copy_broadcast(this->k, slot, dims, from, begins_with(s, p.x_extent));
    }
  }
}

// What stays the same at every step.
template <typename real, class Base>
void ScanRun<real, Base>::run_fixed(const Pass<real>& p) {
  tape_.fill_numbers(fixed_, p.training);
  tape_.forward(fixed_nodes_, fixed_, stage(p, 0));
  pack_products(p, false);
}

// The states before a segment: slot 0.
template <typename real, class Base>
void ScanRun<real, Base>::load_states(const Pass<real>& p, int64_t segment) {
  for (size_t i = 0; i < states_.size(); i++) {
    const int64_t n = size(states_[i].next);
    if (state_values_[i].of_segment)
      copy_numbers(this->k, state_values_[i].base, p.at(kept_states_[i]) + segment * n, n);
  }
}
// They are those after the segment at hand, or before the first one.
template <typename real, class Base>
void ScanRun<real, Base>::keep_states(const Pass<real>& p, int64_t segment) {
  for (size_t i = 0; i < states_.size(); i++) {
    const int64_t n = size(states_[i].next);
    if (state_values_[i].of_segment)
      copy_numbers(this->k, p.at(kept_states_[i]) + segment * n,
                   at(state_values_[i], begin_of(segment)), n);
  }
}

template <typename real, class Base>
void ScanRun<real, Base>::forward(Pass<real>& p) {
  point_values(p);
  for (int i = 0; i < nodes(); i++) {
    if (program_[i].is("mask") && !p.mask) this->k->fill(p.at(ones_), 1, ones_.size);
  }
  run_fixed(p);
  begin_states(p);
  enter(0);
  keep_states(p, 0);
  for (int64_t s = 0; s < segments(); s++) {
    enter(s);
    if (s > 0) load_states(p, s);
    each_block(
        [&](int64_t block, int worker) { forward_rows(p, workers_[size_t(worker)], block, true); });
    keep_states(p, s + 1);
  }
}

// The steps of the segment at hand. gives: outputs, too.
template <typename real, class Base>
void ScanRun<real, Base>::forward_rows(const Pass<real>& p, Worker& w, int64_t block, bool gives) {
  const int64_t r0 = block * block_, rows = rows_of(block);
  Frame<real>& f = w.frame[rows == block_ ? 0 : 1];
  NodeStage<real, Machine> s = stage(p, static_cast<int>(&w - workers_.data()));
  for (int64_t t = from_; t < end_; t++) {
    look_whether_cancelled(p);
    point_step(f, t, r0);
    s.begin = blocks_ > 1 ? t * B_ + r0 : t, s.rows = blocks_ > 1 ? rows : 1;
    tape_.forward(step_nodes_, f, s);
    for (size_t i = 0; i < states_.size(); i++) {
      const int next = states_[i].next;
      if (state_of_[size_t(next)] == int(i)) continue;
      const Spot& v = state_values_[i];
      copy_numbers(this->k, at(v, t + 1) + r0 * v.row, f.values[size_t(next)],
                   rows_size(next, rows));
    }
    for (size_t o = 0; o < outputs_.size() && gives; o++) {
      const int node = outputs_[o].node;
      if (o == 0 && state_of_[size_t(node)] >= 0) continue;  // the output is the state
      if (outputs_[o].last && t < T_ - 1) continue;
      real* const y = (o == 0 ? p.y : p.more[o - 1].y) + (outputs_[o].last ? 0 : t * size(node));
      copy_numbers(this->k, y + rows_size(node, r0), f.values[size_t(node)], rows_size(node, rows));
    }
  }
}

template <typename real, class Base>
void ScanRun<real, Base>::commit(Pass<real>& p) {
  if (!stateful_) return;
  for (size_t i = 0; i < states_.size(); i++) {
    const int64_t n = size(states_[i].next);
    const bool parted = state_values_[i].of_segment;
    const real* const last =
        parted ? p.at(kept_states_[i]) + segments() * n : p.at(state_values_[i].tensor) + T_ * n;
    commit_numbers(this->k, p.at(states_[i].carry), last, n, p.finite);
  }
}

}  // namespace hs
