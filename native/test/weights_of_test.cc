// Plans that have the parameters of another one: what one writes or trains, the others read.
#include <algorithm>

#include "base/error.h"
#include "test/plan_spec.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

constexpr int64_t B = 3, T = 4, D = 2, H = 5;

Config sequences(const std::string& name) {
  Config op = lstm(name, "input", D, H, false);
  op.tree["options"].tree["returnSequences"] = flag(true);
  return op;
}

// A tagger of sequences, as a model that trains has it.
Config whole() { return model({T, D}, {sequences("r"), dense("d", "r", H, 2, "softmax")}, "d"); }

// The same under other names, from states to states; any number of steps.
Config stepped() {
  Config cell = sequences("step");
  cell.tree["options"].tree["takesStates"] = flag(true);
  cell.tree["options"].tree["givesStates"] = flag(true);
  cell.tree["inputs"].list = {text("input"), text("h"), text("c")};
  cell.tree["outputs"].list = {text("step"), text("h after"), text("c after")};
  Config spec = model({-1, D}, {cell, dense("out", "step", H, 2, "softmax")}, "out");
  for (const char* state : {"h", "c"})
    spec.tree["inputs"].list.push_back(tree({{"name", text(state)}, {"dims", extents({H})}}));
  for (const char* state : {"h after", "c after"}) {
    Config given = spec.tree["predictions"].list[0];
    given.tree["value"] = text(state);
    spec.tree["predictions"].list.push_back(given);
  }
  for (Config& given : spec.tree["predictions"].list) given.tree.erase("loss");
  spec.tree.erase("optimizer");
  for (Config& param : spec.tree["params"].list) {
    const std::string path = param.str("path");
    const std::string name = path.substr(path.find('/'));
    param.tree["from"] = text((path[0] == 's' ? "r" : "d") + name);
  }
  return spec;
}

// Of all steps, one run each.
std::vector<double> one_by_one(Plan& plan, const std::vector<double>& x) {
  std::vector<double> all(size_t(B * T * 2));
  std::vector<double> h(size_t(B * H)), c = h;
  for (int64_t t = 0; t < T; t++) {
    auto set = std::make_shared<DataSet>();
    std::vector<double> step;
    for (int64_t b = 0; b < B; b++)
      step.insert(step.end(), x.begin() + (b * T + t) * D, x.begin() + (b * T + t + 1) * D);
    set->x = {array({B, 1, D}, step), array({B, H}, h), array({B, H}, c)};
    set->samples = B;
    const RunResult result = run(plan, Mode::kPredict, set);
    for (int64_t b = 0; b < B; b++)
      std::copy_n(result.outputs[0].f64.begin() + b * 2, 2, all.begin() + (b * T + t) * 2);
    h = result.outputs[1].f64, c = result.outputs[2].f64;
  }
  return all;
}

std::vector<double> at_once(Plan& plan, const std::vector<double>& x) {
  return run(plan, Mode::kPredict, data(array({B, T, D}, x), {})).outputs[0].f64;
}

}  // namespace

TEST(steps_from_states_to_states_are_the_sequence) {
  const std::vector<double> x = noise(B * T * D, 5);
  const auto owner = compile(whole());
  const auto steps = compile(stepped(), owner.get());
  fill(*owner);
  CHECK(one_by_one(*steps, x) == at_once(*owner, x));
  CHECK(steps->read("step/W").f64 == owner->read("r/W").f64);

  std::vector<double> b = noise(4 * H, 9);  // packed with U
  owner->write("r/b", array({4 * H}, b));
  const std::vector<double> written = one_by_one(*steps, x);
  CHECK(written == at_once(*owner, x));
  for (int i = 0; i < 3; i++) {
    run(*owner, Mode::kTrain, data(array({B, T, D}, x), array({B, T, 2}, noise(B * T * 2, 6))));
    CHECK(one_by_one(*steps, x) == at_once(*owner, x));
  }
  CHECK(one_by_one(*steps, x) != written);
  b[0] += 1;
  steps->write("step/b", array({4 * H}, b));
  CHECK(owner->read("r/b").f64 == b);
  CHECK(one_by_one(*steps, x) == at_once(*owner, x));
}

TEST(shared_weights_outlive_the_plan_that_made_them) {
  const std::vector<double> x = noise(B * T * D, 5);
  auto owner = compile(whole());
  auto steps = compile(stepped(), owner.get());
  fill(*owner);
  const std::vector<double> y = at_once(*owner, x);
  CHECK(steps->bytes() < owner->bytes());
  owner.reset();
  CHECK(one_by_one(*steps, x) == y);
  const auto other = compile(stepped(), compile(whole()).get());
  CHECK(one_by_one(*other, x) == std::vector<double>(B * T * 2, 0.5));
}

TEST(weights_are_those_of_a_plan_that_has_them) {
  const auto owner = compile(whole());
  Config spec = stepped();
  param_of(spec, "step/U").tree["from"] = text("r/W");
  CHECK_ERROR(compile(spec, owner.get()), Code::kInternal, "step/U: what it is from");
  param_of(spec, "step/U").tree["from"] = text("r/V");
  CHECK_ERROR(compile(spec, owner.get()), Code::kInternal, "'r/V'");
  spec = stepped();
  spec.tree["floatx"] = text("float32");
  CHECK_ERROR(compile(spec, owner.get()), Code::kInternal, "floatx");
}

TEST(states_that_are_inputs_have_the_shape_of_states) {
  const auto steps = compile(stepped(), compile(whole()).get());
  auto set = std::make_shared<DataSet>();
  set->x = {array({B, 1, D}, noise(B * D, 1)), array({B, H}, noise(B * H, 2)),
            array({B, H}, noise(B * H, 3))};
  set->samples = B;
  run(*steps, Mode::kPredict, set);
  Config spec = stepped();
  spec.tree["inputs"].list[2].tree["dims"] = extents({H + 1});
  const auto wide = compile(spec, compile(whole()).get());
  set->x[2] = array({B, H + 1}, noise(B * (H + 1), 3));
  CHECK_ERROR(run(*wide, Mode::kPredict, set), Code::kShape, "a state before the first step");
  spec = stepped();
  spec.tree["ops"].list[0].tree["inputs"].list.pop_back();
  const auto few = compile(spec, compile(whole()).get());
  set->x[2] = array({B, H}, noise(B * H, 3));
  CHECK_ERROR(run(*few, Mode::kPredict, set), Code::kInternal, "the number of inputs must be 3");
}

}  // namespace test
}  // namespace hs
