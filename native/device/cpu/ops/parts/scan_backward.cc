// The backward pass of a scan; what it does stands in scan.cc.
#include <algorithm>
#include <string>

#include "base/arena.h"
#include "device/cpu/nodes/broadcast.h"
#include "device/cpu/ops/parts/matmul.h"
#include "device/cpu/ops/parts/scan.h"

namespace hs {

template <typename real>
void Scan<real>::place_grads(Declaration& d) {
  const size_t n = size_t(nodes());
  grads_.assign(n, {}), partial_at_.assign(n, -1), state_grads_.clear();
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
  std::vector<char> all_steps(n, 0), read_by_step(n, 0);
  for (int i : step_nodes_) {
    if (tape_.deferred(i)) all_steps[size_t(tape_.grad_place(i))] = 1;
    for (size_t a = 0; a < program_[i].args.size(); a++) {
      if (!(a == 1 && tape_.deferred(i))) read_by_step[size_t(program_[i].args[a])] = 1;
    }
  }
  int64_t scratch = 0, partials = 0;
  for (int i = 0; i < int(n); i++) {
    if (!tape_.wants(i) || tape_.grad_place(i) != i) continue;
    Spot& spot = grads_[size_t(i)];
    const int64_t each = size(i);
    spot.row = by_rows_[size_t(i)] ? each / B_ : 0;
    spot.step = program_[i].is("sequence") || all_steps[size_t(i)] ? each : 0;
    spot.at = scratch;
    // A sequence's is the op's; a place of one step serves where nobody asks for it.
    scratch += aligned(checked_count({all_steps[size_t(i)] ? T_ : 1, each}, where()));
    if (blocks_ > 1 && !in_step(i) && !by_rows_[size_t(i)] && read_by_step[size_t(i)]) {
      partial_at_[size_t(i)] = partials;
      partials += blocks_ * aligned(each);
    }
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

template <typename real>
void Scan<real>::point_grads(const Pass<real>& p) {
  now_ = grads_;
  for (Spot& spot : state_grads_) spot.base = p.at(spot.tensor) + spot.at;
  for (int i = 0; i < nodes(); i++) {
    if (!tape_.wants(i)) continue;
    const Node& node = program_[i];
    Spot& spot = now_[size_t(i)];
    if (spot.at >= 0) spot.base = p.at(spot.tensor) + spot.at;
    const bool given = node.is("input") || node.is("sequence");
    real* const dx = given ? p.dx[size_t(node.index)] : nullptr;
    if (dx) spot.base = dx;
    if (node.is("param")) spot.base = p.grad(param(node));
    if (node.is("sequence")) {
      const int64_t each = size(i);
      spot.step = !dx ? 0 : backwards_ ? -each : each;
      if (dx && backwards_) spot.base += (T_ - 1) * each;
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

template <typename real>
void Scan<real>::backward(Pass<real>& p) {
  point_values(p);
  point_grads(p);
  pack_products(p, true);
  const int64_t first = last_steps_ > 0 ? std::max<int64_t>(0, T_ - last_steps_) : 0;
  std::fill(fixed_written_.begin(), fixed_written_.end(), 0);
  each_block([&](int64_t block, int worker) {
    Worker& w = workers_[size_t(worker)];
    backward_rows(p, w, block, first);
    for (int i = 0; block == 0 && i < nodes(); i++) {  // every block has written the same
      if (!in_step(i)) fixed_written_[size_t(i)] = w.written[size_t(i)];
    }
  });
  add_blocks(p);
  deferred_products(p, first);
  states_backward(p, first);
  tape_.backward(fixed_nodes_, fixed_, stage(p, 0), fixed_written_);
  finish_leaves(p);
}

template <typename real>
void Scan<real>::backward_rows(const Pass<real>& p, Worker& w, int64_t block, int64_t first) {
  const int64_t r0 = block * block_, rows = rows_of(block);
  Frame<real>& f = w.frame[rows == block_ ? 0 : 1];
  Stage<real> s = stage(p, static_cast<int>(&w - workers_.data()));
  std::fill(w.written.begin(), w.written.end(), 0);
  const auto state_grad = [&](size_t i, int64_t t) {  // before step t
    const Spot& g = state_grads_[i];
    return g.base + t % 2 * g.step + r0 * g.row;
  };
  // dy, or what a state has left, to the gradient of a node.
  const auto arrive = [&](int node, const real* d) {
    if (!tape_.wants(node)) return;
    real* const to = f.grads[size_t(node)];
    char& written = w.written[size_t(node)];
    if (written) {
      this->k->add(to, d, rows_size(node, rows));
    } else if (to != d) {
      std::copy_n(d, rows_size(node, rows), to);
    }
    written = 1;
  };
  for (int64_t t = T_ - 1; t >= 0; t--) {
    if (t >= first) {
      point_step(f, t, r0);
      for (size_t i = 0; i < size_t(nodes()); i++) {
        const Spot& g = now_[i];
        if (in_step(int(i))) w.written[i] = 0;
        if (!tape_.wants(int(i))) continue;
        f.grads[i] = partial_at_[i] >= 0
                         ? p.at(partials_) + partial_at_[i] + block * aligned(size(int(i)))
                         : g.base + t * g.step + r0 * g.row;
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
    for (int i = 0; i < nodes(); i++) {
      const Node& node = program_[i];
      if (!tape_.wants(i)) continue;
      const bool got = t >= first && w.written[size_t(i)];
      if (node.is("sequence") && !got && p.dx[size_t(node.index)]) {
        const Spot& g = now_[size_t(i)];
        this->k->fill(g.base + t * g.step + r0 * g.row, 0, rows_size(i, rows));
      }
      if (node.is("state") && !got && t >= first)
        this->k->fill(f.grads[size_t(i)], 0, rows_size(i, rows));
      // a deferred product of a step that no gradient has reached
      if (!node.leaf() && tape_.deferred(i) && !got && t >= first)
        this->k->fill(f.grads[size_t(i)], 0, rows_size(i, rows));
    }
  }
}

template <typename real>
void Scan<real>::add_blocks(const Pass<real>& p) {
  for (int i = 0; i < nodes(); i++) {
    if (partial_at_[size_t(i)] < 0 || !fixed_written_[size_t(i)]) continue;
    real* const to = fixed_.grads[size_t(i)];
    const real* const parts = p.at(partials_) + partial_at_[size_t(i)];
    std::copy_n(parts, size(i), to);
    for (int64_t b = 1; b < blocks_; b++) this->k->add(to, parts + b * aligned(size(i)), size(i));
  }
}

template <typename real>
void Scan<real>::deferred_products(const Pass<real>& p, int64_t first) {
  for (int i : step_nodes_) {
    if (!tape_.deferred(i)) continue;
    const Node& node = program_[i];
    const int matrix = node.args[1];
    const Spot &x = values_[size_t(node.args[0])], &dz = now_[size_t(i)];
    const int64_t K = dims_[size_t(node.args[0])].back(), N = dims_[size_t(i)].back();
    const int64_t rows = size(i) / std::max<int64_t>(1, N);  // of a step
    const bool at_once = x.step == rows * K && dz.step == rows * N;
    const int64_t times = at_once ? 1 : T_ - first, each = at_once ? rows * (T_ - first) : rows;
    for (int64_t m = 0; m < times; m++) {
      const real* const a = x.base + (first + m) * x.step;    // [each, K]
      const real* const b = dz.base + (first + m) * dz.step;  // [each, N]
      real* const to = fixed_.grads[size_t(matrix)];
      const bool add = fixed_written_[size_t(matrix)] != 0;
      if (node.transposed) {
        matmul_tn(this->k, to, K, b, N, a, K, each, N, K, add, p.at(temp_), temp_each_);
      } else {
        matmul_tn(this->k, to, N, a, K, b, N, each, K, N, add, p.at(temp_), temp_each_);
      }
      fixed_written_[size_t(matrix)] = 1;
    }
  }
}

// From the states before step 0 to what they begin with.
template <typename real>
void Scan<real>::states_backward(const Pass<real>& p, int64_t first) {
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
template <typename real>
void Scan<real>::finish_leaves(const Pass<real>& p) {
  std::vector<char> read(p.dx.size(), 0);
  for (int i = 0; i < nodes(); i++) {
    const Node& node = program_[i];
    if (node.is("input") || node.is("sequence")) read[size_t(node.index)] = 1;
    if (node.leaf() && !in_step(i) && tape_.wants(i) && !fixed_written_[size_t(i)])
      this->k->fill(fixed_.grads[size_t(i)], 0, size(i));
  }
  for (const ScanState& s : states_) {
    if (s.input >= 0 && !stateful_) read[size_t(s.input)] = 1;
  }
  for (size_t j = 0; j < read.size(); j++) {
    if (!read[j] && p.dx[j]) this->k->fill(p.dx[j], 0, p.x_extent[j].size());
  }
}

#define HS_INSTANTIATE(real)                           \
  template void Scan<real>::place_grads(Declaration&); \
  template void Scan<real>::backward(Pass<real>&);
HS_INSTANTIATE(float)
HS_INSTANTIATE(double)
#undef HS_INSTANTIATE

}  // namespace hs
