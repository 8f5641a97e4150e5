// The backward pass of a scan; what it does stands in scan_forward.h.
#pragma once
#include <algorithm>
#include <string>

#include "base/arena.h"
#include "ops/scan_run.h"

namespace hs {

template <typename real, class Base>
void ScanRun<real, Base>::place_grads(Declaration& d) {
  const size_t n = size_t(nodes());
  grads_.assign(n, {}), partial_at_.assign(n, -1), beside_at_.assign(n, -1), state_grads_.clear();
  summed_sequence_.assign(n, -1);
  if (!learns_) return;
  std::vector<int> uses(n, 0);
  for (int i : step_nodes_) {
    for (int arg : program_[i].args) uses[size_t(arg)]++;
  }
  for (const ScanOutput& o : outputs_) uses[size_t(o.node)]++;
  for (const ScanState& s : states_) uses[size_t(s.next)]++;
  for (int i : step_nodes_) {
    for (int arg : program_[i].args) {
      const bool alone = program_[i].is("add") && program_[arg].is("sequence") &&
                         uses[size_t(arg)] == 1 && dims_[size_t(arg)] == dims_[size_t(i)];
      if (alone && !backwards_) summed_sequence_[size_t(tape_.grad_place(i))] = arg;
    }
  }
  std::vector<char> all_steps(n, 0), read_by_step(n, 0), deferred(n, 0);
  for (int i : step_nodes_) {
    const std::vector<int>& args = program_[i].args;
    const int later = tape_.deferred(i);
    if (later >= 0) {
      all_steps[size_t(tape_.grad_place(i))] = 1;
      deferred[size_t(args[size_t(later)])] = 1;
    }
    for (int a = 0; a < int(args.size()); a++) {
      if (a != later) read_by_step[size_t(args[size_t(a)])] = 1;
    }
  }
  int64_t scratch = 0, partials = 0;
  for (int i = 0; i < int(n); i++) {
    if (!tape_.wants(i) || tape_.grad_place(i) != i) continue;
    Spot& spot = grads_[size_t(i)];
    const int64_t each = size(i);
    spot.row = by_rows_[size_t(i)] ? each / B_ : 0;
    spot.step = program_[i].is("sequence") || all_steps[size_t(i)] ? each : 0;
    spot.of_segment = all_steps[size_t(i)];
    const Node& node = program_[i];
    if (!node.is("input") && !node.is("sequence") && !node.is("param")) {  // those are the op's
      spot.at = scratch;
      scratch += aligned(checked_count({all_steps[size_t(i)] ? segment_ : 1, each}, where()));
    }
    const bool shared = blocks_ > 1 || deferred[size_t(i)];
    if (shared && !in_step(i) && !by_rows_[size_t(i)] && read_by_step[size_t(i)]) {
      partial_at_[size_t(i)] = partials;
      partials += blocks_ * aligned(each);
    }
  }
  std::fill(deferred.begin(), deferred.end(), 0);
  for (int i : step_nodes_) {
    if (tape_.deferred(i) < 0) continue;
    const int arg = program_[i].args[size_t(tape_.deferred(i))];
    if (deferred[size_t(arg)]) beside_at_[size_t(i)] = partials, partials += aligned(size(arg));
    deferred[size_t(arg)] = 1;
  }
  for (size_t s = 0; s < states_.size(); s++) {
    Spot spot;
    spot.at = scratch, spot.step = aligned(size(states_[s].next));
    spot.row = blocks_ > 1 ? size(states_[s].next) / B_ : 0;
    scratch += 2 * spot.step;
    state_grads_.push_back(spot);
  }
  grad_scratch_ = d.scratch("gradients", {scratch});
  partials_ = d.scratch("gradients by blocks", {partials});
  for (Spot& spot : grads_) spot.tensor = grad_scratch_;
  for (Spot& spot : state_grads_) spot.tensor = grad_scratch_;
}

template <typename real, class Base>
void ScanRun<real, Base>::point_grads(const Pass<real>& p) {
  now_ = grads_;
  for (Spot& spot : state_grads_) spot.base = p.at(spot.tensor) + spot.at;
  for (int i = 0; i < nodes(); i++) {
    if (!tape_.wants(i)) continue;
    const Node& node = program_[i];
    Spot& spot = now_[size_t(i)];
    if (spot.at >= 0) spot.base = p.at(spot.tensor) + spot.at;
    if (node.is("input") || node.is("sequence")) spot.base = p.dx[size_t(node.index)];
    if (node.is("param")) spot.base = p.grad(param(node));
    if (node.is("sequence") && backwards_) {
      spot.step = -size(i);
      if (spot.base) spot.base += (T_ - 1) * size(i);
    }
  }
  for (int i = 0; i < nodes(); i++) {
    const int leaf = summed_sequence_[size_t(i)];
    if (leaf >= 0 && p.dx[size_t(program_[leaf].index)]) now_[size_t(i)] = now_[size_t(leaf)];
  }
  for (int i = 0; i < nodes(); i++) {
    if (!tape_.wants(i)) continue;
    if (tape_.grad_place(i) != i) now_[size_t(i)] = now_[size_t(tape_.grad_place(i))];
    fixed_.grads[size_t(i)] = now_[size_t(i)].base;
  }
}

template <typename real, class Base>
void ScanRun<real, Base>::backward(Pass<real>& p) {
  point_values(p);
  point_grads(p);
  pack_products(p, true);
  const int64_t first = last_steps_ > 0 ? std::max<int64_t>(0, T_ - last_steps_) : 0;
  const size_t n = size_t(nodes());
  begun_.assign(n, 0), fixed_written_.assign(n, 0), chain_begun_.assign(n, 0);
  for (int64_t s = segments(); s-- > 0;) {
    enter(s);
    if (s + 1 < segments() && end_ > first) {  // of the last one all is still there
      if (s + 2 == segments()) run_fixed(p);
      load_states(p, s);
      each_block([&](int64_t block, int worker) {
        forward_rows(p, workers_[size_t(worker)], block, false);
      });
    }
    each_block([&](int64_t block, int worker) {
      Worker& w = workers_[size_t(worker)];
      backward_rows(p, w, block, first);
      for (int i = 0; block == 0 && i < nodes(); i++) {  // every block has written the same
        if (!in_step(i)) fixed_written_[size_t(i)] = w.written[size_t(i)];
      }
    });
    begun_ = fixed_written_;
    if (end_ > first) deferred_gradients(p, std::max(first, from_));
  }
  add_parts(p);
  states_backward(p, first);
  tape_.backward(fixed_nodes_, fixed_, stage(p, 0), fixed_written_);
  finish_leaves(p);
}

template <typename real, class Base>
void ScanRun<real, Base>::backward_rows(const Pass<real>& p, Worker& w, int64_t block,
                                        int64_t first) {
  const int64_t r0 = block * block_, rows = rows_of(block);
  Frame<real>& f = w.frame[rows == block_ ? 0 : 1];
  NodeStage<real, Machine> s = stage(p, static_cast<int>(&w - workers_.data()));
  w.written = begun_;
  const auto state_grad = [&](size_t i, int64_t t) {  // before step t
    const Spot& g = state_grads_[i];
    return g.base + t % 2 * g.step + r0 * g.row;
  };
  // dy, or what a state has left, to the gradient of a node.
  const auto arrive = [&](int node, const real* d) {
    real* const to = f.grads[size_t(node)];
    if (!to) return;
    char& written = w.written[size_t(node)];
    if (written) {
      this->k->add(to, d, rows_size(node, rows));
    } else if (to != d) {
      copy_numbers(this->k, to, d, rows_size(node, rows));
    }
    written = 1;
  };
  for (int64_t t = end_ - 1; t >= from_; t--) {
    if (t >= first) {
      look_whether_cancelled(p);
      point_step(f, t, r0);
      for (size_t i = 0; i < size_t(nodes()); i++) {
        const Spot& g = now_[i];
        if (in_step(int(i))) w.written[i] = 0;
        f.grads[i] = nullptr;
        if (!g.base) continue;
        f.grads[i] = partial_at_[i] >= 0
                         ? p.at(partials_) + partial_at_[i] + block * aligned(size(int(i)))
                         : at(g, t) + r0 * g.row;
      }
      for (size_t i = 0; i < states_.size(); i++) {
        if (leaf_of_[i] >= 0) f.grads[size_t(leaf_of_[i])] = state_grad(i, t);
        const int next = states_[i].next;
        // Its gradient goes on from what the step after has left, in place where it may.
        const bool here = state_of_[size_t(next)] == int(i) && now_[size_t(next)].step == 0;
        if (here && t < T_ - 1) f.grads[size_t(next)] = state_grad(i, t + 1);
      }
      for (size_t i = 0; i < size_t(nodes()); i++) {  // parts of a sum
        if (tape_.grad_place(int(i)) != int(i))
          f.grads[i] = f.grads[size_t(tape_.grad_place(int(i)))];
      }
      for (size_t i = 0; i < states_.size() && t < T_ - 1; i++) {
        if (detached(t + 1) || leaf_of_[i] < 0) continue;
        arrive(states_[i].next, state_grad(i, t + 1));
      }
      for (size_t o = 0; o < outputs_.size(); o++) {
        const real* const dy = o == 0 ? p.dy : p.more[o - 1].dy;
        const int node = outputs_[o].node;
        if (!dy || (outputs_[o].last && t < T_ - 1)) continue;
        arrive(node, dy + (outputs_[o].last ? 0 : t * size(node)) + rows_size(node, r0));
      }
      s.begin = blocks_ > 1 ? t * B_ + r0 : t, s.rows = blocks_ > 1 ? rows : 1;
      tape_.backward(step_nodes_, f, s, w.written);
    }
    // What no gradient has reached at this step.
    for (int i : sequence_leaves_) {
      const Spot& g = now_[size_t(i)];
      if (g.base && !(t >= first && w.written[size_t(i)]))
        this->k->fill(at(g, t) + r0 * g.row, 0, rows_size(i, rows));
    }
    if (t < first) continue;
    for (int i : leaf_of_) {
      if (i >= 0 && tape_.wants(i) && !w.written[size_t(i)])
        this->k->fill(f.grads[size_t(i)], 0, rows_size(i, rows));
    }
    for (int i : step_nodes_) {
      if (tape_.deferred(i) >= 0 && !w.written[size_t(i)])
        this->k->fill(f.grads[size_t(i)], 0, rows_size(i, rows));
    }
  }
}

// What has been deferred, from step `first` of the segment on: one chain for each node, over
// falling rows.
template <typename real, class Base>
void ScanRun<real, Base>::deferred_gradients(const Pass<real>& p, int64_t first) {
  for (int i : step_nodes_) {
    if (tape_.deferred(i) < 0) continue;
    const Node& node = program_[i];
    const int arg = node.args[size_t(tape_.deferred(i))];
    const Spot &x = values_[size_t(node.args[0])], &dz = now_[size_t(i)];
    const bool product = node.is("dot");
    const int64_t K = dims_[size_t(node.args[0])].back(), N = dims_[size_t(i)].back();
    const int64_t rows = size(i) / std::max<int64_t>(1, N);  // of a step
    const int64_t beside = beside_at_[size_t(i)];
    if (!fixed_.grads[size_t(arg)]) continue;
    real* const to = beside >= 0 ? p.at(partials_) + beside : fixed_.grads[size_t(arg)];
    char& begun = chain_begun_[size_t(beside >= 0 ? i : arg)];
    const bool at_once = (!product || x.step == rows * K) && dz.step == rows * N;
    const int64_t steps = at_once ? end_ - first : 1, each = rows * steps;
    for (int64_t t = end_ - steps; t >= first; t -= steps) {
      const real* const b = at(dz, t) + (each - 1) * N;               // [each, N], falling
      const real* const a = product ? at(x, t) + (each - 1) * K : b;  // [each, K], falling
      if (!product) {
        sum_columns(this->k, to, b, -N, each, N, begun != 0);
      } else if (node.transposed) {
        matmul_tn(this->k, to, K, b, -N, a, -K, each, N, K, begun != 0, p.at(temp_), temp_each_);
      } else {
        matmul_tn(this->k, to, N, a, -K, b, -N, each, K, N, begun != 0, p.at(temp_), temp_each_);
      }
      begun = 1;
    }
  }
}

// To the gradients that have been deferred: those of further nodes of the same argument, and what
// the steps have added, in the order of the blocks.
template <typename real, class Base>
void ScanRun<real, Base>::add_parts(const Pass<real>& p) {
  for (int i : step_nodes_) {
    const int64_t beside = beside_at_[size_t(i)];
    if (beside < 0 || !chain_begun_[size_t(i)]) continue;
    const int arg = program_[i].args[size_t(tape_.deferred(i))];
    this->k->add(fixed_.grads[size_t(arg)], p.at(partials_) + beside, size(arg));
  }
  for (int i = 0; i < nodes(); i++) {
    if (in_step(i) || !fixed_.grads[size_t(i)]) continue;
    char& written = fixed_written_[size_t(i)];
    const int64_t parts = partial_at_[size_t(i)];
    for (int64_t b = 0; parts >= 0 && written && b < blocks_; b++) {
      const real* const part = p.at(partials_) + parts + b * aligned(size(i));
      if (b > 0 || chain_begun_[size_t(i)]) {
        this->k->add(fixed_.grads[size_t(i)], part, size(i));
      } else {
        copy_numbers(this->k, fixed_.grads[size_t(i)], part, size(i));
      }
    }
    written |= chain_begun_[size_t(i)];
  }
}

// From the states before step 0 to what they begin with.
template <typename real, class Base>
void ScanRun<real, Base>::states_backward(const Pass<real>& p, int64_t first) {
  std::vector<char> begun(p.dx.size(), 0);
  std::vector<std::string> params;
  for (size_t i = 0; i < states_.size(); i++) {
    const ScanState& s = states_[i];
    const bool learned = !s.param.empty() && trainable();
    if (stateful_ || (s.input < 0 && !learned)) continue;
    real* to = learned ? p.grad(params_.at(s.param)) : p.dx[size_t(s.input)];
    if (!to) continue;
    const Dims given = begins_with(s, p.x_extent);
    bool written = learned ? std::count(params.begin(), params.end(), s.param) > 0
                           : begun[size_t(s.input)] != 0;
    for (int n = 0; n < nodes(); n++) {  // a leaf of its own
      const Node& node = program_[n];
      const bool same = learned ? node.is("param") && node.text == s.param
                                : node.is("input") && node.index == s.input;
      if (same) written = written || fixed_written_[size_t(n)], fixed_written_[size_t(n)] = 1;
    }
    if (learned)
      params.push_back(s.param);
    else
      begun[size_t(s.input)] = 1;
    if (!written) this->k->fill(to, 0, count(given));
    if (first > 0 || leaf_of_[i] < 0) continue;
    const real* const d = state_grads_[i].base;  // before step 0
    add_broadcast(this->k, to, given, real(1), d, dims_[size_t(s.next)]);
  }
}

// What no gradient has reached has one of zeros.
template <typename real, class Base>
void ScanRun<real, Base>::finish_leaves(const Pass<real>& p) {
  std::vector<char> read(p.dx.size(), 0);
  for (int i = 0; i < nodes(); i++) {
    const Node& node = program_[i];
    if (node.is("input") || node.is("sequence")) read[size_t(node.index)] = 1;
    if (node.leaf() && !in_step(i) && fixed_.grads[size_t(i)] && !fixed_written_[size_t(i)])
      this->k->fill(fixed_.grads[size_t(i)], 0, size(i));
  }
  for (const ScanState& s : states_) {
    if (s.input >= 0 && !stateful_) read[size_t(s.input)] = 1;
  }
  for (size_t j = 0; j < read.size(); j++) {
    if (!read[j] && p.dx[j]) this->k->fill(p.dx[j], 0, p.x_extent[j].size());
  }
}

}  // namespace hs
