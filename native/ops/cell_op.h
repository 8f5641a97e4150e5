// What the ops that step a cell over time share: the cell, its options, one batch's extent.
#pragma once
#include <cstring>
#include <string>
#include <vector>

#include "base/error.h"
#include "formulas/cells/cell.h"
#include "ops/activation_name.h"
#include "ops/op.h"

namespace hs {

class CellOp : public OpShape {
 protected:
  // cell: of the device, by the name in the options; nullptr where it has none of that name.
  CellOp(const Config& options, const OpContext& context, const CellShape* cell)
      : OpShape(context),
        cell_(cell),
        H_(options.integer("units")),
        inner_(activation_of(options.str("innerActivation", "hard_sigmoid"))),
        outer_(activation_of(options.str("activation", "tanh"))),
        sequences_(options.on("returnSequences")),
        backwards_(options.on("goBackwards")),
        stateful_(options.on("stateful")),
        p_W_(options.num("dropoutW", 0)),
        p_U_(options.num("dropoutU", 0)) {
    const std::string& name = options.str("cell");
    if (!cell) throw Error(Code::kUnknownName, where(), "there is no cell named '" + name + "'.");
    G_ = static_cast<int>(std::strlen(cell->gates));
    two_states_ = cell->states[1] != 0;
  }

  void check_steps(const Extent& x) const {
    if (x.dims[0] < 1) fail(Code::kShape, where(), "the number of steps T", "at least 1", x.text());
  }

  int states_count() const { return two_states_ ? 2 : 1; }

  // To be called first in declare().
  void take_extent(const Declaration& d, const Extent& x, bool masked) {
    T_ = x.dims[0], B_ = x.rows, D_ = x.last();
    masked_ = masked;
    late_ = masked && stateful_;
    drop_W_ = d.training() && p_W_ > 0 && p_W_ < 1;
    drop_U_ = d.training() && p_U_ > 0 && p_U_ < 1;
  }

  const CellShape* cell_;
  int64_t H_;
  int G_ = 0;  // gates
  Activation inner_, outer_;
  bool sequences_, backwards_, stateful_, two_states_ = false;
  double p_W_, p_U_;

  // of the extent declared last
  int64_t T_ = 0, B_ = 0, D_ = 0;
  bool masked_ = false;
  bool late_ = false;  // masked and stateful: the output differs from h before the first real step
  bool drop_W_ = false, drop_U_ = false;
};

}  // namespace hs
