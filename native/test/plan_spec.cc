#include "test/plan_spec.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <stdexcept>

namespace hs {
namespace test {

Config number(double value) {
  Config c;
  c.kind = Config::Kind::kNumber;
  c.number = value;
  return c;
}

Config text(const std::string& value) {
  Config c;
  c.kind = Config::Kind::kText;
  c.text = value;
  return c;
}

Config flag(bool value) {
  Config c;
  c.kind = Config::Kind::kFlag;
  c.flag = value;
  return c;
}

Config list(std::vector<Config> entries) {
  Config c;
  c.kind = Config::Kind::kList;
  c.list = std::move(entries);
  return c;
}

Config extents(const Dims& dims) {
  Config c = list({});
  for (int64_t d : dims) c.list.push_back(d < 0 ? Config() : number(double(d)));
  return c;
}

Config tree(std::initializer_list<std::pair<const std::string, Config>> entries) {
  Config c;
  c.kind = Config::Kind::kTree;
  c.tree = entries;
  return c;
}

Config param(const std::string& name, const Dims& dims) {
  return tree({{"name", text(name)},
               {"dims", extents(dims)},
               {"trainable", flag(true)},
               {"penalty", {}},
               {"constraint", {}}});
}

Config& param_of(Config& spec, const std::string& path) {
  for (Config& param : spec.tree["params"].list) {
    if (param.str("path") == path) return param;
  }
  throw std::invalid_argument(path);
}

std::map<std::string, Config>& output_of(Config& spec, size_t i) {
  return spec.tree["predictions"].list[i].tree;
}

Config op(const std::string& kind, const std::string& layer, std::vector<std::string> inputs,
          const std::string& output, Config options, std::vector<Config> params) {
  Config names = list({});
  for (const std::string& input : inputs) names.list.push_back(text(input));
  return tree({{"op", text(kind)},
               {"layer", text(layer)},
               {"className", text(kind)},
               {"inputs", names},
               {"outputs", list({text(output)})},
               {"mask", {}},
               {"maskOut", {}},
               {"options", options},
               {"params", list(std::move(params))},
               {"activity", {}}});
}

Config dense(const std::string& layer, const std::string& input, int64_t D, int64_t K,
             const std::string& activation) {
  return op(
      "dense", layer, {input}, layer,
      tree({{"units", number(double(K))}, {"activation", text(activation)}, {"bias", flag(true)}}),
      {param("W", {D, K}), param("b", {K})});
}

Config lstm(const std::string& layer, const std::string& input, int64_t D, int64_t H,
            bool stateful) {
  return op(
      "recurrence", layer, {input}, layer,
      tree({{"cell", text("lstm")}, {"units", number(double(H))}, {"stateful", flag(stateful)}}),
      {param("W", {D, 4 * H}), param("U", {H, 4 * H}), param("b", {4 * H})});
}

Config model(const Dims& input, std::vector<Config> ops, const std::string& output) {
  Config params = list({});
  for (Config& op : ops) {
    for (Config& use : op.tree["params"].list) {
      const std::string path =
          use.has("param") ? use.str("param") : op.str("layer") + "/" + use.str("name");
      Config param = use;
      param.tree["path"] = text(path);
      use = tree({{"name", use.at("name")}, {"param", text(path)}});
      const auto same = [&](const Config& other) { return other.str("path") == path; };
      if (std::none_of(params.list.begin(), params.list.end(), same))
        params.list.push_back(std::move(param));
    }
  }
  // Tests of the plan run on a card where one is asked for (test/card.h).
  const char* const device = std::getenv("HIDDENSTATE_DEVICE");
  return tree({{"device", text(device ? device : "cpu")},
               {"floatx", text("float64")},
               {"inputs", list({tree({{"name", text("input")}, {"dims", extents(input)}})})},
               {"params", params},
               {"ops", list(std::move(ops))},
               {"predictions", list({tree({{"value", text(output)},
                                           {"mask", {}},
                                           {"loss", text("mean_squared_error")},
                                           {"weight", number(1)},
                                           {"metrics", list({})},
                                           {"temporal", flag(false)}})})},
               {"optimizer", tree({{"name", text("sgd")}, {"lr", number(0.1)}})},
               {"seed", number(1)}});
}

std::vector<double> noise(size_t n, unsigned seed, double scale) {
  std::vector<double> v(n);
  uint64_t state = seed * 2654435761u + 12345u;
  for (double& x : v) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    x = scale * (2 * double(state >> 11) / 9007199254740992.0 - 1);
  }
  return v;
}

Array array(const Dims& dims, std::vector<double> data) {
  Array a;
  a.dims = dims;
  a.f64 = std::move(data);
  return a;
}

void fill(Plan& plan, double scale) {
  unsigned seed = 1;
  for (const std::string& name : plan.names()) {
    if (name.find('/') == std::string::npos || name.find(':') != std::string::npos) continue;
    if (name.rfind("optimizer/", 0) == 0 || name.rfind("random/", 0) == 0) continue;
    Array a = plan.read(name);
    a.f64 = noise(size_t(count(a.dims)), seed++, scale);
    a.f32.clear();
    plan.write(name, a);
  }
}

std::shared_ptr<const DataSet> data(Array x, Array y, Array weights) {
  auto set = std::make_shared<DataSet>();
  set->samples = x.dims[0];
  set->x.push_back(std::move(x));
  set->y.push_back(std::move(y));
  set->weights.push_back(std::move(weights));
  return set;
}

RunResult run(Plan& plan, Mode mode, std::shared_ptr<const DataSet> data, int64_t batch_size,
              int64_t max_batches) {
  RunRequest request;
  request.mode = mode;
  request.data = std::move(data);
  request.batch_size = batch_size;
  request.max_batches = max_batches;
  const std::atomic<bool> never{false};
  return plan.run(request, never);
}

double gradient_error(Plan& plan, const std::shared_ptr<const DataSet>& data,
                      std::shared_ptr<const DataSet> analytic) {
  constexpr double kStep = 1e-6;
  run(plan, Mode::kGradient, analytic ? analytic : data);
  std::vector<std::pair<std::string, Array>> found;
  for (const std::string& name : plan.names()) {
    const size_t colon = name.find(":grad");
    if (colon != std::string::npos) found.emplace_back(name.substr(0, colon), plan.read(name));
  }
  double worst = found.empty() ? 1 : 0;
  for (const auto& [name, gradient] : found) {
    double largest = 1e-3, difference = 0;
    for (size_t i = 0; i < gradient.f64.size(); i++) {
      const Array kept = plan.read(name);
      double loss[2];
      for (int side = 0; side < 2; side++) {
        Array moved = kept;
        moved.f64[i] += side ? kStep : -kStep;
        plan.write(name, moved);
        loss[side] = run(plan, Mode::kGradient, data).last[0];
      }
      plan.write(name, kept);
      largest = std::max(largest, std::fabs(gradient.f64[i]));
      difference =
          std::max(difference, std::fabs((loss[1] - loss[0]) / (2 * kStep) - gradient.f64[i]));
    }
    worst = std::max(worst, difference / largest);
  }
  return worst;
}

}  // namespace test
}  // namespace hs
