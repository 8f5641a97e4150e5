// Parameters that several ops use: one set of values, gradients that are sums over the uses, one
// penalty, one update.
#include <cmath>

#include "base/error.h"
#include "test/plan_spec.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

// The op uses the parameters of `layer`.
Config with_params_of(const std::string& layer, Config op) {
  for (Config& use : op.tree["params"].list)
    use.tree["param"] = text(layer + "/" + use.str("name"));
  return op;
}

Config merged(std::vector<std::string> inputs, const std::string& output) {
  return op("merge", output, std::move(inputs), output,
            tree({{"mode", text("concat")}, {"axis", number(0)}}));
}

// input [3] -> p, q (layers of their own) -> e twice -> concat
Config siamese() {
  return model({3},
               {dense("p", "input", 3, 4, "tanh"), dense("q", "input", 3, 4, "tanh"),
                dense("e", "p", 4, 2, "tanh"), with_params_of("e", dense("e2", "q", 4, 2, "tanh")),
                merged({"e", "e2"}, "both"), dense("out", "both", 4, 2, "linear")},
               "out");
}

std::shared_ptr<const DataSet> regression() {
  return data(array({5, 3}, noise(15, 1)), array({5, 2}, noise(10, 2)));
}

}  // namespace

TEST(shared_parameters_have_the_sum_of_the_gradients) {
  Config spec = siamese();
  param_of(spec, "e/W").tree["penalty"] = tree({{"l1", number(0)}, {"l2", number(0.3)}});
  const auto plan = compile(spec);
  fill(*plan);
  CHECK(gradient_error(*plan, regression()) < 1e-7);
  CHECK_ERROR(plan->read("e2/W"), Code::kUnknownName, "e2/W");
}

// Three uses, one of them in a layer that no gradient reaches.
TEST(shared_parameters_used_three_times_and_where_no_gradient_goes) {
  Config spec =
      model({3},
            {dense("e", "input", 3, 3, "tanh"), with_params_of("e", dense("f", "e", 3, 3, "tanh")),
             with_params_of("e", dense("g", "f", 3, 3, "linear")),
             with_params_of("e", dense("dead", "g", 3, 3, "linear"))},
            "g");
  const auto plan = compile(spec);
  fill(*plan);
  const auto set = data(array({5, 3}, noise(15, 1)), array({5, 3}, noise(15, 2)));
  CHECK(gradient_error(*plan, set) < 1e-7);
}

TEST(shared_cells_have_the_sum_of_the_gradients) {
  Config shared = with_params_of("a", lstm("b", "input", 2, 3, false));
  shared.tree["options"].tree["goBackwards"] = flag(true);
  Config spec =
      model({4, 2}, {lstm("a", "input", 2, 3, false), shared, merged({"a", "b"}, "ab")}, "ab");
  const auto plan = compile(spec);
  fill(*plan);
  const auto set = data(array({3, 4, 2}, noise(24, 1)), array({3, 6}, noise(18, 2)));
  CHECK(gradient_error(*plan, set) < 1e-7);
}

// Two embeddings of one matrix against one embedding of twice as many words: the same numbers, with
// every optimizer. The words of a batch are few, and others in each: rows that a batch leaves out
// must have no gradient of an earlier one.
TEST(shared_rows_train_as_one_embedding) {
  constexpr int64_t V = 11, D = 3, T = 2;
  const auto embedding = [&](const std::string& layer, const std::string& input) {
    return op("embedding", layer, {input}, layer,
              tree({{"inputDim", number(double(V))}, {"outputDim", number(double(D))}}),
              {param("W", {V, D})});
  };
  Config twice = model({T},
                       {embedding("e", "input"), with_params_of("e", embedding("e2", "input 2")),
                        merged({"e", "e2"}, "all")},
                       "all");
  twice.tree["inputs"].list.push_back(tree({{"name", text("input 2")}, {"dims", extents({T})}}));
  Config once = model({2 * T}, {embedding("e", "input")}, "e");
  for (const char* optimizer : {"sgd", "rmsprop", "adam"}) {
    for (const double clipnorm : {0.0, 0.01}) {
      std::unique_ptr<Plan> plans[2];
      for (int i = 0; i < 2; i++) {
        Config spec = i == 0 ? twice : once;
        spec.tree["optimizer"] = tree({{"name", text(optimizer)},
                                       {"lr", number(0.1)},
                                       {"epsilon", number(1e-8)},
                                       {"clipnorm", number(clipnorm)}});
        plans[i] = compile(spec);
        fill(*plans[i]);
      }
      for (int64_t step = 0; step < 5; step++) {
        const std::vector<double> words = {double(step), double(step + 1), double(step + 1),
                                           double((7 * step) % V)};
        const Array y = array({1, 2 * T, D}, noise(size_t(2 * T * D), unsigned(step + 3)));
        auto two = std::make_shared<DataSet>();
        two->samples = 1;
        two->x = {array({1, T}, {words[0], words[1]}), array({1, T}, {words[2], words[3]})};
        two->y = {y};
        run(*plans[0], Mode::kTrain, two);
        run(*plans[1], Mode::kTrain, data(array({1, 2 * T}, words), y));
        const auto a = plans[0]->read("e/W").f64, b = plans[1]->read("e/W").f64;
        for (size_t i = 0; i < a.size(); i++) CHECK_CLOSE(a[i], b[i], 1e-12);
      }
    }
  }
}

// Two uses of one set of running statistics move it one after the other, in the order of the graph.
TEST(shared_running_statistics_move_once_for_each_use) {
  const auto normalise = [](const std::string& layer, const std::string& input) {
    std::vector<Config> params = {param("gamma", {1}), param("beta", {1}),
                                  param("running_mean", {1}), param("running_std", {1})};
    params[2].tree["trainable"] = params[3].tree["trainable"] = flag(false);
    return op("batch_normalization", layer, {input}, layer,
              tree({{"mode", number(0)},
                    {"axis", number(1)},
                    {"features", number(1)},
                    {"epsilon", number(0.01)},
                    {"momentum", number(0.5)}}),
              params);
  };
  Config spec = model({1},
                      {normalise("n", "input"), dense("d", "n", 1, 1, "linear"),
                       with_params_of("n", normalise("m", "d"))},
                      "m");
  const auto plan = compile(spec);
  fill(*plan);
  plan->write("n/running_mean", array({1}, {8}));
  plan->write("n/running_std", array({1}, {1}));
  plan->write("n/gamma", array({1}, {1}));
  plan->write("n/beta", array({1}, {0}));
  plan->write("d/W", array({1, 1}, {1}));
  plan->write("d/b", array({1}, {3}));
  run(*plan, Mode::kTrain, data(array({2, 1}, {1, 3}), array({2, 1}, {0, 1})));
  // 8 and the batch's mean 2 make 5; 5 and 0 + 3, the mean of what d makes, make 4
  CHECK_CLOSE(plan->read("n/running_mean").f64[0], 4, 1e-12);
}

TEST(an_op_names_a_parameter_of_the_model) {
  Config spec = siamese();
  spec.tree["ops"].list[3].tree["params"].list[0].tree["param"] = text("none/W");
  CHECK_ERROR(compile(spec), Code::kInternal,
              "e2 (dense): W must be a parameter of the model, got 'none/W'");
}

}  // namespace test
}  // namespace hs
