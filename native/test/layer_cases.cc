#include "test/layer_cases.h"

#include <algorithm>
#include <utility>

#include "ops/activation_name.h"
#include "test/program_cases.h"

namespace hs {
namespace test {

namespace {

std::vector<LayerCase> dense_cases() {
  std::vector<LayerCase> list;
  for (const char* a : kActivationNames) {
    list.push_back(
        {"dense", std::string("dense/") + a, {{"units", 4}, {"activation", a}}, {{3, {2, 5}}}});
  }
  list.push_back({"dense", "dense/no bias", {{"units", 4}, {"bias", false}}, {{3, {5}}}});
  list.push_back(
      {"dense", "dense/one unit", {{"units", 1}, {"activation", "sigmoid"}}, {{3, {5}}}});
  list.push_back(
      {"dense", "dense/three axes", {{"units", 3}, {"activation", "tanh"}}, {{2, {2, 3, 4}}}});
  list.push_back(
      {"dense", "dense/blocks of rows", {{"units", 3}, {"activation", "tanh"}}, {{130, {4, 1}}}});
  list.push_back({"dense",
                  "dense/tails: 17 units of 19",
                  {{"units", 17}, {"activation", "softmax"}},
                  {{3, {19}}}});
  list.push_back({"dense",
                  "dense/rows of many columns",
                  {{"units", 77}, {"activation", "softmax"}},
                  {{3, {2}}}});
  return list;
}

std::vector<LayerCase> merge_cases() {
  std::vector<LayerCase> list;
  for (const char* mode : {"sum", "mul", "ave", "max"}) {
    list.push_back({"merge",
                    std::string("merge/") + mode,
                    {{"mode", mode}},
                    {{3, {2, 4}}, {3, {2, 4}}, {3, {2, 4}}}});
  }
  const auto concat = [&](int axis, const std::vector<Extent>& x) {
    list.push_back({"merge",
                    "merge/concat axis " + std::to_string(axis) + " of " + x[0].text(),
                    {{"mode", "concat"}, {"axis", axis}},
                    x});
  };
  concat(-1, {{3, {2}}, {3, {4}}});
  concat(0, {{3, {2}}, {3, {4}}});
  concat(0, {{3, {2, 5}}, {3, {4, 5}}, {3, {1, 5}}});
  concat(1, {{3, {2, 5}}, {3, {2, 1}}});
  concat(-2, {{2, {3, 2, 5}}, {2, {3, 4, 5}}});
  concat(-1, {{2, {3, 2, 5}}, {2, {3, 2, 1}}});
  return list;
}

// Axes as users count them, 0 is the batch; each is another layout of x in memory.
std::vector<LayerCase> normalization_cases() {
  std::vector<LayerCase> list;
  const auto add = [&](const char* layer, const std::string& name, const Options& options,
                       const Extent& x) {
    list.push_back({layer, std::string(layer) + "/" + name, options, {x}});
    list.back().fixed = {"running_mean", "running_std"};
  };
  for (int mode : {0, 2}) {
    const auto batch = [&](int axis, int features, const Extent& x) {
      add("batch_normalization",
          "mode " + std::to_string(mode) + ", axis " + std::to_string(axis) + " of " + x.text(),
          {{"mode", mode},
           {"axis", axis},
           {"features", features},
           {"epsilon", 0.02},
           {"momentum", 0.9}},
          x);
    };
    batch(1, 5, {6, {5}});
    batch(0, 6, {6, {5}});
    batch(2, 5, {3, {4, 5}});
    batch(1, 4, {3, {4, 5}});
    batch(0, 3, {3, {4, 5}});
    batch(2, 3, {2, {4, 3, 2}});
    batch(3, 2, {2, {4, 3, 2}});
    batch(1, 1, {260, {1}});  // more rows than one block of a sum
  }
  add("sample_normalization", "[6, 5]", {{"epsilon", 0.02}}, {6, {5}});
  add("sample_normalization", "[3, 4, 5]", {{"epsilon", 0.02}}, {3, {4, 5}});
  return list;
}

// Kinks other than 0 (theta, t_left, t_left + |t_right|) lie where the inputs of these seeds do not
// come within a step.
std::vector<LayerCase> parametric_cases() {
  std::vector<LayerCase> list;
  const auto add = [&](const char* kind, const std::string& name, const Extent& x, Options options,
                       const Dims& shared) {
    options.insert(options.end(), {{"kind", kind}, {"shared", shared}});
    list.push_back({"parametric_activation", std::string(kind) + name, options, {x}});
  };
  add("leaky_relu", "", {3, {4, 5}}, {{"a", 0.3}}, {});
  add("elu", "", {3, {4, 5}}, {{"a", 0.7}}, {});
  add("thresholded_relu", "", {3, {4, 5}}, {{"a", 0.6}}, {});
  add("relu", "", {3, {4, 5}}, {{"a", 0.2}, {"threshold", 0.6}, {"max", 1.7}}, {});
  add("relu", " without bounds", {3, {4, 5}}, {}, {});
  const std::pair<const char*, int> learned[] = {
      {"prelu", 1}, {"parametric_softplus", 2}, {"srelu", 4}};
  for (const auto& activation : learned) {
    const char* kind = activation.first;
    const int params = activation.second;
    const auto shared = [&](const std::string& name, const Extent& x, const Dims& axes) {
      Dims all;
      for (int i = 0; i < params; i++) all.insert(all.end(), axes.begin(), axes.end());
      add(kind, name, x, {}, all);
    };
    shared("", {3, {5}}, {0});
    shared(" of steps", {3, {4, 5}}, {0, 0});
    shared(" shared by steps", {3, {4, 5}}, {1, 0});
    shared(" shared by features", {3, {4, 5}}, {0, 1});
    shared(" shared by all", {3, {4, 5}}, {1, 1});
    shared(" shared in the middle", {2, {3, 2, 4}}, {0, 1, 0});
    shared(": a piece and a tail", {2, {290}}, {0});
  }
  add("srelu", ": each parameter shared in its own way", {3, {4, 5}}, {}, {0, 0, 1, 0, 0, 1, 1, 1});
  return list;
}

std::vector<LayerCase> dot_cases() {
  std::vector<LayerCase> list;
  const auto add = [&](bool cosine, const Dims& axes, const Extent& a, const Extent& b) {
    list.push_back({"dot",
                    std::string(cosine ? "dot/cosine " : "dot/") + to_string(axes) + " of " +
                        a.text() + " and " + b.text(),
                    {{"axes", axes}, {"cosine", cosine}},
                    {a, b}});
  };
  add(false, {0, 0}, {3, {5}}, {3, {5}});
  add(false, {1, 1}, {3, {4, 5}}, {3, {2, 5}});
  add(false, {0, 0}, {3, {4, 5}}, {3, {4, 3}});
  add(false, {0, 1}, {3, {4, 5}}, {3, {2, 4}});
  add(false, {1, 0}, {3, {4, 5}}, {3, {5}});
  add(false, {0, 2}, {2, {3}}, {2, {4, 2, 3}});
  add(false, {1, 0}, {2, {3, 17, 2}}, {2, {17, 3}});  // K17: a tail after whole vectors
  add(true, {0, 0}, {3, {5}}, {3, {5}});
  add(true, {1, 1}, {3, {2, 5}}, {3, {2, 5}});
  add(true, {0, 0}, {3, {4, 2}}, {3, {4, 2}});
  add(true, {0, 1}, {2, {3, 3}}, {2, {3, 3}});
  add(true, {2, 2}, {2, {2, 2, 3}}, {2, {2, 2, 3}});
  return list;
}

void append(std::vector<LayerCase>& to, const std::vector<LayerCase>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

std::vector<LayerCase> layer_cases() {
  std::vector<LayerCase> list = dense_cases();
  append(list, merge_cases());
  append(list, normalization_cases());
  append(list, parametric_cases());
  for (const char* a : {"linear", "tanh", "softmax", "swish"}) {
    list.push_back({"highway", std::string("highway/") + a, {{"activation", a}}, {{3, {2, 5}}}});
  }
  list.push_back({"highway", "highway/no bias", {{"bias", false}}, {{3, {5}}}});
  list.push_back({"maxout_dense", "maxout_dense", {{"units", 4}, {"features", 3}}, {{3, {2, 5}}}});
  list.push_back({"maxout_dense",
                  "maxout_dense/no bias, one feature",
                  {{"units", 4}, {"features", 1}, {"bias", false}},
                  {{3, {5}}}});
  list.push_back({"noise", "noise/add", {{"sigma", 0.3}}, {{3, {4, 5}}}});
  list.push_back({"noise", "noise/multiply", {{"sigma", 0.3}, {"multiply", true}}, {{3, {4, 5}}}});
  append(list, dot_cases());
  for (const char* a : kActivationNames) {
    list.push_back(
        {"activation", std::string("activation/") + a, {{"activation", a}}, {{3, {4, 5}}}});
  }
  const Options words = {{"inputDim", 7}, {"outputDim", 5}};
  list.push_back({"embedding", "embedding", words, {{3, {4}}}, false, true});
  list.push_back({"embedding",
                  "embedding/dropout",
                  {{"inputDim", 7}, {"outputDim", 37}, {"dropout", 0.4}},
                  {{3, {4}}},
                  false,
                  true});
  list.push_back({"embedding",
                  "embedding/words that come up often",
                  {{"inputDim", 9}, {"outputDim", 3}, {"dropout", 0.4}},
                  {{5, {60}}},
                  false,
                  true});
  list.push_back({"dropout", "dropout", {{"p", 0.3}}, {{3, {4, 5}}}});
  list.push_back(
      {"dropout", "dropout/shared steps", {{"p", 0.3}, {"shared", Dims{0, 1, 0}}}, {{3, {4, 5}}}});
  list.push_back({"dropout", "dropout/p 1 does nothing", {{"p", 1}}, {{3, {4, 5}}}});
  list.push_back({"masking", "masking", {{"maskValue", 0.5}}, {{3, {4, 5}}}});
  list.push_back({"reshape", "reshape/flatten", {{"dims", Dims{12}}}, {{3, {4, 3}}}});
  list.push_back({"reshape", "reshape/to steps", {{"dims", Dims{4, 3}}}, {{3, {12}}}});
  list.push_back({"reshape", "reshape/other steps", {{"dims", Dims{2, -1, 3}}}, {{3, {4, 3}}}});
  list.push_back({"reshape", "reshape/same steps", {{"dims", Dims{4, 2, 3}}}, {{3, {4, 6}}}});
  list.push_back({"reshape", "reshape/coprime steps", {{"dims", Dims{3, 4}}}, {{3, {4, 3}}}});
  list.push_back({"permute", "permute/two axes", {{"dims", Dims{2, 1}}}, {{3, {4, 5}}}});
  list.push_back({"permute", "permute/three axes", {{"dims", Dims{3, 1, 2}}}, {{2, {4, 5, 3}}}});
  list.push_back({"permute", "permute/last two", {{"dims", Dims{1, 3, 2}}}, {{2, {4, 5, 3}}}});
  list.push_back({"permute", "permute/one axis", {{"dims", Dims{1}}}, {{3, {4}}}});
  list.push_back({"repeat_vector", "repeat_vector", {{"n", 3}}, {{3, {5}}}});
  list.push_back({"mask_value", "mask_value", {}, {{3, {4, 5}}}});
  list.push_back({"mask_value", "mask_value/masked", {}, {{3, {4, 2, 5}}}, true});
  list.push_back({"reverse", "reverse", {}, {{3, {4, 5}}}});
  list.push_back({"reverse", "reverse/three axes", {}, {{3, {4, 2, 5}}}});
  list.push_back({"fold", "fold", {}, {{3, {4, 5}}}});
  list.push_back({"fold", "fold/three axes", {}, {{3, {4, 2, 5}}}});
  list.push_back({"unfold", "unfold", {}, {{12, {5}}, {3, {4, 2}}}, false, false, true});
  list.push_back(
      {"unfold", "unfold/three axes", {}, {{12, {2, 5}}, {3, {4, 2}}}, false, false, true});
  append(list, window_cases());
  append(list, expression_cases());
  append(list, scan_cases());
  append(list, conv_recurrence_cases());
  append(list, recurrence_cases());
  return list;
}

// Every cell with every combination of switches; every activation inside and outside; sizes with a
// reason.
std::vector<LayerCase> recurrence_cases() {
  std::vector<LayerCase> list;
  for (const std::string& cell : cell_names()) {
    const auto add = [&](const std::string& name, int H, const Extent& x, bool masked,
                         Options options) {
      options.insert(options.begin(), {{"cell", cell}, {"units", H}});
      list.push_back({"recurrence", cell + "/" + name, options, {x}, masked});
    };
    for (int bits = 0; bits < 24; bits++) {
      const bool masked = bits & 1, backwards = bits & 2, sequences = bits & 4;
      const bool stateful = bits & 8, learned = bits & 16;
      for (const char* dropout : {"", ".dropout", ".shared dropout"}) {
        std::string name = std::string("T4.B3.D2.H3") + (masked ? ".masked" : "") +
                           (backwards ? ".backwards" : "") + (sequences ? ".sequences" : "") +
                           (stateful ? ".stateful" : "") + (learned ? ".learned" : "") + dropout;
        const double p = *dropout ? 0.4 : 0;
        add(name, 3, {3, {4, 2}}, masked,
            {{"goBackwards", backwards},
             {"returnSequences", sequences},
             {"stateful", stateful},
             {"learnedStates", learned},
             {"dropoutW", p},
             {"dropoutU", p},
             {"sharedDropout", std::string(dropout) == ".shared dropout"}});
      }
    }
    for (const char* a : kActivationNames) {
      add(std::string("outer ") + a, 3, {2, {3, 2}}, true,
          {{"activation", a}, {"returnSequences", true}});
      if (a == std::string("exponential")) list.back().size = 0.1;  // e^(e^h) is beyond all numbers
      add(std::string("inner ") + a, 3, {2, {3, 2}}, false,
          {{"innerActivation", a}, {"returnSequences", true}});
      if (a == std::string("exponential")) list.back().size = 0.1;
    }
    add("softmax and dropout", 3, {2, {3, 2}}, true,
        {{"activation", "softmax"}, {"dropoutW", 0.3}, {"dropoutU", 0.3}});
    add("swish, dropout and states", 3, {4, {3, 2}}, true,
        {{"activation", "swish"},
         {"innerActivation", "swish"},
         {"dropoutW", 0.3},
         {"dropoutU", 0.3},
         {"stateful", true}});
    add("softmax and learned states", 3, {4, {3, 2}}, true,
        {{"activation", "softmax"}, {"learnedStates", true}});
    add("learned states and segments", 3, {4, {5, 2}}, true,
        {{"learnedStates", true}, {"checkpoint", 2}, {"returnSequences", true}});
    add("learned states, segments and dropout", 3, {4, {5, 2}}, true,
        {{"learnedStates", true}, {"checkpoint", 2}, {"dropoutW", 0.3}, {"dropoutU", 0.3}});
    const auto taking = [&](const std::string& name, bool masked, Options options) {
      options.push_back({"takesStates", true});
      add("states as inputs" + name, 3, {3, {4, 2}}, masked, options);
      list.back().x.resize(cell == "lstm" ? 3 : 2, {3, {3}});
    };
    taking("", false, {});
    taking(", masked", true, {{"returnSequences", true}});
    taking(", backwards", true, {{"goBackwards", true}});
    taking(", segments", true, {{"checkpoint", 2}});
    taking(", segments of sequences", true, {{"checkpoint", 3}, {"returnSequences", true}});
    taking(", dropout", true, {{"dropoutW", 0.3}, {"dropoutU", 0.3}});
    taking(", softmax", true, {{"activation", "softmax"}});
    add("one step", 3, {3, {1, 2}}, false, {});
    add("one unit, one row", 1, {1, {3, 1}}, false, {{"returnSequences", true}});
    add("H17: a tail after whole vectors", 17, {2, {2, 3}}, false, {{"returnSequences", true}});
    add("B9: 6 + 3 rows of a block", 3, {9, {2, 2}}, false, {{"returnSequences", true}});
  }
  return list;
}

namespace {

// Away from the kinks of relu, elu, softsign (0) and hard_sigmoid (+-2.5) by 0.05: the differences
// of the check are smaller.
double off_kinks(double v) {
  for (double kink : {0.0, -2.5, 2.5}) {
    if (std::fabs(v - kink) < 0.05) v = v < kink ? kink - 0.05 : kink + 0.05;
  }
  return v;
}

}  // namespace

template <typename real>
Rig<real> make_rig(const LayerCase& c, bool training, unsigned seed,
                   std::unique_ptr<Layer<real>> layer) {
  if (!layer) layer = make_layer<real>(c.layer, tree(c.options));
  Rig<real> rig(std::move(layer), c.x, training, c.masked);
  std::mt19937 random(seed);
  const auto uniform = [&](double low, double high) {
    return low + (high - low) * (double(random()) / 4294967296.0);
  };
  const auto fill = [&](real* p, int64_t n, double low, double high) {
    for (int64_t i = 0; i < n; i++) p[i] = real(float(uniform(low, high)));
  };
  for (auto& [name, tensor] : rig.params) {
    const bool fixed = std::find(c.fixed.begin(), c.fixed.end(), name) != c.fixed.end();
    fill(rig.value(name), tensor.size, fixed ? 0.1 : -0.9 * c.size, 0.9 * c.size);
  }
  for (auto& [name, tensor] : rig.carries)
    fill(rig.carry(name), tensor.size, -0.9 * c.size, 0.9 * c.size);
  for (auto& x : rig.inputs) {
    for (real& v : x) {
      v = c.indices ? real(random() % 7) : real(float(off_kinks(c.size * uniform(-3, 3))));
    }
  }
  fill(rig.dy.data(), int64_t(rig.dy.size()), -1, 1);
  rig.wants_input_gradient = true;
  // row 0: first and third step masked; row 1: nothing; row 2: everything; row 3 as row 0, ...
  if (c.masked) {
    const int64_t B = c.x[0].rows, T = c.x[0].dims[0];
    for (int64_t t = 0; t < T; t++) {
      for (int64_t b = 0; b < B; b++)
        rig.mask[size_t(t * B + b)] = b % 3 == 2 || (b % 3 == 0 && t % 2 == 0) ? real(0) : real(1);
    }
  }
  return rig;
}
template Rig<float> make_rig<float>(const LayerCase&, bool, unsigned,
                                    std::unique_ptr<Layer<float>>);
template Rig<double> make_rig<double>(const LayerCase&, bool, unsigned,
                                      std::unique_ptr<Layer<double>>);

}  // namespace test
}  // namespace hs
