#include "ops/recurrence.h"

#include <algorithm>

#include "ops/segments.h"

namespace hs {

RecurrenceShape::RecurrenceShape(const Config& options, const OpContext& context,
                                 const CellShape* cell)
    : CellOp(options, context, cell),
      learned_(options.on("learnedStates")),
      takes_states_(options.on("takesStates")),
      gives_states_(options.on("givesStates")),
      shared_dropout_(options.on("sharedDropout")),
      truncate_(options.integer("truncate", 0)),
      checkpoint_(checkpoint_of(options, "recurrence")) {
  if (learned_ + takes_states_ + stateful_ > 1)
    throw Error(Code::kOption, where(), "states are carried, learned or inputs, one of these.");
}

Extent RecurrenceShape::output(const std::vector<Extent>& x) const {
  if (x[0].dims.size() != 2) fail(Code::kShape, where(), "input", "[B, T, D]", x[0].text());
  check_steps(x[0]);
  const size_t states = takes_states_ ? size_t(states_count()) : 0;
  if (x.size() != 1 + states)
    fail(Code::kInternal, where(), "the number of inputs", std::to_string(1 + states),
         std::to_string(x.size()));
  for (size_t i = 1; i < x.size(); i++) {
    const Extent wanted{x[0].rows, {H_}};
    if (x[i].rows != wanted.rows || x[i].dims != wanted.dims)
      fail(Code::kShape, where(), "a state before the first step", wanted.text(), x[i].text());
  }
  return {x[0].rows, sequences_ ? Dims{x[0].dims[0], H_} : Dims{H_}};
}

std::vector<Extent> RecurrenceShape::more_outputs(const std::vector<Extent>& x) const {
  const size_t n = gives_states_ ? size_t(states_count()) : 0;
  return std::vector<Extent>(n, Extent{x[0].rows, {H_}});
}

void RecurrenceShape::declare(Declaration& d, const std::vector<Extent>& x, const Extent&,
                              bool masked) {
  take_extent(d, x[0], masked);
  const int64_t T = T_, B = B_, D = D_, H = H_, GH = G_ * H;
  segment_ = segment_of(checkpoint_, T);
  const int64_t n = segment_, S = segments();
  all_h_ = S == 1 || (sequences_ && !late_);

  W_ = d.param("W", {D, GH});
  U_ = d.param("U", {H, GH});
  b_ = d.param("b", {GH});
  if (cell_->recurrent_bias) c_bias_ = d.param("c", {GH});
  vectors_.clear();
  for (int i = 0; i < cell_->vectors; i++) vectors_.push_back(d.param(cell_->vector_names[i], {H}));
  if (learned_) h0_ = d.param("h0", {H});
  if (learned_ && two_states_) c0_ = d.param("c0", {H});

  h_ = d.saved("h", {(all_h_ ? T : n) + 1, B, H});
  if (!all_h_) kept_h_ = d.saved("h between segments", {S + 1, B, H});
  if (two_states_) c_ = d.saved("c", {n + 1, B, H});
  if (two_states_ && S > 1) kept_c_ = d.saved("c between segments", {S + 1, B, H});
  gates_ = d.saved("gates", {n, B, GH});
  if (cell_->auxes == 1) aux_ = d.saved("aux", {n, B, H});
  if (cell_->auxes > 1) aux_ = d.saved("aux", {cell_->auxes, n, B, H});
  if (drop_W_) drop_W_mask_ = d.saved("dropout W", {masks(), B, D});
  if (drop_U_) drop_U_mask_ = d.saved("dropout U", {masks(), B, H});
  if (stateful_) {
    carry_h_ = d.carry("h", {B, H});
    if (two_states_) carry_c_ = d.carry("c", {B, H});
  }
  if (!late_ && all_h_) d.output_is(h_, sequences_ ? B * H : T * B * H);
  if (!late_ && !all_h_) d.output_is(kept_h_, S * B * H);
}

}  // namespace hs
