// What layers compute, besides their gradients: order of elements, masks, dropout, errors; and that
// float32 agrees with double and one thread with many, for every registered layer.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "device/cpu/threads/parallel.h"
#include "test/layer_cases.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

// Memory (time-major) to what users see: [B, dims...] in C order.
template <typename real>
std::vector<real> batch_major(const Extent& e, const std::vector<real>& memory) {
  if (!e.sequence()) return memory;
  std::vector<real> out(memory.size());
  const int64_t T = e.dims[0], B = e.rows, inner = count(e.dims) / T;
  for (int64_t b = 0; b < B; b++) {
    for (int64_t t = 0; t < T; t++) {
      for (int64_t i = 0; i < inner; i++)
        out[size_t((b * T + t) * inner + i)] = memory[size_t((t * B + b) * inner + i)];
    }
  }
  return out;
}

Rig<double> rig_of(const std::string& layer, const Options& options, const std::vector<Extent>& x,
                   bool training = false) {
  return make_rig<double>({layer, layer, options, x}, training);
}

std::vector<double> seen(Rig<double>& rig) { return batch_major(rig.pass.y_extent, rig.forward()); }
std::vector<double> given(const Rig<double>& rig, size_t i = 0) {
  return batch_major(rig.pass.x_extent[i], rig.inputs[i]);
}

Extent output_of(const std::string& layer, const Options& options, const std::vector<Extent>& x) {
  const OpContext context{"it", "Layer"};
  return make_layer<double>(layer, tree(options), context)->shape().output(x);
}

// --- order of elements

TEST(reshape_keeps_the_order_users_see) {
  const std::vector<Dims> shapes = {{24}, {4, 6}, {6, 4}, {2, 3, 4}, {4, 3, 2}, {1, 24}, {24, 1}};
  for (const Dims& from : shapes) {
    for (const Dims& to : shapes) {
      for (int64_t B : {1, 3}) {
        Rig<double> rig = rig_of("reshape", {{"dims", to}}, {{B, from}});
        const auto x = given(rig);  // before forward, which may work in place
        CHECK_MESSAGE(seen(rig) == x, to_string(from) + " to " + to_string(to));
      }
    }
  }
  CHECK(output_of("reshape", {{"dims", Dims{-1, 4}}}, {{3, {2, 6}}}).dims == (Dims{3, 4}));
}

TEST(permute_moves_axes) {
  Rig<double> rig = rig_of("permute", {{"dims", Dims{3, 1, 2}}}, {{2, {3, 4, 5}}});
  const auto y = seen(rig), x = given(rig);
  CHECK(rig.pass.y_extent.dims == (Dims{5, 3, 4}));
  bool good = true;
  for (int b = 0; b < 2; b++)
    for (int i = 0; i < 3; i++)
      for (int j = 0; j < 4; j++)
        for (int k = 0; k < 5; k++)
          good &=
              y[size_t(((b * 5 + k) * 3 + i) * 4 + j)] == x[size_t(((b * 3 + i) * 4 + j) * 5 + k)];
  CHECK(good);
}

// numpy.concatenate on what users see
std::vector<double> concatenated(const Rig<double>& rig, size_t axis) {
  const Extent& e = rig.pass.y_extent;
  int64_t outer = e.rows, rest = 1;
  for (size_t i = 0; i < axis; i++) outer *= e.dims[i];
  for (size_t i = axis + 1; i < e.dims.size(); i++) rest *= e.dims[i];
  std::vector<double> out;
  for (int64_t o = 0; o < outer; o++) {
    for (size_t i = 0; i < rig.inputs.size(); i++) {
      const auto x = given(rig, i);
      const int64_t n = rig.pass.x_extent[i].dims[axis] * rest;
      out.insert(out.end(), x.begin() + o * n, x.begin() + (o + 1) * n);
    }
  }
  return out;
}

TEST(merge_concatenates_any_axis) {
  for (const LayerCase& c : layer_cases()) {
    if (c.layer != "merge" || c.name.find("concat") == std::string::npos) continue;
    Rig<double> rig = make_rig<double>(c, false);
    const int axis = int(tree(c.options).num("axis"));
    CHECK_MESSAGE(
        seen(rig) == concatenated(rig, size_t(axis < 0 ? axis + int(c.x[0].dims.size()) : axis)),
        c.name);
  }
}

TEST(merge_averages) {
  Rig<double> rig = rig_of("merge", {{"mode", "ave"}}, {{1, {1}}, {1, {1}}, {1, {1}}});
  rig.inputs = {{3}, {6}, {0}};
  CHECK_CLOSE(seen(rig)[0], 3, 1e-12);
}

TEST(merge_takes_the_largest) {
  Rig<double> rig = rig_of("merge", {{"mode", "max"}}, {{1, {4}}, {1, {4}}, {1, {4}}}, true);
  rig.inputs = {{3, 1, 2, -5}, {1, 4, 2, NAN}, {2, 0, 1, 7}};
  const auto y = seen(rig);
  CHECK(y[0] == 3 && y[1] == 4 && y[2] == 2 && std::isnan(y[3]));
  rig.dy = {1, 1, 1, 0};
  rig.backward();  // the first of equals gets the gradient
  CHECK(rig.input_gradients[0][2] == 1 && rig.input_gradients[1][2] == 0 &&
        rig.input_gradients[1][1] == 1 && rig.input_gradients[2][0] == 0);
}

TEST(dot_sums_over_any_axis) {
  Rig<double> rig = rig_of("dot", {{"axes", Dims{0, 1}}}, {{2, {3, 2}}, {2, {4, 3}}});
  const auto y = seen(rig), a = given(rig, 0), b = given(rig, 1);
  CHECK(rig.pass.y_extent.dims == (Dims{2, 4}));
  for (int s = 0; s < 2; s++)
    for (int i = 0; i < 2; i++)
      for (int j = 0; j < 4; j++) {
        double sum = 0;
        for (int k = 0; k < 3; k++)
          sum += a[size_t(s * 6 + k * 2 + i)] * b[size_t(s * 12 + j * 3 + k)];
        CHECK_CLOSE(y[size_t(s * 8 + i * 4 + j)], sum, 1e-12);
      }
}

TEST(cosine_of_nothing_is_nothing) {
  Rig<double> rig =
      rig_of("dot", {{"axes", Dims{0, 0}}, {"cosine", true}}, {{2, {2}}, {2, {2}}}, true);
  rig.inputs = {{0, 0, 3, 4}, {1, 2, 3, 4}};
  const auto y = seen(rig);
  CHECK(rig.pass.y_extent.dims == (Dims{1, 1}) && y[0] == 0);
  CHECK_CLOSE(y[1], 1, 1e-12);
  rig.backward();
  for (const auto& dx : rig.input_gradients)
    for (double d : dx) CHECK(std::isfinite(d));
}

TEST(reverse_and_repeat) {
  Rig<double> flip = rig_of("reverse", {}, {{1, {3, 1}}});
  flip.inputs[0] = {1, 2, 3};
  CHECK(seen(flip) == (std::vector<double>{3, 2, 1}));
  Rig<double> repeat = rig_of("repeat_vector", {{"n", 2}}, {{2, {2}}});
  repeat.inputs[0] = {1, 2, 3, 4};
  CHECK(seen(repeat) == (std::vector<double>{1, 2, 1, 2, 3, 4, 3, 4}));
}

TEST(fold_and_unfold_are_inverse) {
  for (const Dims& dims : {Dims{4, 5}, Dims{4, 2, 5}, Dims{4, 1, 5}, Dims{4, 3, 2, 2}}) {
    const Extent e{3, dims};
    Rig<double> fold = rig_of("fold", {}, {e});
    const auto x = fold.inputs[0];
    const auto folded = fold.forward();
    const auto rows = batch_major(fold.pass.y_extent, folded);
    const int64_t n = count(dims) / 4;
    bool good = true;  // row t * B + b of the folded value is step t of sample b
    for (int64_t t = 0; t < 4; t++)
      for (int64_t b = 0; b < 3; b++)
        for (int64_t i = 0; i < n; i++)
          good &=
              rows[size_t((t * 3 + b) * n + i)] == batch_major(e, x)[size_t((b * 4 + t) * n + i)];
    CHECK_MESSAGE(good, to_string(dims));
    Rig<double> unfold = rig_of("unfold", {}, {fold.pass.y_extent, e});
    unfold.inputs[0] = folded;
    CHECK_MESSAGE(unfold.forward() == x, to_string(dims));
  }
}

// --- masks, words, dropout

TEST(masking_masks_steps_that_are_all_mask_value) {
  Rig<double> rig = rig_of("masking", {{"maskValue", -1}}, {{2, {2, 2}}}, true);
  rig.inputs[0] = {-1, -1, -1, 5, 0, 0, -1, -1};  // [T, B, D]
  CHECK(rig.forward() == (std::vector<double>{0, 0, -1, 5, 0, 0, 0, 0}));
  CHECK(rig.mask_out == (std::vector<double>{0, 1, 1, 0}));
  rig.backward();
  CHECK(rig.input_gradients[0][0] == 0 && rig.input_gradients[0][2] == rig.dy[2] &&
        rig.input_gradients[0][7] == 0);
}

const Options kWords = {{"inputDim", 4}, {"outputDim", 2}};

TEST(embedding_looks_up_rows) {
  Rig<double> rig = rig_of("embedding", kWords, {{2, {3}}});
  rig.inputs[0] = {0, 1, 2, 3, 0, 1.9};  // two samples of three words; fractions are cut off
  std::copy_n(std::vector<double>{10, 11, 20, 21, 30, 31, 40, 41}.data(), 8, rig.value("W"));
  CHECK(seen(rig) == (std::vector<double>{10, 11, 20, 21, 30, 31, 40, 41, 10, 11, 20, 21}));
  CHECK(rig.mask_out == (std::vector<double>{0, 1, 1, 0, 1, 1}));  // [T, B]
}

TEST(embedding_gradient_adds_up_repeated_words) {
  Rig<double> rig = rig_of("embedding", kWords, {{1, {3}}}, true);
  rig.inputs[0] = {2, 0, 2};
  rig.forward();
  rig.dy = {1, 2, 3, 4, 5, 6};
  rig.backward();
  CHECK(std::vector<double>(rig.gradient("W"), rig.gradient("W") + 8) ==
        (std::vector<double>{3, 4, 0, 0, 6, 8, 0, 0}));
}

TEST(embedding_refuses_words_out_of_range) {
  for (double id : {4.0, -1.0, 1e30, double(NAN)}) {
    Rig<double> rig = rig_of("embedding", kWords, {{2, {3}}});
    std::fill(rig.inputs[0].begin(), rig.inputs[0].end(), 0);
    rig.inputs[0][5] = id;
    CHECK_ERROR(rig.forward(), Code::kOption,
                "position 2 of row 1 of the batch must be an integer from 0 to 3");
  }
}

TEST(embedding_drops_whole_words) {
  Rig<double> rig = rig_of("embedding", {{"inputDim", 200}, {"outputDim", 2}, {"dropout", 0.25}},
                           {{1, {400}}}, true);
  for (size_t i = 0; i < 400; i++) rig.inputs[0][i] = double(i % 200);
  std::fill_n(rig.value("W"), 400, 3.0);
  const auto y = rig.forward();
  int dropped = 0;
  bool whole = true;
  for (size_t i = 0; i < 200; i++) {
    dropped += y[2 * i] == 0;
    whole &= y[2 * i] == y[2 * i + 1] && y[2 * i] == y[2 * (i + 200)] &&
             (y[2 * i] == 0 || std::fabs(y[2 * i] - 4) < 1e-12);
  }
  CHECK(whole);
  CHECK(dropped > 25 && dropped < 75);  // 50 expected, four standard deviations are 24.5
}

TEST(dropout_only_in_training) {
  for (double p : {0.0, 0.25, 1.0, -1.0, 1.5}) {
    for (bool training : {false, true}) {
      Rig<double> rig = rig_of("dropout", {{"p", p}}, {{50, {20}}}, training);
      std::fill(rig.inputs[0].begin(), rig.inputs[0].end(), 3.0);
      const auto y = rig.forward();
      const auto zeros = std::count(y.begin(), y.end(), 0.0);
      const auto scaled =
          std::count_if(y.begin(), y.end(), [](double v) { return std::fabs(v - 4) < 1e-12; });
      if (training && p == 0.25) {
        CHECK(zeros > 195 && zeros < 305);  // 250 expected, four standard deviations are 54.8
        CHECK(zeros + scaled == 1000);
      } else {
        CHECK(std::count(y.begin(), y.end(), 3.0) == 1000);
      }
    }
  }
  Rig<double> rig = rig_of("dropout", {{"p", 0.5}}, {{3, {4}}}, true);
  rig.pass.training = false;  // laid out for training, used by a test run in between
  const auto x = rig.inputs[0];
  CHECK(rig.forward() == x);
}

TEST(dropout_draws_again_at_each_step_and_layer) {
  const auto draw = [](uint64_t step, uint32_t stream, const Options& options) {
    const std::vector<Extent> x = {{10, {20}}};
    Rig<double> rig = make_rig<double>(
        {"dropout", "dropout", options, x}, true, 1,
        make_layer<double>("dropout", tree(options), {"rig", "Rig", stream, true}));
    rig.pass.dropout.step = step;
    return rig.forward();
  };
  const Options half = {{"p", 0.5}}, seeded = {{"p", 0.5}, {"seed", 5}};
  CHECK(draw(1, 1, half) == draw(1, 1, half));
  CHECK(draw(1, 1, half) != draw(2, 1, half));
  CHECK(draw(1, 1, half) != draw(1, 2, half));
  CHECK(draw(1, 1, half) != draw(1, 1, seeded));
}

TEST(dropout_shares_its_mask_along_axes) {
  Rig<double> rig = rig_of("dropout", {{"p", 0.5}, {"shared", Dims{0, 1, 0}}}, {{3, {4, 5}}}, true);
  std::fill(rig.inputs[0].begin(), rig.inputs[0].end(), 1.0);
  const auto y = rig.forward();  // [T, B, D]: every step is as the first
  for (size_t t = 1; t < 4; t++)
    CHECK(std::equal(y.begin(), y.begin() + 15, y.begin() + int64_t(t) * 15));
  CHECK(std::count(y.begin(), y.begin() + 15, 0.0) > 0 &&
        std::count(y.begin(), y.begin() + 15, 0.0) < 15);
  CHECK(!std::equal(y.begin(), y.begin() + 5, y.begin() + 5));
}

// --- errors

TEST(layers_refuse_inputs_of_the_wrong_shape) {
  const auto refused = [](const std::string& layer, const Options& options,
                          const std::vector<Extent>& x, const char* part) {
    CHECK_ERROR(output_of(layer, options, x), Code::kShape, part);
  };
  refused("embedding", kWords, {{2, {3, 4}}}, "it (Layer): input must be [B, T], got [2, 3, 4]");
  refused("masking", {}, {{2, {3}}}, "input must be [B, T, D], got [2, 3]");
  refused("repeat_vector", {{"n", 2}}, {{2, {3, 4}}}, "[B, D]");
  refused("reverse", {}, {{2, {3}}}, "[B, T, ...]");
  refused("fold", {}, {{2, {3}}}, "[B, T, ...]");
  refused("unfold", {}, {{7, {3}}, {2, {4, 3}}}, "[B*T, ...]");
  refused("reshape", {{"dims", Dims{5}}}, {{2, {3, 4}}}, "must be 12, as that of the input, got 5");
  refused("reshape", {{"dims", Dims{5, -1}}}, {{2, {3, 4}}}, "no whole number");
  refused("permute", {{"dims", Dims{2, 1}}}, {{2, {3}}}, "3 axes with the batch");
  refused("merge", {{"mode", "sum"}}, {{2, {3}}, {2, {4}}}, "input 1 must be [2, 3], got [2, 4]");
  refused("merge", {{"mode", "concat"}}, {{2, {3, 4}}, {2, {5, 4}}},
          "Only the concatenated axis may differ");
  refused("dropout", {{"p", 0.5}, {"shared", Dims{0, 1}}}, {{2, {3, 4}}},
          "noiseShape must be 3 extents");
  refused("recurrence", {{"cell", "lstm"}, {"units", 2}}, {{2, {3}}}, "[B, T, D]");
  CHECK_ERROR(
      output_of("recurrence",
                {{"cell", "gru"}, {"units", 2}, {"stateful", true}, {"learnedStates", true}},
                {{2, {3, 4}}}),
      Code::kOption, "one of these");
  CHECK_ERROR(output_of("permute", {{"dims", Dims{2, 2}}}, {{2, {3, 4}}}), Code::kOption,
              "each axis from 1 on once");
  CHECK_ERROR(output_of("merge", {{"mode", "concat"}, {"axis", 2}}, {{2, {3, 4}}}), Code::kOption,
              "axis");
  CHECK_ERROR(output_of("activation", {{"activation", "tanhh"}}, {}), Code::kUnknownName, "tanhh");
  CHECK_ERROR(output_of("merge", {{"mode", "cos"}}, {}), Code::kUnknownName, "cos");
}

// --- one computation, many ways

// sum (a - b)^2 / sum b^2
double distance(const std::vector<float>& a, const std::vector<double>& b) {
  double off = 0, size = 1e-30;
  for (size_t i = 0; i < b.size(); i++) off += (a[i] - b[i]) * (a[i] - b[i]), size += b[i] * b[i];
  return off / size;
}

// 1e-11: a recurrence of a few steps is a chain of products (1e-11 for one, docs: numerics). A
// bias' gradient is a sum whose terms cancel, so it may lose more. Runs for the set HIDDENSTATE_ISA
// names.
TEST(float_agrees_with_double) {
  for (const LayerCase& c : layer_cases()) {
    Rig<float> f = make_rig<float>(c);
    Rig<double> d = make_rig<double>(c);
    const auto check = [&](const std::string& what, const std::vector<float>& a,
                           const std::vector<double>& b, double limit = 1e-11) {
      CHECK_MESSAGE(distance(a, b) <= limit,
                    c.name + " " + what + " " + std::to_string(std::log10(distance(a, b))));
    };
    const auto y = f.forward();
    check("y", y, d.forward());
    f.backward(), d.backward();
    for (size_t i = 0; i < f.inputs.size(); i++)
      check("dx", f.input_gradients[i], d.input_gradients[i]);
    for (const auto& [name, tensor] : f.params) {
      if (std::find(c.fixed.begin(), c.fixed.end(), name) != c.fixed.end()) continue;
      check("d" + name, std::vector<float>(f.gradient(name), f.gradient(name) + tensor.size),
            std::vector<double>(d.gradient(name), d.gradient(name) + tensor.size),
            name == "b" || name.rfind("b_", 0) == 0 ? 3e-11 : 1e-11);
    }
  }
}

// Large enough to be shared out (matmul.h: 2 Mflop or 32 Ki elements), with uneven edges.
std::vector<LayerCase> large_cases() {
  std::vector<LayerCase> list = {
      {"dense", "dense/many rows", {{"units", 70}, {"activation", "softmax"}}, {{61, {13, 67}}}},
      {"dense",
       "dense/many rows of swish",
       {{"units", 70}, {"activation", "swish"}},
       {{61, {13, 67}}}},
      {"dense", "dense/few rows", {{"units", 530}, {"activation", "tanh"}}, {{5, {611}}}},
      {"embedding",
       "embedding",
       {{"inputDim", 900}, {"outputDim", 100}, {"dropout", 0.2}},
       {{33, {40}}},
       false,
       true},
      {"activation", "activation", {{"activation", "tanh"}}, {{33, {40, 50}}}},
      {"activation", "softmax", {{"activation", "softmax"}}, {{33, {40, 50}}}},
      {"dropout", "dropout", {{"p", 0.5}}, {{33, {40, 50}}}},
      {"masking", "masking", {}, {{33, {40, 50}}}},
      {"noise", "noise", {{"sigma", 0.5}, {"multiply", true}}, {{33, {40, 51}}}},
      {"highway", "highway", {{"activation", "tanh"}}, {{33, {40, 67}}}},
      {"maxout_dense", "maxout_dense", {{"units", 70}, {"features", 3}}, {{33, {13, 67}}}},
      {"sample_normalization", "sample_normalization", {{"epsilon", 0.01}}, {{33, {40, 50}}}},
      {"parametric_activation",
       "prelu of steps",
       {{"kind", "prelu"}, {"shared", Dims{0, 0}}},
       {{33, {40, 50}}}},
      {"parametric_activation",
       "srelu shared by steps",
       {{"kind", "srelu"}, {"shared", Dims{1, 0, 1, 0, 1, 0, 1, 0}}},
       {{33, {40, 50}}}},
      {"reshape", "reshape", {{"dims", Dims{50, 40}}}, {{33, {40, 50}}}},
      {"permute", "permute", {{"dims", Dims{2, 1}}}, {{33, {40, 50}}}},
      {"repeat_vector", "repeat_vector", {{"n", 30}}, {{33, {70}}}},
      {"reverse", "reverse", {}, {{33, {40, 50}}}},
      {"fold", "fold", {}, {{33, {40, 10, 5}}}},
      {"merge", "mul", {{"mode", "mul"}}, {{33, {40, 50}}, {33, {40, 50}}}},
      {"merge", "concat", {{"mode", "concat"}}, {{33, {40, 50}}, {33, {40, 7}}}}};
  for (int axis : {0, 1, 2}) {
    list.push_back({"batch_normalization",
                    "batch_normalization axis " + std::to_string(axis),
                    {{"mode", 0},
                     {"axis", axis},
                     {"features", axis == 0   ? 33
                                  : axis == 1 ? 40
                                              : 50},
                     {"epsilon", 0.01},
                     {"momentum", 0.9}},
                    {{33, {40, 50}}}});
  }
  for (const LayerCase& c : large_window_cases()) list.push_back(c);
  for (const std::string& cell : cell_names()) {
    for (int B : {33, 3}) {
      list.push_back({"recurrence",
                      cell + " B" + std::to_string(B),
                      {{"cell", cell}, {"units", 130}, {"returnSequences", true}},
                      {{B, {12, 40}}},
                      true});
    }
  }
  return list;
}

// Output and all gradients in one list.
std::vector<float> everything(Rig<float>& rig) {
  std::vector<float> all = rig.forward();
  rig.backward();
  for (const auto& dx : rig.input_gradients) all.insert(all.end(), dx.begin(), dx.end());
  for (const auto& [name, tensor] : rig.params)
    all.insert(all.end(), rig.gradient(name), rig.gradient(name) + tensor.size);
  for (const auto& [name, tensor] : rig.nexts)
    all.insert(all.end(), rig.next(name), rig.next(name) + tensor.size);
  return all;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST(any_number_of_threads_gives_the_same_bits) {
  const int before = threads();
  for (const LayerCase& c : large_cases()) {
    set_threads(1);
    Rig<float> one = make_rig<float>(c);
    const auto expected = everything(one);
    for (int n : {2, 3, 5}) {
      set_threads(n);
      Rig<float> rig = make_rig<float>(c);
      CHECK_MESSAGE(same_bits(everything(rig), expected),
                    c.name + " with " + std::to_string(n) + " threads");
      set_threads(1);
      CHECK_MESSAGE(same_bits(everything(rig), expected),
                    c.name + " laid out for " + std::to_string(n) + ", run by one");
    }
  }
  set_threads(before);
}

// A plan laid out before setThreads(n) stays valid: scratch for one worker is not overrun by three.
TEST(more_threads_than_laid_out_for) {
  const int before = threads();
  for (const LayerCase& c : large_cases()) {
    set_threads(1);
    Rig<float> rig = make_rig<float>(c);
    const auto expected = everything(rig);
    set_threads(3);
    CHECK_MESSAGE(same_bits(everything(rig), expected), c.name);
  }
  set_threads(before);
}

// Packed weights are kept while Pass::repack is false.
TEST(packed_weights_live_on) {
  for (const LayerCase& c : layer_cases()) {
    Rig<double> rig = make_rig<double>(c, false);
    const auto inputs = rig.inputs;  // forward may work in place
    const auto first = rig.forward();
    rig.inputs = inputs;
    rig.pass.repack = false;
    CHECK_MESSAGE(rig.forward() == first, c.name);
  }
}

}  // namespace
}  // namespace test
}  // namespace hs
