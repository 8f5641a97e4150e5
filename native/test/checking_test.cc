// Every op and whole plans on the device that checks (checking_device.h): the bits are those of the
// CPU, so nothing was read that had not been declared, and no number was touched but through the
// device.
#include <algorithm>
#include <cmath>
#include <cstring>

#if defined(__linux__)
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#endif

#include "base/error.h"
#include "plan/typed_plan.h"
#include "test/card.h"
#include "test/checking_device.h"
#include "test/faulty_op.h"
#include "test/layer_cases.h"
#include "test/plan_spec.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

template <typename real>
bool same_bits(const std::vector<real>& a, const std::vector<real>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(real)) == 0);
}

// What an op has computed; the mask only where it makes one (a rig hands out room for it to all).
struct Outcome {
  std::vector<std::vector<double>> numbers;
  std::vector<double> mask_out;
};

Outcome outcome(Rig<double>& rig, const std::vector<std::string>& fixed) {
  Outcome out;
  out.numbers.push_back(rig.forward());
  out.mask_out = rig.mask_out;
  rig.backward();
  for (const auto& [name, tensor] : rig.params) {
    if (std::find(fixed.begin(), fixed.end(), name) != fixed.end()) continue;
    out.numbers.push_back({rig.gradient(name), rig.gradient(name) + tensor.size});
  }
  for (const auto& [name, tensor] : rig.nexts)
    out.numbers.push_back({rig.next(name), rig.next(name) + tensor.size});
  for (const auto& dx : rig.input_gradients) out.numbers.push_back(dx);
  rig.commit();
  for (const auto& [name, tensor] : rig.carries)
    out.numbers.push_back({rig.carry(name), rig.carry(name) + tensor.size});
  return out;
}

void check_case(const LayerCase& c) {
  Rig<double> plain = make_rig<double>(c);
  Rig<double> checked =
      make_rig<double>(c, true, 1,
                       std::make_unique<CheckingLayer<double>>(
                           make_layer<double>(c.layer, tree(c.options)), kRigged));
  const Outcome want = outcome(plain, c.fixed), got = outcome(checked, c.fixed);
  CHECK_MESSAGE(want.numbers.size() == got.numbers.size(), c.name);
  for (size_t i = 0; i < want.numbers.size(); i++)
    CHECK_MESSAGE(same_bits(want.numbers[i], got.numbers[i]), c.name + " " + std::to_string(i));
  const bool makes = std::any_of(got.mask_out.begin(), got.mask_out.end(),
                                 [](double v) { return !std::isnan(v); });
  CHECK_MESSAGE(!makes || same_bits(want.mask_out, got.mask_out), c.name + " mask");
}

bool caught(FaultyOp::Fault fault) {
  try {
    Rig<double> rig = faulty_rig(
        std::make_unique<CheckingLayer<double>>(std::make_unique<FaultyOp>(fault), kRigged));
    double sum = 0;
    for (double v : rig.forward()) sum += v;
    rig.backward();
    for (double v : rig.input_gradients[0]) sum += v;
    for (int k = 0; k < 4; k++) sum += rig.gradient("w")[k];
    return std::isnan(sum);
  } catch (const std::runtime_error&) {
    return true;
  }
}

// --- whole plans

std::unique_ptr<Plan> checked(const Config& spec, CheckingDevice<double>** device = nullptr) {
  auto made = std::make_unique<CheckingDevice<double>>();
  if (device) *device = made.get();
  return std::make_unique<TypedPlan<double>>(spec, std::move(made));
}

Config normalise(const std::string& layer, const std::string& input, int64_t C) {
  std::vector<Config> params = {param("gamma", {C}), param("beta", {C}), param("running_mean", {C}),
                                param("running_std", {C})};
  params[2].tree["trainable"] = params[3].tree["trainable"] = flag(false);
  return op("batch_normalization", layer, {input}, layer,
            tree({{"mode", number(0)},
                  {"axis", number(1)},
                  {"features", number(double(C))},
                  {"epsilon", number(0.01)},
                  {"momentum", number(0.5)}}),
            params);
}

// Words, a mask, carried states, dropout, running statistics used twice, shared weights, penalties,
// constraints, clipping, metrics.
Config everything() {
  Config words =
      op("embedding", "e", {"input"}, "e",
         tree({{"inputDim", number(7)}, {"outputDim", number(4)}, {"maskZero", flag(true)}}),
         {param("W", {7, 4})});
  words.tree["maskOut"] = text("e/mask");
  Config recurrence = lstm("r", "e", 4, 3, true);
  recurrence.tree["mask"] = text("e/mask");
  recurrence.tree["options"].tree["dropoutU"] = number(0.3);
  recurrence.tree["activity"] = tree({{"l1", number(0.01)}});
  Config drop = op("dropout", "o", {"n"}, "o", tree({{"p", number(0.4)}}));
  Config twice = dense("d", "o", 3, 3, "tanh"), again = dense("d2", "d", 3, 3, "sigmoid");
  for (Config& use : again.tree["params"].list) use.tree["param"] = text("d/" + use.str("name"));
  Config second = normalise("m", "d2", 3);
  for (Config& use : second.tree["params"].list) use.tree["param"] = text("n/" + use.str("name"));
  Config sum = op("merge", "s", {"d", "m"}, "s", tree({{"mode", text("sum")}}));
  Config spec =
      model({5}, {words, recurrence, normalise("n", "r", 3), drop, twice, again, second, sum}, "s");
  output_of(spec)["metrics"] = list({tree({{"name", text("mean_absolute_error")}})});
  spec.tree["optimizer"] = tree({{"name", text("adam")},
                                 {"lr", number(0.01)},
                                 {"beta1", number(0.9)},
                                 {"beta2", number(0.999)},
                                 {"clipnorm", number(1)},
                                 {"clipvalue", number(0.2)}});
  param_of(spec, "r/W").tree["penalty"] = tree({{"l2", number(0.1)}});
  param_of(spec, "e/W").tree["constraint"] =
      tree({{"name", text("maxnorm")}, {"m", number(1)}, {"axis", number(1)}});
  return spec;
}

std::shared_ptr<const DataSet> words_and_targets(bool finite) {
  std::vector<double> x = noise(4 * 5, 3, 3.5), y = noise(4 * 3, 4);
  for (double& v : x) v = std::floor(v + 3.5);
  if (!finite) y[2] = NAN;
  return data(array({4, 5}, x), array({4, 3}, y), array({4}, {1, 0.5, 2, 1}));
}

// Parameters, gradients, moments, states, values, counts: all but what ops keep for themselves.
void check_same(const Plan& want, const Plan& got, const std::string& when) {
  const std::vector<std::string> names = want.names();
  CHECK_MESSAGE(names == got.names(), when);
  for (const std::string& name : names) {
    if (name.find('/') != std::string::npos && name.find("next ") == std::string::npos) {
      const bool lasting = name.find(':') != std::string::npos ||
                           name.rfind("optimizer/", 0) == 0 || name.rfind("random/", 0) == 0 ||
                           name.find("/mask") != std::string::npos;
      const bool param = std::find(names.begin(), names.end(), name + ":grad") != names.end() ||
                         name.find("running") != std::string::npos;
      if (!lasting && !param) continue;
    }
    CHECK_MESSAGE(same_bits(want.read(name).f64, got.read(name).f64), when + ": " + name);
  }
}

}  // namespace

TEST(every_op_keeps_to_what_it_has_declared) {
  for (const LayerCase& c : layer_cases()) check_case(c);
}

TEST(ops_that_do_not_are_caught) {
  CHECK(!caught(FaultyOp::kNone));
  for (const FaultyOp::Fault fault :
       {FaultyOp::kReadsBeyond, FaultyOp::kOldScratch, FaultyOp::kForgotten,
        FaultyOp::kWritesBeyond, FaultyOp::kWritesInput, FaultyOp::kWritesParam,
        FaultyOp::kWritesGradientOfOutput, FaultyOp::kWritesUndeclared})
    CHECK_MESSAGE(caught(fault), "fault " + std::to_string(fault));
}

TEST(a_plan_reaches_numbers_through_its_device_alone) {
  Config spec = everything();
  spec.tree["device"] = text("cpu");
  CheckingDevice<double>* device = nullptr;
  const std::unique_ptr<Plan> plain = compile(spec), plan = checked(spec, &device);
  const std::unique_ptr<Plan>* both[] = {&plain, &plan};
  for (const auto* p : both) {
    fill(**p);
    (*p)->write("n/running_std", array({3}, {1, 2, 3}));
  }
  check_same(*plain, *plan, "before");
  const Mode modes[] = {Mode::kTrain, Mode::kGradient, Mode::kTest, Mode::kPredict, Mode::kTrain};
  for (const bool finite : {true, false, true}) {
    const auto set = words_and_targets(finite);
    for (Mode mode : modes) {
      const RunResult want = run(*plain, mode, set), got = run(*plan, mode, set);
      const std::string when = "mode " + std::to_string(int(mode)) + (finite ? "" : " of a NaN");
      CHECK_MESSAGE(same_bits(want.last, got.last) && same_bits(want.sums, got.sums), when);
      CHECK_MESSAGE(want.outputs.size() == got.outputs.size(), when);
      for (size_t i = 0; i < want.outputs.size() && i < got.outputs.size(); i++)
        CHECK_MESSAGE(same_bits(want.outputs[i].f64, got.outputs[i].f64), when);
      CHECK_MESSAGE(want.bad_batch == got.bad_batch && want.bad_layer == got.bad_layer &&
                        want.bad_number.array == got.bad_number.array,
                    when);
      CHECK_MESSAGE((got.bad_batch == 0) == (!finite && mode != Mode::kPredict), when);
      check_same(*plain, *plan, when);
    }
  }
  for (const auto* p : both) (*p)->reset_states();
  check_same(*plain, *plan, "after");
  for (const char* call : {"gather", "penalize", "check", "total", "apply", "commit",
                           "add_gradient", "value", "gradient", "measure", "recurrence backward"})
    CHECK_MESSAGE(device->calls[call] > 0, call);
}

TEST(a_plan_on_a_card_trains_as_on_the_cpu) {
  if (!card_wanted()) return;
  Config spec = everything();
  const std::unique_ptr<Plan> got = compile(spec);
  spec.tree["device"] = text("cpu");
  const std::unique_ptr<Plan> want = compile(spec);
  for (Plan* const plan : {got.get(), want.get()}) {
    fill(*plan);
    plan->write("n/running_std", array({3}, {1, 2, 3}));
  }
  const auto close = [](const std::vector<double>& a, const std::vector<double>& b) {
    return a.size() == b.size() && distance(a.data(), b.data(), int64_t(a.size())) < 1e-9;
  };
  const Mode modes[] = {Mode::kTrain, Mode::kGradient, Mode::kTest, Mode::kPredict, Mode::kTrain};
  for (const bool finite : {true, false, true}) {
    const auto set = words_and_targets(finite);
    for (const Mode mode : modes) {
      const std::string when = "mode " + std::to_string(int(mode)) + (finite ? "" : " of a NaN");
      const RunResult a = run(*got, mode, set), b = run(*want, mode, set);
      CHECK_MESSAGE(close(a.last, b.last) && close(a.sums, b.sums), when);
      CHECK_MESSAGE(a.bad_batch == b.bad_batch && a.bad_layer == b.bad_layer &&
                        a.bad_number.array == b.bad_number.array && a.bad_nothing == b.bad_nothing,
                    when + ": " + a.bad_layer + ", not " + b.bad_layer);
      CHECK_MESSAGE(a.outputs.size() == b.outputs.size(), when);
      for (size_t i = 0; i < a.outputs.size() && i < b.outputs.size(); i++)
        CHECK_MESSAGE(close(a.outputs[i].f64, b.outputs[i].f64), when);
      const std::vector<std::string> names = got->names();
      for (const std::string& name : want->names()) {
        const bool lasts =
            name.find("/") != std::string::npos &&
            (name.find(':') == std::string::npos || name.find(":grad") != std::string::npos) &&
            std::find(names.begin(), names.end(), name) != names.end() &&
            std::find(names.begin(), names.end(), name + ":grad") != names.end();
        if (lasts || name.rfind("optimizer/", 0) == 0)
          CHECK_MESSAGE(close(got->read(name).f64, want->read(name).f64), when + ": " + name);
      }
    }
  }
}

// A batch waits for its numbers once, whatever it trains.
TEST(a_step_reads_its_numbers_once) {
  CheckingDevice<double>* device = nullptr;
  const std::unique_ptr<Plan> plan = checked(everything(), &device);
  fill(*plan);
  plan->write("n/running_std", array({3}, {1, 2, 3}));
  run(*plan, Mode::kTrain, words_and_targets(true));
  for (const Mode mode : {Mode::kTrain, Mode::kGradient, Mode::kTest}) {
    device->calls.clear();
    run(*plan, mode, words_and_targets(true), 1000);
    CHECK(device->calls["download"] == 1 && device->calls["finite"] == 0);
    CHECK(device->calls["batch"] == 1);
  }
}

TEST(the_checking_device_refuses_pointers_of_the_host) {
  CheckingDevice<double> device;
  double host[4] = {};
  double* const here = static_cast<double*>(device.allocate(4 * sizeof(double), false));
  const auto refused = [](const auto& fn) {
    try {
      fn();
    } catch (const std::runtime_error&) {
      return true;
    }
    return false;
  };
  CHECK(refused([&] { device.fill(host, 0, 4); }));
  CHECK(refused([&] { device.fill(here, 0, 5); }));
  CHECK(refused([&] { device.add(here, host, 4); }));
  CHECK(refused([&] { device.upload(here, here, 8); }));
  CHECK(!refused([&] { device.fill(here, 1, 4); }));
  device.download(host, here, sizeof(host));
  CHECK(host[0] == 1 && host[3] == 1);
#if defined(__linux__)
  // What the host does behind its back ends the process: tried in another one.
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGSEGV, SIG_DFL);
    _exit(*static_cast<volatile double*>(here) == 1 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
#endif
  device.release(here, 4 * sizeof(double), false);
}

}  // namespace test
}  // namespace hs
