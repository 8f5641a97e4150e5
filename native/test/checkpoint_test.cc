// Gradient checkpointing over time: the bits are those of the same model without it, and memory
// grows with the root of T.
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "device/cpu/threads/parallel.h"
#include "test/card.h"
#include "test/compare.h"
#include "test/plan_spec.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

constexpr int64_t D = 3, H = 5;

struct Variant {
  std::string name, cell = "lstm";
  bool sequences = false, backwards = false, stateful = false, masked = false, shared = false;
  bool learned = false;
  double dropout_W = 0, dropout_U = 0;
  double truncate = 0;
  std::string activation = "tanh", floatx = "float32";
};

// A dense layer, whose gradient needs dx, then the recurrence.
Config recurrent(const Variant& v, int64_t T, const Config& checkpoint,
                 const std::string& floatx = "float32") {
  const int64_t G = v.cell == "lstm" ? 4 : v.cell == "simple_rnn" ? 1 : 3;
  std::vector<Config> params = {param("W", {D, G * H}), param("U", {H, G * H}),
                                param("b", {G * H})};
  if (v.cell == "gru_reset_after") params.push_back(param("c", {G * H}));
  if (v.learned) params.push_back(param("h0", {H}));
  if (v.learned && v.cell == "lstm") params.push_back(param("c0", {H}));
  Config dense_op = dense("a", v.masked ? "m" : "input", D, D, "tanh");
  Config masking = op("masking", "m", {"input"}, "m", tree({{"maskValue", number(0)}}));
  masking.tree["maskOut"] = text("m/mask");
  Config recurrence = op("recurrence", "r", {"a"}, "r",
                         tree({{"cell", text(v.cell)},
                               {"units", number(double(H))},
                               {"activation", text(v.activation)},
                               {"innerActivation", text("sigmoid")},
                               {"returnSequences", flag(v.sequences)},
                               {"goBackwards", flag(v.backwards)},
                               {"stateful", flag(v.stateful)},
                               {"learnedStates", flag(v.learned)},
                               {"dropoutW", number(v.dropout_W)},
                               {"dropoutU", number(v.dropout_U)},
                               {"sharedDropout", flag(v.shared)},
                               {"truncate", number(v.truncate)},
                               {"checkpoint", checkpoint}}),
                         params);
  if (v.masked) recurrence.tree["mask"] = text("m/mask");
  std::vector<Config> ops;
  if (v.masked) ops.push_back(masking);
  ops.push_back(dense_op);
  ops.push_back(recurrence);
  Config spec = model({T, D}, ops, "r");
  spec.tree["floatx"] = text(floatx);
  return spec;
}

std::shared_ptr<const DataSet> samples(const Variant& v, int64_t B, int64_t T, bool float64) {
  std::vector<double> x = noise(size_t(B * T * D), 3);
  for (int64_t b = 0; v.masked && b < B; b++) {  // padded in front, behind, in between, or wholly
    for (int64_t t = 0; t < T; t++) {
      const bool hole = b % 4 == 0   ? t < T / 2
                        : b % 4 == 1 ? t > T / 3
                        : b % 4 == 2 ? t % 3 == 1
                                     : b > 4;
      for (int64_t d = 0; hole && d < D; d++) x[size_t((b * T + t) * D + d)] = 0;
    }
  }
  const Dims y = v.sequences ? Dims{B, T, H} : Dims{B, H};
  Array xs = array({B, T, D}, x), ys = array(y, noise(size_t(count(y)), 4));
  for (Array* a : {&xs, &ys}) {
    if (float64) continue;
    a->f32.assign(a->f64.begin(), a->f64.end());
    a->f64.clear();
  }
  return data(std::move(xs), std::move(ys));
}

// All that two training batches, and a prediction in between, leave: weights, gradients, states,
// output, losses.
std::map<std::string, std::vector<float>> trained(const Variant& v, int64_t B, int64_t T,
                                                  const Config& checkpoint) {
  const auto plan = compile(recurrent(v, T, checkpoint, v.floatx));
  fill(*plan);
  const auto set = samples(v, B, T, false);
  std::map<std::string, std::vector<float>> all;
  for (const char* when : {"first ", "second "}) {
    const RunResult result = run(*plan, Mode::kTrain, set);
    all[std::string(when) + "loss"] = {static_cast<float>(result.last[0])};
    all[std::string(when) + "output"] = plan->read("r").f32;
    for (const std::string& name : plan->names()) {
      const bool lasting = name.find(":carry") != std::string::npos ||
                           name.find(":grad") != std::string::npos || name == "r/W" ||
                           name == "r/U" || name == "a/W" || name == "r/h0";
      if (lasting) all[when + name] = plan->read(name).f32;
    }
    run(*plan, Mode::kPredict, set);
    all[std::string(when) + "prediction"] = plan->read("r").f32;
  }
  return all;
}

std::vector<Variant> variants() {
  std::vector<Variant> all;
  for (const char* cell : {"lstm", "gru", "gru_reset_after", "simple_rnn"}) {
    for (int bits = 0; bits < 24; bits++) {
      Variant v;
      v.cell = cell;
      v.learned = bits & 16;
      v.sequences = bits & 1, v.backwards = bits & 2;
      v.stateful = !v.learned && (bits & 4), v.masked = bits & (v.learned ? 4 : 8);
      v.name = std::string(cell) + " " + std::to_string(bits);
      all.push_back(v);
      v.dropout_W = 0.3, v.dropout_U = 0.4;
      v.shared = bits & 1;
      v.truncate = bits & 2 ? 3 : 0;
      v.name += " dropout";
      all.push_back(v);
    }
    if (card_wanted()) continue;  // which takes no such cell yet
    Variant softmax;              // the path of whole rows
    softmax.cell = cell, softmax.activation = "softmax", softmax.masked = true;
    softmax.name = std::string(cell) + " softmax";
    all.push_back(softmax);
  }
  return all;
}

void compare(const Variant& v, int64_t B, int64_t T, const Config& checkpoint,
             const std::string& what) {
  const auto whole = trained(v, B, T, number(0)), parts = trained(v, B, T, checkpoint);
  CHECK(whole.size() == parts.size() && whole.size() > 8);
  for (const auto& [name, values] : whole)
    CHECK_MESSAGE(same_on_device(values, parts.at(name)), v.name + ", " + what + ": " + name);
}

}  // namespace

TEST(checkpoint_changes_no_bit) {
  constexpr int64_t B = 6, T = 11;
  for (const Variant& v : variants()) {
    compare(v, B, T, text("auto"), "auto");
    for (const int64_t steps : {1, 3, 10, 11, 40})
      compare(v, B, T, number(double(steps)), std::to_string(steps));
  }
}

// Enough work for several threads, by rows and by panels; more steps than bias gradients take at a
// time.
TEST(checkpoint_changes_no_bit_with_threads) {
  const int before = threads();
  for (const int workers : {1, 2, 3}) {
    set_threads(workers);
    Variant v;
    v.name = std::to_string(workers) + " threads";
    v.masked = workers == 2;
    compare(v, 40, 70, text("auto"), "auto");
    compare(v, 2, 600, number(277), "277");
  }
  set_threads(before);
}

// Where products take rows two by two (AVX512-BF16), segments of an odd number of rows must not
// show either.
TEST(checkpoint_changes_no_bit_in_bfloat16) {
  if (card_wanted()) return;  // which has no bfloat16 yet
  for (Variant v : variants()) {
    v.floatx = "mixed_bfloat16", v.name += " mixed";
    for (const int64_t B : {1, 3, 6}) {
      compare(v, B, 11, text("auto"), std::to_string(B) + " samples, auto");
      for (const int64_t steps : {1, 3, 10})
        compare(v, B, 11, number(double(steps)), std::to_string(steps));
    }
  }
}

TEST(checkpoint_gradients) {
  for (const char* cell : {"lstm", "gru", "gru_reset_after", "simple_rnn"}) {
    for (const bool sequences : {false, true}) {
      Variant v;
      v.cell = cell, v.sequences = sequences;
      const auto plan = compile(recurrent(v, 7, number(3), "float64"));
      fill(*plan);
      // 1e-7: what central differences reach in double, as for all layers.
      CHECK_MESSAGE(gradient_error(*plan, samples(v, 4, 7, true)) < 1e-7, cell);
    }
  }
}

TEST(checkpoint_memory_grows_with_the_root_of_the_steps) {
  // Elements that the recurrence saves for T steps of 4 samples.
  const auto saved = [](int64_t T, const Config& checkpoint) {
    const auto plan = compile(recurrent(Variant{}, T, checkpoint));
    const auto set = samples(Variant{}, 4, T, false);
    run(*plan, Mode::kGradient, set);
    size_t n = 0;
    for (const std::string& name : plan->names()) {
      if (name.rfind("r/", 0) == 0 && name.find(':') == std::string::npos && name != "r/W" &&
          name != "r/U" && name != "r/b")
        n += plan->read(name).f32.size();
    }
    return double(n);
  };
  // 16 times the steps: 4 times the memory, give or take the states at both ends.
  CHECK_CLOSE(saved(1600, text("auto")) / saved(100, text("auto")), 4, 0.4);
  CHECK_CLOSE(saved(1600, number(0)) / saved(100, number(0)), 16, 0.5);
  CHECK(saved(1600, text("auto")) < saved(1600, number(0)) / 25);
}

TEST(checkpoint_refuses_other_words) {
  CHECK_ERROR(compile(recurrent(Variant{}, 4, text("always"))), Code::kOption, "always");
}

}  // namespace test
}  // namespace hs
