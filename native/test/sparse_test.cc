// Inputs of mostly zeros: the bits are those of products that take all numbers. Those are had by
// samples of many other numbers in the same batch, which count nothing.
#include <algorithm>
#include <cmath>
#include <random>

#include "device/cpu/ops/parts/sparse_rows.h"
#include "test/card.h"
#include "test/plan_spec.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

constexpr int64_t T = 6, D = 24, H = 21;

struct Variant {
  std::string cell;
  bool sequences, backwards, stateful, masked;
  int checkpoint;
};

Config recurrence(const Variant& v) {
  const int64_t G = v.cell == "lstm" ? 4 : v.cell == "simple_rnn" ? 1 : 3;
  std::vector<Config> params = {param("W", {D, G * H}), param("U", {H, G * H}),
                                param("b", {G * H})};
  if (v.cell == "gru_reset_after") params.push_back(param("c", {G * H}));
  Config masking = op("masking", "m", {"input"}, "m", tree({{"maskValue", number(0)}}));
  masking.tree["maskOut"] = text("m/mask");
  Config layer = op("recurrence", "r", {v.masked ? "m" : "input"}, "r",
                    tree({{"cell", text(v.cell)},
                          {"units", number(double(H))},
                          {"activation", text("tanh")},
                          {"innerActivation", text("sigmoid")},
                          {"returnSequences", flag(v.sequences)},
                          {"goBackwards", flag(v.backwards)},
                          {"stateful", flag(v.stateful)},
                          {"checkpoint", number(v.checkpoint)}}),
                    params);
  if (v.masked) layer.tree["mask"] = text("m/mask");
  Config spec = model(
      {T, D}, v.masked ? std::vector<Config>{masking, layer} : std::vector<Config>{layer}, "r");
  spec.tree["floatx"] = text("float32");
  return spec;
}

// B samples, of which the first `sparse` have at most three numbers a step and the others, which
// weigh nothing, have all.
std::shared_ptr<const DataSet> samples(const Variant& v, int64_t B, int64_t sparse) {
  std::mt19937 random(7);
  const std::vector<double> dense = noise(size_t(B * T * D), 5);
  std::vector<double> x(dense.size(), 0.0), weights(size_t(B), 1.0);
  for (int64_t b = 0; b < B; b++) {
    if (b >= sparse) weights[size_t(b)] = 0;
    for (int64_t t = 0; t < T; t++) {
      double* step = &x[size_t((b * T + t) * D)];
      if (b >= sparse) std::copy_n(&dense[size_t((b * T + t) * D)], D, step);
      if (b >= sparse || (v.masked && (t + b) % 3 == 0)) continue;
      step[random() % D] = 1;
      if (t % 2) step[random() % D] = -0.5, step[random() % D] = 3;
    }
  }
  const Dims y = v.sequences ? Dims{B, T, H} : Dims{B, H};
  std::vector<double> targets = noise(size_t(count(y)), 4);
  targets.resize(size_t(count(y)));
  Array xs = array({B, T, D}, x), ys = array(y, targets), ws = array({B}, weights);
  for (Array* a : {&xs, &ys, &ws}) {
    a->f32.assign(a->f64.begin(), a->f64.end());
    a->f64.clear();
  }
  return data(std::move(xs), std::move(ys), std::move(ws));
}

// Gradients, and the output of the first `sparse` samples, of a batch after another.
std::vector<std::vector<float>> results(const Variant& v, int64_t B, int64_t sparse) {
  const auto plan = compile(recurrence(v));
  fill(*plan);
  const auto set = samples(v, B, sparse);
  std::vector<std::vector<float>> all;
  for (int i = 0; i < 2; i++) {
    run(*plan, Mode::kTrain, set);
    for (const char* name : {"r/W:grad", "r/U:grad", "r/b:grad"})
      all.push_back(plan->read(name).f32);
    std::vector<float> y = plan->read("r").f32;
    y.resize(size_t(sparse) * y.size() / size_t(B));
    all.push_back(y);
    run(*plan, Mode::kPredict, set);
    y = plan->read("r").f32;
    y.resize(size_t(sparse) * y.size() / size_t(B));
    all.push_back(y);
  }
  return all;
}

}  // namespace

TEST(inputs_of_mostly_zeros_have_the_same_bits) {
  for (const char* cell : {"lstm", "gru", "gru_reset_after", "simple_rnn"}) {
    for (int bits = 0; bits < 16; bits++) {
      for (const int checkpoint : {0, 4}) {
        const Variant v{cell,           bool(bits & 1), bool(bits & 2),
                        bool(bits & 4), bool(bits & 8), checkpoint};
        for (const int64_t sparse : {2, 8}) {  // x W made beforehand, and within the steps
          const auto few = results(v, sparse, sparse), all = results(v, 2 * sparse, sparse);
          for (size_t i = 0; i < few.size(); i++)
            CHECK_MESSAGE(same_on_device(few[i], all[i]),
                          std::string(cell) + " " + std::to_string(bits) + " checkpoint " +
                              std::to_string(checkpoint) + " samples " + std::to_string(sparse) +
                              " result " + std::to_string(i));
        }
      }
    }
  }
}

// A segment of steps with few numbers follows one with many, and the other way round.
TEST(segments_may_differ_in_their_zeros) {
  for (const bool first : {false, true}) {
    const Variant v{"lstm", true, false, false, false, 3};
    const auto grown = [&](int checkpoint) {
      Variant w = v;
      w.checkpoint = checkpoint;
      const auto plan = compile(recurrence(w));
      fill(*plan);
      DataSet set = *samples(w, 8, 8);
      for (int64_t b = 0; b < 8; b++)
        for (int64_t t = 0; t < T; t++)
          for (int64_t d = 0; (t < 3) == first && d < D; d++)
            set.x[0].f32[size_t((b * T + t) * D + d)] = float(0.1 * double(d + t));
      run(*plan, Mode::kGradient, std::make_shared<const DataSet>(set));
      return plan->read("r/W:grad").f32;
    };
    CHECK(same_on_device(grown(3), grown(0)));
  }
}

TEST(sparse_rows_are_found) {
  SparseRows rows;
  std::vector<double> x(4 * 16, 0.0);
  x[3] = 1, x[16] = 2, x[17] = -1, x[63] = NAN;
  rows.reserve(4, 16);
  CHECK(rows.find(x.data(), 4, 16));
  CHECK(std::vector<int64_t>(rows.from(), rows.from() + 5) ==
        (std::vector<int64_t>{0, 1, 3, 3, 4}));
  CHECK(std::vector<int32_t>(rows.columns(), rows.columns() + 4) ==
        (std::vector<int32_t>{3, 0, 1, 15}));
  x[20] = 1;
  CHECK(!rows.find(x.data(), 4, 16));  // three of 16 in one row
  CHECK(!rows.find(x.data(), 9, 7));   // too narrow
}

}  // namespace test
}  // namespace hs
