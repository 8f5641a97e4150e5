// A plan as a function (Mode::kCall): values out, gradients read by ops that run after backward,
// parameters that become new values together.
#include <cmath>

#include "base/error.h"
#include "test/plan_spec.h"
#include "test/program_cases.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

// x [3, 2] of one sample; cost = sum over rows of (x w)^2, w [2, 1]. After backward v' = 0.9 v -
// lr dw, w' = w + v'. Outputs: the cost, dw, dx.
Config descent() {
  ProgramText p;
  const int product = p.dot(p.input(0), p.param("w", {2, 1}));
  const int cost = p.node("sum", {p.node("square", {product})}, {{"axes", Dims{0, 1}}});
  ProgramText q;
  const int old = q.param("v", {2, 1});
  const int v = q.node("sub", {q.mul(q.number(0.9), old), q.mul(q.input(1), q.input(0))});
  const int w = q.add(q.param("w", {2, 1}), v);
  Config forward =
      op("expression", "f", {"x"}, "cost", tree(p.expression({cost}, true)), {param("w", {2, 1})});
  Config same_w = param("w", {2, 1});
  same_w.tree["param"] = text("f/w");
  Config after = op("expression", "u", {"gradient:f/w", "lr"}, "new v",
                    tree(q.expression({v, w}, true)), {param("v", {2, 1}), same_w});
  after.tree["outputs"].list.push_back(text("new w"));
  after.tree["after"] = text("gradients");
  Config spec = model({3, 2}, {forward, after}, "cost");
  param_of(spec, "u/v").tree["trainable"] = flag(false);
  Config x = tree({{"name", text("x")}, {"dims", extents({3, 2})}});
  spec.tree["inputs"] = list({x, tree({{"name", text("lr")}, {"dims", extents({})}})});
  spec.tree["predictions"] = list({});
  for (const char* value : {"cost", "gradient:f/w", "gradient:x"})
    spec.tree["predictions"].list.push_back(tree({{"value", text(value)}}));
  spec.tree["optimizer"] = {};
  spec.tree["cost"] = text("cost");
  spec.tree["updates"] = list({tree({{"param", text("u/v")}, {"value", text("new v")}}),
                               tree({{"param", text("f/w")}, {"value", text("new w")}})});
  return spec;
}

std::shared_ptr<const DataSet> call_data(double lr, double first = 1) {
  auto set = std::make_shared<DataSet>();
  set->x = {array({1, 3, 2}, {first, 2, -1, 0.5, 3, -2}), array({1}, {lr})};
  set->samples = 1;
  return set;
}

const std::vector<double> kX = {1, 2, -1, 0.5, 3, -2};

TEST(a_call_gives_values_and_updates_parameters_together) {
  const std::unique_ptr<Plan> plan = compile(descent());
  std::vector<double> w = {0.5, -0.25}, v = {0.1, 0.2};
  plan->write("f/w", array({2, 1}, w));
  plan->write("u/v", array({2, 1}, v));
  for (int step = 0; step < 3; step++) {
    const RunResult r = run(*plan, Mode::kCall, call_data(0.01), 1);
    double cost = 0;
    std::vector<double> dw(2), dx(6);
    for (size_t i = 0; i < 3; i++) {
      const double y = kX[2 * i] * w[0] + kX[2 * i + 1] * w[1];
      cost += y * y;
      for (size_t k = 0; k < 2; k++) dw[k] += 2 * y * kX[2 * i + k], dx[2 * i + k] = 2 * y * w[k];
    }
    CHECK(r.outputs.size() == 3 && r.bad_batch == -1);
    CHECK(std::fabs(r.outputs[0].f64[0] - cost) < 1e-12);
    for (size_t k = 0; k < 2; k++) CHECK(std::fabs(r.outputs[1].f64[k] - dw[k]) < 1e-12);
    for (size_t k = 0; k < 6; k++) CHECK(std::fabs(r.outputs[2].f64[k] - dx[k]) < 1e-12);
    for (size_t k = 0; k < 2; k++) {
      v[k] = 0.9 * v[k] - 0.01 * dw[k];
      w[k] += v[k];
      CHECK(std::fabs(plan->read("f/w").f64[k] - w[k]) < 1e-12);
      CHECK(std::fabs(plan->read("u/v").f64[k] - v[k]) < 1e-12);
    }
  }
}

TEST(a_call_that_is_not_finite_changes_nothing) {
  const std::unique_ptr<Plan> plan = compile(descent());
  plan->write("f/w", array({2, 1}, {0.5, -0.25}));
  for (const double first : {double(NAN), double(INFINITY)}) {
    const RunResult r = run(*plan, Mode::kCall, call_data(0.01, first), 1);
    CHECK(r.bad_batch == 0 && !r.bad_layer.empty() && !std::isfinite(r.outputs[1].f64[0]));
    CHECK(plan->read("f/w").f64[0] == 0.5 && plan->read("u/v").f64[0] == 0);
  }
}

// A gradient of what the cost is not made of, and a new value of another shape, are refused.
TEST(a_call_checks_its_spec) {
  Config other = descent();
  other.tree["predictions"].list[2].tree["value"] = text("gradient:lr");
  CHECK_ERROR(run(*compile(other), Mode::kCall, call_data(0.01), 1), Code::kInternal, "cost");
  Config shape = descent();
  shape.tree["updates"].list[0].tree["value"] = text("cost");
  CHECK_ERROR(run(*compile(shape), Mode::kCall, call_data(0.01), 1), Code::kShape, "u/v");
  Config no_cost = descent();
  no_cost.tree["cost"] = {};
  CHECK_ERROR(compile(no_cost), Code::kInternal, "gradient");
  Config fixed = descent();
  fixed.tree["predictions"].list[1].tree["value"] = text("gradient:u/v");
  CHECK_ERROR(compile(fixed), Code::kInternal, "gradient:u/v");
  Config unknown = descent();
  unknown.tree["updates"].list[0].tree["param"] = text("u/z");
  CHECK_ERROR(compile(unknown), Code::kInternal, "u/z");
}

}  // namespace
}  // namespace test
}  // namespace hs
