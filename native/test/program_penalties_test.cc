// Penalties and constraints that are programs beside the named ones that they copy, on the checking
// device too.
#include <cmath>
#include <functional>

#include "base/error.h"
#include "plan/typed_plan.h"
#include "test/checking_device.h"
#include "test/plan_spec.h"
#include "test/program_cases.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

Config used(const std::string& path, const Dims& dims) {
  Config p = param("w", dims);
  p.tree["param"] = text(path);
  return p;
}

// A program of a parameter w, or of a value that is its input 0, as an op of a model's spec.
Config program_op(const std::string& name, const std::string& input, const std::string& after,
                  const ProgramText& p, int output, std::vector<Config> params, bool whole) {
  Config c = op("expression", name, {input}, name, tree(p.expression({output}, whole)), params);
  c.tree["after"] = text(after);
  return c;
}

// 0.3 sum w^2 of d/W [3, 2]
Config squares_of_w() {
  ProgramText p;
  const int sum = p.node("sum", {p.node("square", {p.param("w", {3, 2})})}, {{"axes", Dims{0, 1}}});
  return program_op("d/W/penalty", "input", "outputs", p, p.mul(p.number(0.3), sum),
                    {used("d/W", {3, 2})}, true);
}

// 0.1 sum y^2 of an output [B, 2]
Config squares_of(const std::string& value) {
  ProgramText p;
  const int sum = p.node("sum", {p.node("square", {p.input(0)})}, {{"axes", Dims{0, 1}}});
  const int all = p.node("reshape", {p.mul(p.number(0.1), sum)}, {{"dims", Dims{1}}});
  return program_op("activity", value, "outputs", p, all, {}, false);
}

// w (w >= 0)
Config not_negative() {
  ProgramText p;
  const int w = p.param("w", {3, 2});
  const int is = p.node("less_equal", {p.number(0), w});
  return program_op("d/W/constraint", "input", "update", p, p.mul(w, is), {used("d/W", {3, 2})},
                    true);
}

// x [B, 3] -> d [B, 2] -> e [B, 2]
Config two_layers() {
  Config spec =
      model({3}, {dense("d", "input", 3, 2, "tanh"), dense("e", "d", 2, 2, "linear")}, "e");
  return spec;
}

Config written(bool penalizes, bool holds) {
  Config spec = two_layers();
  std::vector<Config>& ops = spec.tree["ops"].list;
  if (penalizes) {
    ops.push_back(squares_of_w());
    ops.push_back(squares_of("d"));
    spec.tree["penalties"] = list({text("d/W/penalty"), text("activity")});
  }
  if (holds) {
    ops.push_back(not_negative());
    spec.tree["updates"] =
        list({tree({{"param", text("d/W")}, {"value", text("d/W/constraint")}})});
  }
  // Ops of a spec name parameters of the model; those that test/plan_spec.cc has made of these are
  // the same.
  return spec;
}

Config named(bool penalizes, bool holds) {
  Config spec = two_layers();
  if (penalizes) {
    param_of(spec, "d/W").tree["penalty"] = tree({{"l1", number(0)}, {"l2", number(0.3)}});
    spec.tree["ops"].list[0].tree["activity"] = tree({{"l1", number(0)}, {"l2", number(0.1)}});
  }
  if (holds) param_of(spec, "d/W").tree["constraint"] = tree({{"name", text("nonneg")}});
  return spec;
}

std::shared_ptr<const DataSet> rows() {
  return data(array({6, 3}, noise(18, 3)), array({6, 2}, noise(12, 4)),
              array({6}, {1, 2, 1, 0, 1, 1}));
}

void check_same(Plan& want, Plan& got, double tolerance) {
  fill(want), fill(got);
  const auto set = rows();
  CHECK_CLOSE(run(got, Mode::kTest, set).last[0], run(want, Mode::kTest, set).last[0], tolerance);
  for (int step = 0; step < 3; step++) {
    const RunResult w = run(want, Mode::kTrain, set, 3), g = run(got, Mode::kTrain, set, 3);
    CHECK_CLOSE(g.last[0], w.last[0], tolerance);
    for (const char* path : {"d/W", "d/b", "e/W"}) {
      const std::vector<double> a = want.read(path).f64, b = got.read(path).f64;
      for (size_t i = 0; i < a.size(); i++) CHECK_CLOSE(b[i], a[i], tolerance);
    }
  }
  const std::vector<double> a = run(want, Mode::kPredict, set).outputs[0].f64,
                            b = run(got, Mode::kPredict, set).outputs[0].f64;
  for (size_t i = 0; i < a.size(); i++) CHECK_CLOSE(b[i], a[i], tolerance);
}

TEST(penalties_and_constraints_that_are_programs_are_the_named_ones) {
  for (const auto& [penalizes, holds] : {std::pair{true, false}, {false, true}, {true, true}}) {
    const std::unique_ptr<Plan> want = compile(named(penalizes, holds)),
                                got = compile(written(penalizes, holds));
    check_same(*want, *got, 1e-12);
  }
}

TEST(penalties_that_are_programs_agree_with_differences) {
  const std::unique_ptr<Plan> plan = compile(written(true, false));
  fill(*plan);
  CHECK(gradient_error(*plan, rows()) < 1e-7);
}

TEST(penalties_of_what_is_frozen_count_without_a_gradient) {
  Config want = named(true, true), got = written(true, false);
  for (Config* spec : {&want, &got}) param_of(*spec, "d/W").tree["trainable"] = flag(false);
  check_same(*compile(want), *compile(got), 1e-12);
}

TEST(programs_of_a_step_touch_numbers_through_the_device_alone) {
  Config spec = written(true, true);
  spec.tree["device"] = text("cpu");
  const std::unique_ptr<Plan> plain = compile(spec);
  auto device = std::make_unique<CheckingDevice<double>>();
  TypedPlan<double> checked(spec, std::move(device));
  check_same(*plain, checked, 0);
}

// The update has happened; the batch is told as one that went wrong.
TEST(a_constraint_that_is_not_finite_is_not_applied) {
  Config spec = two_layers();
  ProgramText p;
  const int bad = p.node("log", {p.param("w", {3, 2})});  // of negative numbers
  spec.tree["ops"].list.push_back(
      program_op("d/W/constraint", "input", "update", p, bad, {used("d/W", {3, 2})}, true));
  spec.tree["updates"] = list({tree({{"param", text("d/W")}, {"value", text("d/W/constraint")}})});
  const std::unique_ptr<Plan> plan = compile(spec), without = compile(two_layers());
  fill(*plan), fill(*without);
  run(*without, Mode::kTrain, rows());
  const RunResult r = run(*plan, Mode::kTrain, rows());
  CHECK(r.bad_batch == 0 && r.bad_layer == "constraint of d/W");
  CHECK(plan->read("d/W").f64 == without->read("d/W").f64);
}

TEST(a_batch_that_is_not_finite_is_not_constrained) {
  const std::unique_ptr<Plan> plan = compile(written(true, true));
  fill(*plan);
  const std::vector<double> before = plan->read("d/W").f64;
  auto set = std::make_shared<DataSet>(*rows());
  set->x[0].f64[2] = NAN;
  const RunResult r = run(*plan, Mode::kTrain, set);
  CHECK(r.bad_batch == 0 && r.bad_layer.find("constraint") == std::string::npos);
  CHECK(plan->read("d/W").f64 == before);
  const bool any = std::any_of(before.begin(), before.end(), [](double w) { return w < 0; });
  CHECK(any);
}

TEST(penalties_are_one_number) {
  Config spec = two_layers();
  ProgramText p;
  spec.tree["ops"].list.push_back(program_op("d/W/penalty", "input", "outputs", p,
                                             p.node("square", {p.param("w", {3, 2})}),
                                             {used("d/W", {3, 2})}, true));
  spec.tree["penalties"] = list({text("d/W/penalty")});
  CHECK_ERROR(run(*compile(spec), Mode::kTest, rows()), Code::kShape, "penalty");
  Config when = two_layers();
  when.tree["ops"].list.push_back(squares_of("d"));
  when.tree["ops"].list.back().tree["after"] = text("noon");
  CHECK_ERROR(compile(when), Code::kInternal, "after");
}

}  // namespace
}  // namespace test
}  // namespace hs
