// A phase of a cell's step on a card: one kernel; or, where its activations need whole rows or keep
// their argument (softmax, swish), rounds of the formulas and of activations (kernels/staged.h).
#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "device/cuda/ops/parts/rows.h"
#include "device/cuda/rules.h"

namespace hs {

template <typename real>
class CellSteps {
 public:
  CellSteps(CardQueue& q, const CudaCell* cell, Activation inner, Activation outer) : q_(q) {
    if (!cell) return;  // the op's shape tells
    name_ = cell->name;
    if (!needs_rows(inner) && !needs_rows(outer)) return;
    for (int phase = 0; phase < cell->phases; phase++) {
      for (const bool forward : {true, false}) {
        StagedSite sites[kMostSites];
        const int n = cell->sites(forward, phase, inner, outer, sites);
        sites_[forward].emplace_back(sites, sites + n);
        most_ = std::max(most_, n);
      }
    }
  }

  // rows: of a step, [rows, H]
  void declare(Declaration& d, int64_t rows, int64_t H) {
    if (most_ == 0) return;
    values_ = d.scratch("activations", {most_, rows, H});
    if (d.training()) kept_ = d.scratch("activations' slopes", {most_, rows, H});
  }

  void run(const Pass<real>& p, bool forward, int phase, const CellStepArgs<real>& args) {
    const std::string suffix = (forward ? "forward_" : "backward_") + std::to_string(phase);
    if (most_ == 0) return q_.launch((name_ + "_" + suffix).c_str(), args);
    const std::vector<StagedSite>& sites = sites_[forward][size_t(phase)];
    const std::string kernel = name_ + "_staged_" + suffix;
    StagedStepArgs<real> staged = {};
    staged.n = args.n, staged.cell = args;
    Sites<real>& s = staged.sites;
    s.values = p.at(values_), s.kept = forward ? nullptr : p.at(kept_), s.size = args.n;
    for (; !s.last; s.round++) {
      s.last = std::all_of(sites.begin(), sites.end(),
                           [&](const StagedSite& site) { return site.round < s.round; });
      q_.launch(kernel.c_str(), staged);
      for (size_t i = 0; i < sites.size(); i++) {
        if (sites[i].round == s.round) activate(sites[i], s, int64_t(i), args.step.H);
      }
    }
  }

 private:
  void activate(const StagedSite& site, const Sites<real>& s, int64_t i, int64_t H) {
    real* const values = s.values + i * s.size;  // [rows, H]
    if (site.slope) {
      slope(q_, site.kind, values, s.kept + i * s.size, values, s.size / H, H);
    } else {
      hs::activate(q_, site.kind, values, values, s.size / H, H);
    }
  }

  CardQueue& q_;
  std::string name_;
  std::vector<std::vector<StagedSite>> sites_[2];  // of each phase backward, and forward
  int most_ = 0;                                   // sites of a phase; 0: no rounds
  Tensor values_, kept_;                           // [most, rows, H]
};

}  // namespace hs
