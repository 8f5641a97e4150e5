// Every op of a card against that of the CPU: the same cases, forward, backward and commit. Runs
// where HIDDENSTATE_DEVICE names a card (test/card.h).
#include "base/error.h"
#include "test/card.h"
#include "test/hosted_layer.h"
#include "test/layer_cases.h"
#include "test/program_cases.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

template <typename real>
void compare(const LayerCase& c, bool training, double tolerance) {
  std::unique_ptr<Layer<real>> layer = card<real>().op(c.layer, tree(c.options), kRigged);
  Rig<double> want = make_rig<double>(c, training);
  Rig<real> got = make_rig<real>(
      c, training, 1, std::make_unique<HostedLayer<real>>(std::move(layer), kRigged, card<real>()));
  const auto check = [&](const std::string& what, const real* a, const double* b, int64_t n) {
    const double d = distance(a, b, n);
    CHECK_MESSAGE(d <= tolerance, c.name + (training ? "" : " predicting") + ": " + what +
                                      " differs by " + std::to_string(d));
  };
  const std::vector<double> y = want.forward();
  const std::vector<real> card_y = got.forward();
  check("y", card_y.data(), y.data(), int64_t(y.size()));
  check("mask", got.mask_out.data(), want.mask_out.data(), int64_t(want.mask_out.size()));
  if (training) {
    want.backward(), got.backward();
    for (size_t i = 0; i < want.input_gradients.size(); i++) {
      check("dx " + std::to_string(i), got.input_gradients[i].data(),
            want.input_gradients[i].data(), int64_t(want.input_gradients[i].size()));
    }
    for (const auto& [name, tensor] : want.params)
      check("d" + name, got.gradient(name), want.gradient(name), tensor.size);
    for (const auto& [name, tensor] : want.nexts)
      check("next " + name, got.next(name), want.next(name), tensor.size);
  }
  want.commit(), got.commit();
  for (const auto& [name, tensor] : want.carries)
    check("carried " + name, got.carry(name), want.carry(name), tensor.size);
}

// Those of all devices, and sizes that make several blocks of what a card works on.
std::vector<LayerCase> cases_of_a_card() {
  std::vector<LayerCase> list = layer_cases();
  for (const LayerCase& c : large_window_cases()) list.push_back(c);
  list.push_back({"convolution",
                  "convolution/blocks of patches",
                  {{"filters", 2},
                   {"size", Dims{5, 1}},
                   {"strides", Dims{1, 1}},
                   {"dilation", Dims{1, 1}},
                   {"border", "same"}},
                  {{64, {220, 64}}}});
  list.push_back({"batch_normalization",
                  "batch_normalization/more than 64 blocks",
                  {{"mode", 0}, {"axis", 2}, {"features", 2}, {"epsilon", 0.02}, {"momentum", 0.9}},
                  {{70, {70, 2}}}});
  list.back().fixed = {"running_mean", "running_std"};
  const auto expression = [&](const std::string& name, const auto& node, std::vector<Extent> x) {
    ProgramText p;
    const int output = node(p);
    list.push_back({"expression", "expression/long " + name, p.expression({output}), std::move(x)});
  };
  const std::vector<Extent> rows = {{70, {3, 2}}, {70, {3, 2}}};
  for (const char* op : {"sum", "mean", "max_of", "min_of"}) {
    for (const Dims& axes : {Dims{1}, Dims{0, 1}, Dims{0, 1, 2}}) {
      expression(
          std::string(op) + " over " + to_string(axes),
          [&](ProgramText& p) {
            const int y = p.node(op, {p.input(0)}, {{"axes", axes}, {"keep", true}});
            return p.add(y, p.input(1));
          },
          rows);
    }
  }
  expression(
      "add and mul of a row",
      [](ProgramText& p) { return p.mul(p.add(p.input(0), p.param("b", {2})), p.param("a", {2})); },
      {{70, {3, 2}}});
  expression("log_softmax", [](ProgramText& p) { return p.node("log_softmax", {p.input(0)}); },
             {{3, {2, 70}}});
  expression(
      "argmax and gather",
      [](ProgramText& p) {
        const int index = p.node("argmax", {p.input(0)}, {{"axis", 2}});
        return p.add(p.node("gather", {p.param("E", {2, 2}), index}), p.input(1));
      },
      rows);
  list.push_back({"embedding",
                  "embedding/many words",
                  {{"inputDim", 7}, {"outputDim", 3}, {"dropout", 0.4}},
                  {{30, {11}}}});
  list.back().indices = true;
  return list;
}

}  // namespace

// Every op of the CPU, with every option that a case has: none is refused.
TEST(ops_of_a_card_agree_with_those_of_the_cpu) {
  if (!card_wanted()) return;
  for (const LayerCase& c : cases_of_a_card()) {
    for (const bool training : {true, false}) {
      compare<double>(c, training, 1e-9);
      compare<float>(c, training, 2e-3);
    }
  }
}

}  // namespace test
}  // namespace hs
