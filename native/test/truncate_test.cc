// Truncated back-propagation through time against what it means: a stateful model that is given the
// segments one after another.
#include <string>
#include <vector>

#include "test/compare.h"
#include "test/plan_spec.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

constexpr int64_t B = 5, D = 3, H = 4, K = 2;  // K steps a segment
constexpr int64_t kSegments = 3;

Config recurrent(const std::string& cell, int64_t steps, bool stateful, int64_t truncate,
                 bool learned = false) {
  const int64_t G = cell == "lstm" ? 4 : cell == "simple_rnn" ? 1 : 3;
  std::vector<Config> params = {param("W", {D, G * H}), param("U", {H, G * H}),
                                param("b", {G * H})};
  if (learned) params.push_back(param("h0", {H}));
  if (learned && cell == "lstm") params.push_back(param("c0", {H}));
  return model({steps, D},
               {op("recurrence", "r", {"input"}, "r",
                   tree({{"cell", text(cell)},
                         {"units", number(double(H))},
                         {"activation", text("tanh")},
                         {"innerActivation", text("sigmoid")},
                         {"returnSequences", flag(true)},
                         {"goBackwards", flag(false)},
                         {"stateful", flag(stateful)},
                         {"learnedStates", flag(learned)},
                         {"truncate", number(double(truncate))}}),
                   params)},
               "r");
}

// Samples [B, steps, n], of which steps [first, first + count).
std::vector<double> part(const std::vector<double>& all, int64_t n, int64_t steps, int64_t first,
                         int64_t count) {
  std::vector<double> some;
  for (int64_t b = 0; b < B; b++) {
    const auto from = all.begin() + (b * steps + first) * n;
    some.insert(some.end(), from, from + count * n);
  }
  return some;
}

// Gradients of W, U and b one after another.
std::vector<double> gradients(const Plan& plan) {
  std::vector<double> all;
  for (const char* name : {"r/W:grad", "r/U:grad", "r/b:grad"}) {
    const Array one = plan.read(name);
    all.insert(all.end(), one.f64.begin(), one.f64.end());
  }
  return all;
}

// Of the mean loss over all steps, truncated; the plan sees the whole sequence.
std::vector<double> truncated(const std::string& cell, int64_t truncate) {
  const int64_t T = K * kSegments;
  const auto plan = compile(recurrent(cell, T, false, truncate));
  fill(*plan);
  run(*plan, Mode::kGradient,
      data(array({B, T, D}, noise(size_t(B * T * D), 11)),
           array({B, T, H}, noise(size_t(B * T * H), 12))));
  return gradients(*plan);
}

// The same from segments: their states are handed on as numbers.
std::vector<double> from_segments(const std::string& cell) {
  const int64_t T = K * kSegments;
  const auto x = noise(size_t(B * T * D), 11), y = noise(size_t(B * T * H), 12);
  const auto plan = compile(recurrent(cell, K, true, 0));
  fill(*plan);
  std::vector<double> sum;
  for (int64_t s = 0; s < kSegments; s++) {
    const auto set =
        data(array({B, K, D}, part(x, D, T, s * K, K)), array({B, K, H}, part(y, H, T, s * K, K)));
    run(*plan, Mode::kGradient, set);  // leaves the states alone
    const std::vector<double> one = gradients(*plan);
    sum.resize(one.size());
    for (size_t i = 0; i < one.size(); i++) sum[i] += one[i] / double(kSegments);
    run(*plan, Mode::kTest, set);  // moves them on
  }
  return sum;
}

// Of learned first states, from the mean loss over `steps` steps; the sequence is as long.
std::vector<double> of_first_states(const std::string& cell, int64_t steps, int64_t truncate) {
  const int64_t T = K * kSegments;
  const auto x = noise(size_t(B * T * D), 11), y = noise(size_t(B * T * H), 12);
  const auto plan = compile(recurrent(cell, steps, false, truncate, true));
  fill(*plan);
  run(*plan, Mode::kGradient,
      data(array({B, steps, D}, part(x, D, T, 0, steps)),
           array({B, steps, H}, part(y, H, T, 0, steps))));
  std::vector<double> all = plan->read("r/h0:grad").f64;
  if (cell == "lstm") {
    const std::vector<double> c0 = plan->read("r/c0:grad").f64;
    all.insert(all.end(), c0.begin(), c0.end());
  }
  for (double& v : all) v *= double(steps);
  return all;
}

}  // namespace

TEST(truncated_gradients_of_learned_states_are_those_of_the_first_segment) {
  const int64_t T = K * kSegments;
  for (const char* cell : {"lstm", "gru", "simple_rnn"}) {
    CHECK_MESSAGE(nmse(of_first_states(cell, T, K), of_first_states(cell, K, 0)) <= 1e-24, cell);
    CHECK_MESSAGE(nmse(of_first_states(cell, T, 0), of_first_states(cell, K, 0)) > 1e-6, cell);
  }
}

TEST(truncated_gradients_are_those_of_segments) {
  for (const char* cell : {"lstm", "gru", "simple_rnn"}) {
    // 1e-24: rounding of double, squared.
    CHECK_MESSAGE(nmse(truncated(cell, K), from_segments(cell)) <= 1e-24, cell);
    CHECK_MESSAGE(nmse(truncated(cell, 0), from_segments(cell)) > 1e-6,
                  std::string(cell) + ": without truncation they differ");
    CHECK_MESSAGE(same_bits(truncated(cell, K * kSegments), truncated(cell, 0)),
                  std::string(cell) + ": as long as the sequence is no truncation");
  }
}

}  // namespace test
}  // namespace hs
