// What ops of a card ask for and refuse, beside the numbers (cuda_layers_test.cc). Runs where
// HIDDENSTATE_DEVICE names a card (test/card.h).
#include <algorithm>

#include "base/error.h"
#include "device/cuda/rules.h"
#include "test/card.h"
#include "test/hosted_layer.h"
#include "test/layer_cases.h"
#include "test/plan_spec.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

std::unique_ptr<Layer<float>> hosted(const std::string& op, const Options& options,
                                     size_t inputs = 1) {
  OpContext context = kRigged;
  context.inputs = inputs;
  return std::make_unique<HostedLayer<float>>(card<float>().op(op, tree(options), context), context,
                                              card<float>());
}

// Kernels and products that `run` asks for.
template <class F>
long asked_by(const F& run) {
  const long before = launches() + products();
  run();
  return launches() + products() - before;
}

struct Asked {
  const char* name;        // of a case
  long forward, backward;  // kernels and products
};

// In training, with all gradients.
constexpr Asked kAsked[] = {
    {"dense/relu", 3, 4},
    {"activation/softmax", 1, 1},
    {"embedding", 1, 3},
    {"embedding/dropout", 2, 3},
    {"dropout", 2, 1},
    {"dropout/shared steps", 3, 1},
    {"masking", 2, 2},
    {"mask_value", 1, 0},
    {"reverse", 1, 1},
    {"reshape/flatten", 1, 1},
    {"permute/three axes", 1, 1},
    {"repeat_vector", 1, 1},
    {"merge/max", 1, 3},
    {"merge/concat axis 1 of [3, 2, 5]", 2, 2},
    {"fold/three axes", 1, 1},
    {"unfold/three axes", 1, 1},
    {"batch_normalization/mode 0, axis 2 of [3, 4, 5]", 5, 4},
    {"sample_normalization/[3, 4, 5]", 1, 4},
    {"noise/multiply", 1, 1},
    {"relu", 1, 1},
    {"prelu shared by steps", 2, 4},
    {"srelu of steps", 1, 5},
    {"highway/tanh", 7, 9},
    {"maxout_dense", 7, 12},
    {"dot/[0, 0] of [3, 5] and [3, 5]", 1, 2},
    {"pooling/max [2, 1] stride [2, 1] of [7, 2] valid", 1, 1},
    {"resize/pad", 1, 1},
    {"convolution/T7 L3.valid", 4, 7},
    {"convolution/T7 L3.valid.th", 3, 7},
    {"locally_connected/stride 1", 4, 6},
    {"lstm/T4.B3.D2.H3.sequences", 9, 11},
    {"gru/T4.B3.D2.H3.sequences", 16, 20},
    // A step is three rounds of formulas, between them i, f, g, o and q; back it is q, then those.
    {"lstm/outer softmax", 28, 30},
    {"lstm/outer swish", 28, 39},
    {"conv lstm/T3.B3.3x2.sequences", 18, 31},
    {"conv gru/T3.B3.3x2.sequences", 23, 39},
};

}  // namespace

TEST(ops_of_a_card_ask_for_few_kernels) {
  if (!card_wanted()) return;
  card<float>();  // loads the driver
  if (launches() < 0) return;
  const std::vector<LayerCase> list = layer_cases();
  for (const Asked& asked : kAsked) {
    const auto it = std::find_if(list.begin(), list.end(),
                                 [&](const LayerCase& c) { return c.name == asked.name; });
    CHECK_MESSAGE(it != list.end(), asked.name);
    if (it == list.end()) continue;
    Rig<float> rig = make_rig<float>(*it, true, 1, hosted(it->layer, it->options));
    const long forward = asked_by([&] { rig.forward(); });
    const long backward = asked_by([&] { rig.backward(); });
    CHECK_MESSAGE(forward == asked.forward && backward == asked.backward,
                  std::string(asked.name) + ": " + std::to_string(forward) + " and " +
                      std::to_string(backward));
  }
}

// Of T steps, in training with all gradients: kernels and products. A step forward is a product and
// a kernel for each phase of the cell, and so it is back; beside the steps there are, forward, x W
// and b, and back dW, db, dx, and a dU for each phase. The first step has no states
// to multiply by U, and no gradients to hand back to them.
TEST(a_recurrence_of_a_card_asks_for_two_kernels_a_phase_and_step) {
  if (!card_wanted()) return;
  card<float>();
  if (launches() < 0) return;
  for (const std::string& cell : cell_names()) {
    const CellShape& shape = *cuda_cell(cell.c_str());
    const long phases = shape.phases, own_bias = shape.recurrent_bias;
    long of_states = 0;  // phases that multiply states by U
    for (int i = 0; i < shape.phases; i++) of_states += shape.phase[i].on_state();
    for (const long T : {2L, 3L, 9L}) {
      Rig<float> rig(
          hosted("recurrence", {{"cell", cell}, {"units", 3}, {"returnSequences", true}}),
          {{3, {T, 2}}}, true);
      const long forward = asked_by([&] { rig.forward(); });
      const long backward = asked_by([&] { rig.backward(); });
      CHECK_MESSAGE(forward == (2 + own_bias) * phases * T + 2 - phases,
                    cell + " of " + std::to_string(T) + ": " + std::to_string(forward));
      CHECK_MESSAGE(backward == 2 * phases * T - of_states + 3 + phases + own_bias + shape.vectors,
                    cell + " of " + std::to_string(T) + ": " + std::to_string(backward));
    }
  }
}

// A batch of a whole model once it runs: in each step of T the recurrent layers' kernels, and
// beside them a number that depends on neither T nor the batch, but that db is a sum in two halves
// where it has more than 64 rows; two gather x and y.
TEST(a_step_of_training_on_a_card_asks_for_so_many_kernels) {
  if (!card_wanted()) return;
  card<double>();
  if (launches() < 0) return;
  const auto count = [](const char* optimizer, bool clipped, bool metric, int64_t T, Mode mode) {
    Config spec =
        model({T, 3}, {lstm("r", "input", 3, 2, false), dense("d", "r", 2, 2, "softmax")}, "d");
    output_of(spec)["loss"] = text("categorical_crossentropy");
    if (metric) output_of(spec)["metrics"] = list({tree({{"name", text("categorical_accuracy")}})});
    spec.tree["optimizer"] = tree({{"name", text(optimizer)}, {"lr", number(0.1)}});
    if (clipped) spec.tree["optimizer"].tree["clipnorm"] = number(1);
    auto plan = compile(spec);
    const auto samples =
        data(array({3, T, 3}, noise(size_t(9 * T), 1)), array({3, 2}, {1, 0, 0, 1, 1, 0}));
    run(*plan, mode, samples);
    const long first = asked_by([&] { run(*plan, mode, samples); });
    CHECK(first == asked_by([&] { run(*plan, mode, samples); }));
    if (mode == Mode::kTrain) CHECK(first == plan->work(samples).launches);
    return first;
  };
  for (const int64_t T : {2, 5, 30}) {
    const auto is = [&](long got, long expected, const char* what) {
      CHECK_MESSAGE(got == expected, std::string(what) + " of " + std::to_string(T) + ": " +
                                         std::to_string(got) + " instead of " +
                                         std::to_string(expected));
    };
    const long steps = 4 * T + (3 * T > 64);  // B = 3
    is(count("sgd", false, false, T, Mode::kTrain), steps + 25, "sgd");
    is(count("adam", false, false, T, Mode::kTrain), steps + 25, "adam");
    is(count("rmsprop", true, true, T, Mode::kTrain), steps + 29, "rmsprop, clipped, a metric");
    is(count("sgd", false, true, T, Mode::kTest), 2 * T + 13, "a batch of evaluate");
  }
}

// What is rehearsed is counted, and nothing of it happens: no launch, no copy, no other weights.
TEST(a_rehearsal_counts_the_work_of_a_card) {
  if (!card_wanted()) return;
  card<double>();
  if (launches() < 0) return;
  const int64_t B = 5, T = 7, D = 3, H = 2, K = 2, GH = 4 * H;
  Config spec =
      model({T, D}, {lstm("r", "input", D, H, false), dense("d", "r", H, K, "softmax")}, "d");
  output_of(spec)["loss"] = text("categorical_crossentropy");
  const auto samples = data(array({B, T, D}, noise(size_t(B * T * D), 1)),
                            array({B, K}, {1, 0, 0, 1, 1, 0, 0, 1, 1, 0}));
  const double input = 2 * B * T * D * GH, states = 2 * B * (T - 1) * H * GH, head = 2 * B * H * K;
  const auto plan = compile(spec);
  fill(*plan);
  plan->work(samples);  // allocates
  const std::vector<double> before = plan->read("r/W").f64;
  const long asked = launches() + products(), sent = counted("stand_in_sent");
  const Work work = plan->work(samples);
  CHECK(asked == launches() + products() && sent == counted("stand_in_sent"));
  CHECK(plan->read("r/W").f64 == before && plan->read("random/step").f64[0] == 0);
  CHECK(work.launches == asked_by([&] { run(*plan, Mode::kTrain, samples); }));
  CHECK(plan->read("r/W").f64 != before);
  // Back: gradients of W, of U and of the states; two products of the head.
  CHECK_MESSAGE(work.flop == 2 * input + 3 * states + 3 * head, std::to_string(work.flop));
  // Each product reads two matrices and writes one; kernels read and write more.
  CHECK_MESSAGE(work.bytes > 8 * 2 * (B * T * (D + GH) + D * GH), std::to_string(work.bytes));
  CHECK(work.moves > 0 && work.moves < 20);
  spec.tree.erase("optimizer");
  const double predicted = compile(spec)->work(samples).flop;
  CHECK_MESSAGE(predicted == input + states + head, std::to_string(predicted));
}

TEST(an_embedding_of_a_card_names_a_wrong_index) {
  if (!card_wanted()) return;
  const Options options = {{"inputDim", 7}, {"outputDim", 5}};
  Rig<float> rig(hosted("embedding", options), {{2, {3}}}, true);
  rig.inputs[0] = {0, 6, 1, 2, 7, 3};
  CHECK_ERROR(rig.forward(), Code::kOption,
              "index at position 1 of row 1 of the batch must be an integer from 0 to 6, got 7");
  rig.inputs[0] = {0, 6, 1, 2, 0, NAN};
  CHECK_ERROR(rig.forward(), Code::kOption, "position 2 of row 1");
  rig.inputs[0] = {0, 6, 1, 2, 5, 3};
  rig.forward();
  CHECK(rig.mask_out[0] == 0);
}

TEST(merges_of_a_card_take_so_many_inputs) {
  if (!card_wanted()) return;
  const std::vector<Extent> most(size_t(32), Extent{2, {3}}), more(size_t(33), Extent{2, {3}});
  Rig<float> rig(hosted("merge", {{"mode", "sum"}}, 32), most, false);
  for (auto& x : rig.inputs) std::fill(x.begin(), x.end(), 1.f);
  CHECK(rig.forward()[5] == 32);
  CHECK_ERROR(hosted("merge", {{"mode", "sum"}}, 33), Code::kOption, "32 at most, got 33");
  CHECK(hosted("merge", {{"mode", "concat"}}, 33)->shape().output(more).dims == Dims{99});
}

// The engine's garbage collector is told, so that plans nobody holds any more go in time.
TEST(a_plan_counts_what_its_queue_holds_of_a_card) {
  if (!card_wanted()) return;
  const Config spec = model({3}, {dense("d", "input", 3, 2, "linear")}, "d");
  const int64_t bytes = compile(spec)->bytes();
  CHECK_MESSAGE(bytes >= (4 << 20), std::to_string(bytes));  // cuBLAS' workspace
}

TEST(more_axes_than_a_card_moves_are_an_error) {
  if (!card_wanted()) return;
  const auto turned = [](int64_t axes) {
    Dims dims;
    for (int64_t axis = axes; axis > 0; axis--) dims.push_back(axis);
    return hosted("permute", {{"dims", dims}});
  };
  Dims extents(31, 1);
  extents[0] = 3, extents[30] = 2;
  Rig<float> rig(turned(31), {{2, extents}}, false);
  rig.inputs[0] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  CHECK(rig.forward().size() == 12);
  CHECK_ERROR(turned(32), Code::kOption, "must be 31 at most, got 32");
}

}  // namespace test
}  // namespace hs
