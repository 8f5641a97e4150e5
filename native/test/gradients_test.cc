// Every gradient against central differences, in double: L = sum of a random projection of the
// output, (L(x+h) - L(x-h)) / 2h for every element of every parameter and input. Layers and cells
// come from the registries, so that a new one is checked without a line here; one without a case
// fails. h = 1e-5: the cut-off of the differences is h^2/6 of the third derivative, about 1e-11,
// their rounding about 1e-11 too. Tolerance 1e-6 relative to the larger of the two; a gradient
// below a thousandth of its tensor's largest is measured against that thousandth. Kinks (relu,
// hard_sigmoid, clips, hinge) are avoided by the inputs, not skipped.
#include <algorithm>
#include <cmath>
#include <set>

#include "device/cpu/objectives/objective.h"
#include "device/cpu/ops/parts/recurrence.h"
#include "program/program.h"
#include "test/faulty_op.h"
#include "test/layer_cases.h"
#include "test/peephole_cell.h"
#include "test/program_cases.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

constexpr double kStep = 1e-5, kTolerance = 1e-6;

struct Verdict {
  double error = 0;  // largest relative error; infinity where a gradient is not finite
  std::string where;
};

// analytic[n] against the differences of loss() as value[n] moves.
template <typename Loss>
void compare(Verdict& verdict, const std::string& name, double* value,
             const std::vector<double>& analytic, const Loss& loss) {
  std::vector<double> numeric;
  double largest = 0.1;
  for (size_t i = 0; i < analytic.size(); i++) {
    const double before = value[i];
    value[i] = before + kStep;
    const double up = loss();
    value[i] = before - kStep;
    const double down = loss();
    value[i] = before;
    numeric.push_back((up - down) / (2 * kStep));
    largest = std::max(largest, std::fabs(numeric.back()));
  }
  for (size_t i = 0; i < analytic.size(); i++) {
    const double size = std::max({std::fabs(analytic[i]), std::fabs(numeric[i]), 1e-3 * largest});
    double error = std::fabs(analytic[i] - numeric[i]) / size;
    if (!std::isfinite(error)) error = INFINITY;
    if (error > verdict.error) {
      verdict = {error, name + "[" + std::to_string(i) + "]: " + std::to_string(analytic[i]) +
                            " against " + std::to_string(numeric[i])};
    }
  }
}

Verdict check(Rig<double>& rig, bool indices = false, bool extent_only = false,
              const std::vector<std::string>& fixed = {}) {
  const auto loss = [&] {
    const std::vector<double> y = rig.forward();
    double sum = 0;
    for (size_t i = 0; i < y.size(); i++) sum += y[i] * rig.dy[i];
    return sum;
  };
  loss();
  rig.backward();
  std::map<std::string, std::vector<double>> dparams;
  for (const auto& [name, tensor] : rig.params) {
    if (std::find(fixed.begin(), fixed.end(), name) != fixed.end()) continue;
    dparams[name].assign(rig.gradient(name), rig.gradient(name) + rig.size(name));
  }
  const auto dx = rig.input_gradients;
  Verdict verdict;
  for (const auto& [name, gradient] : dparams)
    compare(verdict, name, rig.value(name), gradient, loss);
  for (size_t i = 0; i < dx.size(); i++) {
    if (indices || (extent_only && i == 1)) {  // no gradient: zeros
      for (double d : dx[i]) {
        if (d != 0)
          verdict = {INFINITY, "x" + std::to_string(i) + ": a gradient where there is none"};
      }
    } else {
      compare(verdict, "x" + std::to_string(i), rig.inputs[i].data(), dx[i], loss);
    }
  }
  return verdict;
}

TEST(gradients_of_every_layer_and_cell) {
  std::set<std::string> seen;
  for (const LayerCase& c : layer_cases()) {
    seen.insert(c.layer);
    Rig<double> rig = make_rig<double>(c);
    const Verdict v = check(rig, c.indices, c.extent_only, c.fixed);
    CHECK_MESSAGE(v.error <= kTolerance,
                  c.name + ", " + v.where + ", relative error " + std::to_string(v.error));
  }
  for (const std::string& name : layer_names())
    CHECK_MESSAGE(seen.count(name), "layer " + name + " has no case");
}

// Leaves of a scan among them.
TEST(every_node_of_programs_has_a_case) {
  std::set<std::string> seen;
  for (const auto& cases : {expression_cases(), scan_cases()}) {
    for (const LayerCase& c : cases) {
      const Config options = tree(c.options);
      for (const Config& node : options.at("nodes").list) seen.insert(node.str("op"));
    }
  }
  for (const std::string& name : node_names())
    CHECK_MESSAGE(seen.count(name), "node " + name + " has no case");
}

// Parameters of a frozen layer get no gradient, and dx stays right.
TEST(gradients_of_a_frozen_layer) {
  for (const char* name : {"dense", "recurrence"}) {
    for (const LayerCase& c : layer_cases()) {
      if (c.layer != name) continue;
      Rig<double> rig = make_rig<double>(c);
      rig.forward(), rig.backward();
      Rig<double> frozen = make_rig<double>(
          c, true, 1, make_layer<double>(c.layer, tree(c.options), {"rig", "Rig", 3, false}));
      frozen.forward(), frozen.backward();
      CHECK_MESSAGE(frozen.input_gradients == rig.input_gradients, c.name);
      rig.wants_input_gradient = false;  // the first layer of a model
      rig.forward(), rig.backward();
      for (const auto& [param, tensor] : rig.params)
        CHECK_MESSAGE(std::isfinite(rig.gradient(param)[0]), c.name);
      break;
    }
  }
}

// Negative control: ops that are wrong in one way each.
double error_of(FaultyOp::Fault fault) {
  Rig<double> rig = faulty_rig(std::make_unique<FaultyOp>(fault));
  return check(rig).error;
}

TEST(broken_layers_are_caught) {
  CHECK(error_of(FaultyOp::kNone) <= kTolerance);
  for (auto fault : {FaultyOp::kFactor, FaultyOp::kOneElement, FaultyOp::kForgotten,
                     FaultyOp::kAdded, FaultyOp::kOldScratch}) {
    CHECK_MESSAGE(error_of(fault) > kTolerance, "fault " + std::to_string(fault));
  }
  bool caught = false;
  try {
    error_of(FaultyOp::kWritesBeyond);
  } catch (const std::runtime_error&) {
    caught = true;
  }
  CHECK(caught);
}

// Negative control for cells: every cell of the registry with one gate gradient a thousandth too
// large.
void broken_backward(const void* self, int phase, const CellArgs<double>& a) {
  const auto& whole = *static_cast<const CellKernels<double>*>(self);
  whole.backward(whole.self, phase, a);
  const int64_t G = int64_t(std::string(whole.gates).size());
  for (int64_t r = a.r0; r < a.r1; r++) a.gates[r * G * a.H] *= 1.001;
}

TEST(broken_cells_are_caught) {
  for (const std::string& name : cell_names()) {
    const CellKernels<double>& whole = *kernels<double>().cell(name.c_str());
    CellKernels<double> broken = whole;
    for (bool breaks : {false, true}) {
      if (breaks) broken.self = &whole, broken.backward = broken_backward;
      const Config options = tree({{"cell", name}, {"units", 3}, {"returnSequences", true}});
      Rig<double> rig = make_rig<double>(
          {"recurrence", name, {}, {{3, {4, 2}}}}, true, 1,
          std::make_unique<Recurrence<double>>(options, kRigged, kernels<double>(), &broken,
                                               kernels<double>().fused_cell(name.c_str())));
      CHECK_MESSAGE((check(rig).error > kTolerance) == breaks, name);
    }
  }
}

// A cell that asks for all there is: phases, operands, auxes, vectors. The last two switches:
// carried or learned states.
Rig<double> peephole_rig(int bits, double dropout, const FusedCell<double>* fused, int checkpoint,
                         const CellKernels<double>& cell = peephole_cell(),
                         const char* activation = "tanh") {
  const Options options = {{"cell", "peephole"},
                           {"units", 3},
                           {"activation", activation},
                           {"innerActivation", "sigmoid"},  // no kinks
                           {"goBackwards", bool(bits & 2)},
                           {"returnSequences", bool(bits & 4)},
                           {"stateful", bool(bits & 8)},
                           {"learnedStates", bool(bits & 16)},
                           {"dropoutW", dropout},
                           {"dropoutU", dropout},
                           {"checkpoint", checkpoint}};
  return make_rig<double>({"recurrence", "peephole", options, {{3, {5, 2}}}, bool(bits & 1)}, true,
                          1,
                          std::make_unique<Recurrence<double>>(tree(options), kRigged,
                                                               kernels<double>(), &cell, fused));
}

TEST(gradients_of_a_cell_with_peepholes) {
  for (int bits = 0; bits < 24; bits++) {
    for (double dropout : {0.0, 0.4}) {
      for (int checkpoint : {0, 2}) {
        const std::string name = std::to_string(bits) + (dropout > 0 ? ", dropout" : "") +
                                 (checkpoint ? ", segments" : "");
        std::vector<std::vector<double>> outputs;
        for (const FusedCell<double>* fused :
             {&peephole_fused(), (const FusedCell<double>*)nullptr}) {
          Rig<double> rig = peephole_rig(bits, dropout, fused, checkpoint);
          const Verdict v = check(rig);
          CHECK_MESSAGE(v.error <= kTolerance, name + (fused ? ", " : ", rows, ") + v.where);
          CHECK(rig.params.count("pi") && rig.params.count("po"));
          outputs.push_back(rig.forward());
        }
        for (size_t i = 0; i < outputs[0].size(); i++)  // sums in another order
          CHECK_CLOSE(outputs[0][i], outputs[1][i], 1e-12);
      }
      Rig<double> whole = peephole_rig(bits, dropout, &peephole_fused(), 0),
                  parts = peephole_rig(bits, dropout, &peephole_fused(), 2);
      CHECK(whole.forward() == parts.forward());
      whole.backward(), parts.backward();
      CHECK(whole.input_gradients == parts.input_gradients);
      for (const auto& [param, tensor] : whole.params)
        CHECK_MESSAGE(std::equal(whole.gradient(param), whole.gradient(param) + tensor.size,
                                 parts.gradient(param)),
                      param);
    }
  }
  Rig<double> softmax = peephole_rig(4, 0, &peephole_fused(), 0, peephole_cell(), "softmax");
  CHECK(check(softmax).error <= kTolerance);
}

// Negative controls: a vector's gradient, and that of the operand c, a thousandth too large.
TEST(broken_peepholes_are_caught) {
  const auto error_with = [](void (*backward)(const void*, int, const CellArgs<double>&)) {
    CellKernels<double> broken = peephole_cell();
    broken.self = &peephole_cell();
    broken.backward = backward;
    Rig<double> rig = peephole_rig(4, 0, &peephole_fused(), 0, broken);
    return check(rig).error;
  };
  CHECK(error_with([](const void* self, int phase, const CellArgs<double>& a) {
          const auto& whole = *static_cast<const CellKernels<double>*>(self);
          whole.backward(whole.self, phase, a);
        }) <= kTolerance);
  CHECK(error_with([](const void* self, int phase, const CellArgs<double>& a) {
          const auto& whole = *static_cast<const CellKernels<double>*>(self);
          whole.backward(whole.self, phase, a);
          if (phase == 1) a.dvectors[a.dvector_stride + a.r0 * a.H] *= 1.001;
        }) > kTolerance);
  CHECK(error_with([](const void* self, int phase, const CellArgs<double>& a) {
          const auto& whole = *static_cast<const CellKernels<double>*>(self);
          if (phase == 0) a.dc[a.r0 * a.H] *= 1.001;
          whole.backward(whole.self, phase, a);
        }) > kTolerance);
}

// --- objectives

// Pairs (t, p) an objective is tried with. Logarithms want p > 0; 1 - t p stays off 0, p off t, off
// the ends of the clips.
struct Pairs {
  const char* name;
  std::set<std::string> not_for;
  double (*t)(std::mt19937&);
  double (*p)(std::mt19937&);
};
double unit(std::mt19937& random) { return double(random()) / 4294967296.0; }
const Pairs kPairs[] = {
    {"probabilities",
     {},
     [](std::mt19937& r) { return 0.1 + 0.8 * unit(r); },
     [](std::mt19937& r) { return 0.05 + 0.9 * unit(r); }},
    {"zeros and ones",
     {},
     [](std::mt19937& r) { return double(r() % 2); },
     [](std::mt19937& r) { return 0.05 + 0.9 * unit(r); }},
    {"signs",
     {"categorical_crossentropy", "sparse_categorical_crossentropy", "poisson"},
     [](std::mt19937& r) { return r() % 2 ? 1.0 : -1.0; },
     [](std::mt19937& r) {
       return (r() % 2 ? 1 : -1) * (r() % 2 ? 0.2 + 0.7 * unit(r) : 1.1 + unit(r));
     }},
};

Verdict check(const Objective<double>& o, const Pairs& pairs) {
  constexpr int64_t rows = 6, K = 5;
  const int64_t Ky = o.sparse ? 1 : K;
  std::mt19937 random(5);
  std::vector<double> t(rows * Ky), p(rows * K), coef(rows), dp(rows * K, NAN), score(rows);
  for (double& v : t) v = o.sparse ? double(random() % K) : pairs.t(random);
  for (double& v : p) v = pairs.p(random);
  for (double& v : coef) v = unit(random) - 0.5;
  o.gradient(dp.data(), coef.data(), t.data(), p.data(), rows, Ky, K);
  Verdict verdict;
  compare(verdict, std::string(o.name) + " of " + pairs.name, p.data(), dp, [&] {
    o.value(score.data(), t.data(), p.data(), rows, Ky, K);
    double sum = 0;
    for (int64_t r = 0; r < rows; r++) sum += coef[r] * score[r];
    return sum;
  });
  return verdict;
}

TEST(gradients_of_every_objective) {
  for (const char* const* name = objective_names(); *name; name++) {
    for (const Pairs& pairs : kPairs) {
      if (pairs.not_for.count(*name)) continue;
      const Verdict v = check(*objective<double>(*name), pairs);
      CHECK_MESSAGE(v.error <= kTolerance, v.where + ", relative error " + std::to_string(v.error));
    }
  }
}

TEST(broken_objective_is_caught) {
  Objective<double> o = *objective<double>("mean_squared_error");
  o.gradient = objective<double>("mean_absolute_error")->gradient;
  CHECK(check(o, kPairs[0]).error > kTolerance);
}

}  // namespace
}  // namespace test
}  // namespace hs
