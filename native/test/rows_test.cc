// Parameters by rows: an update that leaves rows out has the bits of one that does not, and a
// gradient holds no row of an older batch.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "base/error.h"
#include "base/float_mode.h"
#include "device/cpu/cpu.h"
#include "device/cpu/kernels/optimizer.h"
#include "device/cpu/threads/chunks.h"
#include "plan/update.h"
#include "registry.inc"
#include "test/optimizer_cases.h"
#include "test/plan_spec.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

constexpr int64_t V = 37, D = 19;

template <typename real>
struct Side {  // a model of one matrix
  std::shared_ptr<Cpu<real>> made = std::make_shared<Cpu<real>>(kernels<real>());
  Cpu<real>& device = *made;
  Params<real> params{made};
  Update<real> update;
  GradRows* rows = nullptr;

  Side(const Config& optimizer, const Config& matrix, bool by_rows) : update(&optimizer, device) {
    Config spec = matrix;
    spec.tree["path"] = text("embedding_1/W");
    params.add(spec);
    params.allocate({1});
    params.need_gradients();
    if (by_rows) rows = params.by_rows(0);
    update.prepare(params);
    std::mt19937 random(1);
    for (int64_t i = 0; i < size(); i++) value()[i] = real(0.1 + double(random()) / 4294967296.0);
  }
  int64_t size() const { return params[0].size; }
  real* value() { return params.value(params[0]); }
  real* moment(int i) {
    update.settle_moments();
    return update.moment(params[0], i);
  }
  // Gradients in the rows of `chosen`, and zeros.
  void step(const std::vector<char>& chosen, unsigned seed) {
    const FlushDenormals as_the_engine;
    std::mt19937 random(seed);
    real* g = params.grad(params[0]);
    for (int64_t i = 0; i < size(); i++) {
      const real drawn = real(double(random()) / 2147483648.0 - 1);
      g[i] = chosen[size_t(i / D)] ? drawn : real(0);
    }
    if (rows) rows->written = chosen;
    const double finite = 1;
    update.apply(params, &finite);
    update.applied();
  }
};

template <typename real>
bool same_bits(const Setting& c, int steps, bool tell_written) {
  Config optimizer = tree({{"name", text(c.optimizer)}, {"lr", number(0.01)}});
  for (const auto& [key, value] : c.options) optimizer.tree[key] = value;
  Config matrix = param("W", {V, D});
  if (c.constrained) {
    matrix.tree["constraint"] =
        tree({{"name", text("maxnorm")}, {"m", number(1)}, {"axis", number(0)}});
  }
  Side<real> whole(optimizer, matrix, false), rows(optimizer, matrix, true);
  const int moments = rows.update.moments();
  const auto same = [&](const real* a, const real* b) {
    return std::memcmp(a, b, size_t(V * D) * sizeof(real)) == 0;
  };
  const auto all_same = [&] {
    bool good = same(whole.value(), rows.value());
    for (int i = 0; i < moments; i++) good = good && same(whole.moment(i), rows.moment(i));
    return good;
  };
  std::mt19937 random(2);
  bool good = true;
  for (int t = 0; t < steps && good; t++) {
    std::vector<char> chosen(size_t(V), 0);  // a few rows often, most seldom, rows from 30 on never
    for (int64_t v = 0; v < 30; v++) chosen[size_t(v)] = random() % (v < 5 ? 2 : 40) == 0;
    for (Side<real>* side : {&whole, &rows}) {
      side->step(chosen, unsigned(t));
      if (t == 20) side->update.set("lr", 0.02);
      if (t == 40) side->update.set("rho", 0.8);
      if (t == 60) side->update.set("momentum", 0.5);
      if (t == 80) side->update.set("momentum", 0);
      if (t != 90) continue;
      for (int i = 0; i < moments; i++) std::fill_n(side->moment(i), V * D, real(0.125));
      if (tell_written) side->update.moment_written(0);
    }
    if (t % 33 == 32) good = all_same();
  }
  return good && all_same();
}

}  // namespace

TEST(rows_without_gradients_wait_to_the_same_bits) {
#define HS_NAME(name) #name,
  for (const std::string name : {HS_OPTIMIZERS(HS_NAME)}) {
#undef HS_NAME
    bool tested = false;
    for (const Setting& c : kSettings) {
      if (c.optimizer != name) continue;
      tested = true;
      // Long enough for waiting moments to become denormal, and zero.
      CHECK_MESSAGE(same_bits<float>(c, 1500, true), name);
      CHECK_MESSAGE(same_bits<double>(c, 150, true), name);
    }
    CHECK_MESSAGE(tested, name + " has no case here");
  }
  // Moments written behind its back are not those of a row that was never touched.
  const auto* adam = std::find_if(std::begin(kSettings), std::end(kSettings), [](const Setting& c) {
    return std::string(c.optimizer) == "adam";
  });
  CHECK(!same_bits<float>(*adam, 150, false));
}

// Rows that begin in one chunk and end in the next, chunks without a gradient.
TEST(rows_are_clipped_by_the_norm_of_all_to_the_same_bits) {
  constexpr int64_t kRows = 5 * kChunk / D + 3;
  const Config optimizer =
      tree({{"name", text("sgd")}, {"lr", number(1)}, {"clipnorm", number(3)}});
  const Config matrix = param("W", {kRows, D});
  Side<float> whole(optimizer, matrix, false), rows(optimizer, matrix, true);
  std::mt19937 random(3);
  for (unsigned t = 0; t < 20; t++) {
    std::vector<char> chosen(size_t(kRows), 0);
    for (size_t v = 0; v < chosen.size(); v++)
      chosen[v] = v % 2000 < 1500 && random() % (t % 4 == 0 ? 2 : 200) == 0;
    chosen[size_t(kChunk / D)] = 1;  // in two chunks
    const std::vector<float> before(rows.value(), rows.value() + rows.size());
    for (Side<float>* side : {&whole, &rows}) side->step(chosen, t);
    CHECK(std::memcmp(whole.value(), rows.value(), size_t(rows.size()) * sizeof(float)) == 0);
    double moved = 0;
    for (size_t i = 0; i < before.size(); i++)
      moved += std::pow(double(rows.value()[i]) - double(before[i]), 2);
    CHECK_CLOSE(std::sqrt(moved), 3, 1e-3);  // as far as the norm allows
  }
}

TEST(zero_epsilon_leaves_no_row_out) {
  const Config optimizer =
      tree({{"name", text("adam")}, {"lr", number(0.01)}, {"epsilon", number(0)}});
  Side<double> side(optimizer, param("W", {V, D}), true);
  std::vector<char> chosen(size_t(V), 0);
  chosen[3] = 1;
  side.step(chosen, 1);
  CHECK(std::isfinite(side.value()[3 * D]));
  CHECK(std::isnan(side.value()[0]));  // 0 / 0, as in Keras
}

// A step with a zero gradient, of every instruction set.
TEST(rest_is_so_many_updates_without_a_gradient) {
  for (const char* const* isa = available_isas(); *isa; isa++) {
#define HS_NAME(name) #name,
    for (const std::string name : {HS_OPTIMIZERS(HS_NAME)}) {
#undef HS_NAME
      const OptimizerKernels<float>* o = kernels_for<float>(*isa).optimizer(name.c_str());
      Hyper h;
      h.lr = h.lr_t = 0.01, h.rho = 0.9, h.beta_1 = 0.9, h.beta_2 = 0.999, h.momentum_t = 0.9,
      h.momentum_t_1 = 0.9, h.m_schedule = 0.8, h.m_schedule_next = 0.7;
      const size_t n = 203;
      for (const bool moved : {false, true}) {
        std::vector<float> p(n, 0.5f), zero(n, 0.f), m[2] = {zero, zero};
        for (size_t i = 0; moved && i < n; i++) m[0][i] = m[1][i] = 0.001f * float(i + 1);
        std::vector<float> q = p, rested[2] = {m[0], m[1]};
        float* const moments[] = {m[0].data(), m[1].data()};
        float* const resting[] = {rested[0].data(), rested[1].data()};
        if (moved && !(o->skip && o->skip(resting, 0, 0, h))) continue;
        for (int step = 0; step < 7; step++)
          o->update(p.data(), zero.data(), moments, int64_t(n), h);
        if (moved) o->skip(resting, int64_t(n), 7, h);
        CHECK_MESSAGE(p == q, name);
        CHECK_MESSAGE(m[0] == rested[0] && m[1] == rested[1], name);
      }
    }
  }
}

TEST(a_gradient_by_rows_is_that_of_its_batch) {
  const auto plan_of = [](double l2) {
    Config W = param("W", {V, D});
    if (l2 > 0) W.tree["penalty"] = tree({{"l2", number(l2)}});
    Config spec = model({4},
                        {op("embedding", "embedding_1", {"input"}, "e",
                            tree({{"inputDim", number(V)}, {"outputDim", number(D)}}), {W}),
                         lstm("lstm_1", "e", D, 3, false)},
                        "lstm_1");
    std::unique_ptr<Plan> plan = compile(spec);
    fill(*plan);
    return plan;
  };
  const auto batch = [](unsigned seed, double target) {
    std::vector<double> ids = noise(8, seed, double(V) / 2);
    for (double& id : ids) id = std::floor(id + double(V) / 2);
    return data(array({2, 4}, ids), array({2, 3}, std::vector<double>(6, target)));
  };
  for (const double l2 : {0.0, 0.3}) {
    const std::unique_ptr<Plan> used = plan_of(l2);
    for (unsigned seed = 1; seed <= 6; seed++) {
      // The third one is not finite, so nothing is learned from it.
      const auto given = batch(seed, seed == 3 ? NAN : 0.5);
      run(*used, seed % 2 ? Mode::kTrain : Mode::kGradient, given);
    }
    const std::unique_ptr<Plan> fresh = plan_of(l2);
    for (const char* name : {"embedding_1/W", "lstm_1/W", "lstm_1/U", "lstm_1/b"})
      fresh->write(name, used->read(name));
    for (Plan* plan : {used.get(), fresh.get()}) run(*plan, Mode::kGradient, batch(9, 0.5));
    const std::vector<double> got = used->read("embedding_1/W:grad").f64,
                              want = fresh->read("embedding_1/W:grad").f64;
    CHECK(got == want);
    if (l2 == 0) CHECK(std::count(got.begin(), got.end(), 0.0) >= (V - 8) * D);
  }
}

}  // namespace test
}  // namespace hs
