// Layers with windows against the formulas written down plainly, place by place, on data as users
// see them (batch-major).
#include <algorithm>
#include <cmath>

#include "test/layer_cases.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

// A value as [B, rows, columns, D]; [T, D] has one column.
struct Image {
  int64_t B, R, C, D;
  std::vector<double> v;
  double& at(int64_t b, int64_t r, int64_t c, int64_t d) {
    return v[size_t(((b * R + r) * C + c) * D + d)];
  }
  double get(int64_t b, int64_t r, int64_t c, int64_t d) const {
    return r < 0 || r >= R || c < 0 || c >= C ? 0 : v[size_t(((b * R + r) * C + c) * D + d)];
  }
};

// Memory is [rows, B, columns, D].
Image image(const Extent& e, const std::vector<double>& memory) {
  Image x{e.rows, e.dims[0], e.dims.size() == 3 ? e.dims[1] : 1, e.last(), memory};
  for (int64_t b = 0; b < x.B; b++)
    for (int64_t r = 0; r < x.R; r++)
      for (int64_t i = 0; i < x.C * x.D; i++)
        x.v[size_t((b * x.R + r) * x.C * x.D + i)] = memory[size_t((r * x.B + b) * x.C * x.D + i)];
  return x;
}

double off(const Image& a, const Image& b) {
  if (a.R != b.R || a.C != b.C || a.D != b.D || a.v.size() != b.v.size()) return INFINITY;
  double most = 0;
  for (size_t i = 0; i < a.v.size(); i++) most = std::max(most, std::fabs(a.v[i] - b.v[i]));
  return std::isfinite(most) ? most : INFINITY;
}

// Kernel element of Keras' array: [rows, columns, D, N], or [N, D, rows, columns].
struct Kernel {
  const double* W;
  bool th;
  int64_t rows, columns, D, N;
  double at(int64_t i, int64_t j, int64_t d, int64_t n) const {
    return th ? W[((n * D + d) * rows + i) * columns + j] : W[((i * columns + j) * D + d) * N + n];
  }
};

int64_t length(const std::string& border, int64_t in, int64_t span, int64_t stride) {
  const int64_t n = border == "full" ? in + span - 1 : border == "valid" ? in - span + 1 : in;
  return (n + stride - 1) / stride;
}
int64_t padding(const std::string& border, int64_t in, int64_t span, int64_t stride) {
  if (border == "same") return span / 2;
  if (border == "valid") return 0;
  if (border != "same_tf") return span - 1;
  int64_t all = 0;  // as many as the last window sticks out
  while ((length(border, in, span, stride) - 1) * stride + span > in + all) all++;
  return all / 2;
}

// Theano's conv2d: y[r, c] = sum of x[r + i, c + j] W[last - i, last - j], on zeros around x.
Image convolved(const Image& x, const Kernel& k, const Dims& strides, const Dims& dilation,
                const std::string& border) {
  const int64_t tall = (k.rows - 1) * dilation[0] + 1, wide = (k.columns - 1) * dilation[1] + 1;
  Image y{
      x.B, length(border, x.R, tall, strides[0]), length(border, x.C, wide, strides[1]), k.N, {}};
  y.v.assign(size_t(y.B * y.R * y.C * y.D), 0);
  for (int64_t b = 0; b < y.B; b++)
    for (int64_t r = 0; r < y.R; r++)
      for (int64_t c = 0; c < y.C; c++)
        for (int64_t n = 0; n < k.N; n++)
          for (int64_t i = 0; i < k.rows; i++)
            for (int64_t j = 0; j < k.columns; j++)
              for (int64_t d = 0; d < k.D; d++)
                y.at(b, r, c, n) +=
                    x.get(b,
                          r * strides[0] + i * dilation[0] - padding(border, x.R, tall, strides[0]),
                          c * strides[1] + j * dilation[1] - padding(border, x.C, wide, strides[1]),
                          d) *
                    k.at(k.rows - 1 - i, k.columns - 1 - j, d, n);
  return y;
}

TEST(convolution_flips_the_kernel_as_theano) {
  for (const LayerCase& c : window_cases()) {
    if (c.layer != "convolution" || c.name == "convolution/blocks") continue;
    Rig<double> rig = make_rig<double>(c, false);
    const Config o = tree(c.options);
    const Dims size = o.dims("size");
    const int64_t D = c.x[0].last(), N = o.integer("filters");
    Image y = convolved(image(c.x[0], rig.inputs[0]),
                        {rig.value("W"), o.on("th"), size[0], size[1], D, N}, o.dims("strides"),
                        o.dims("dilation"), o.str("border"));
    for (size_t i = 0; i < y.v.size(); i++) {
      if (o.on("bias", true)) y.v[i] += rig.value("b")[i % size_t(N)];
      if (o.str("activation") == "tanh") y.v[i] = std::tanh(y.v[i]);
      if (o.str("activation") == "swish") y.v[i] /= 1 + std::exp(-y.v[i]);
    }
    CHECK_MESSAGE(off(image(rig.pass.y_extent, rig.forward()), y) < 1e-12, c.name);
  }
  // By hand: x 1 2 3 4, kernel 1 10 100. Element k of the kernel meets x[t - k].
  Rig<double> rig = make_rig<double>({"convolution",
                                      "by hand",
                                      {{"filters", 1},
                                       {"size", Dims{3, 1}},
                                       {"strides", Dims{1, 1}},
                                       {"dilation", Dims{1, 1}},
                                       {"border", "same"},
                                       {"bias", false}},
                                      {{1, {4, 1}}}},
                                     false);
  rig.inputs[0] = {1, 2, 3, 4};
  for (int i = 0; i < 3; i++) rig.value("W")[i] = std::pow(10, i);
  CHECK(rig.forward() == (std::vector<double>{12, 123, 234, 340}));
}

TEST(locally_connected_has_a_kernel_for_each_place) {
  for (const LayerCase& c : window_cases()) {
    if (c.layer != "locally_connected") continue;
    Rig<double> rig = make_rig<double>(c, false);
    const Config o = tree(c.options);
    const int64_t L = o.integer("length"), stride = o.integer("stride"), N = o.integer("filters");
    const Image x = image(c.x[0], rig.inputs[0]), y = image(rig.pass.y_extent, rig.forward());
    bool good = y.R == (x.R - L) / stride + 1;
    for (int64_t b = 0; b < y.B && good; b++)
      for (int64_t t = 0; t < y.R; t++)
        for (int64_t n = 0; n < N; n++) {
          double z = o.on("bias", true) ? rig.value("b")[t * N + n] : 0;
          for (int64_t i = 0; i < L * x.D; i++)
            z += x.get(b, t * stride + i / x.D, 0, i % x.D) *
                 rig.value("W")[(t * L * x.D + i) * N + n];
          const double s = 1 / (1 + std::exp(-z));
          if (o.str("activation") == "sigmoid") z = s;
          if (o.str("activation") == "swish") z *= s;
          good &= std::fabs(y.get(b, t, 0, n) - z) < 1e-12;
        }
    CHECK_MESSAGE(good, c.name);
  }
}

// Keras 1.2.2 on Theano: padding of p - 2 (odd p > 2) or p - 1 on both sides; the windows that fit,
// then the first ceil(in / stride).
TEST(pooling_pads_as_its_backend) {
  for (const LayerCase& c : window_cases()) {
    if (c.layer != "pooling" || c.masked) continue;
    Rig<double> rig = make_rig<double>(c, false);
    const Config o = tree(c.options);
    const Image x = image(c.x[0], rig.inputs[0]), y = image(rig.pass.y_extent, rig.forward());
    const std::string border = o.str("border");
    const bool most = o.str("mode") == "max";
    Dims size = o.dims("size"), strides = o.dims("strides"), pad = {0, 0}, out = {0, 0};
    const int64_t in[2] = {x.R, x.C};
    for (size_t i = 0; i < 2; i++) {
      if (size[i] == 0) size[i] = in[i];
      if (border == "same") pad[i] = size[i] > 2 && size[i] % 2 == 1 ? size[i] - 2 : size[i] - 1;
      if (border == "same_tf") pad[i] = padding(border, in[i], size[i], strides[i]);
      out[i] = (in[i] + 2 * pad[i] - size[i]) / strides[i] + 1;
      const int64_t most_places = (in[i] + strides[i] - 1) / strides[i];
      if (border == "same") out[i] = std::min(out[i], most_places);
      if (border == "same_tf") out[i] = most_places;
    }
    bool good = y.R == out[0] && y.C == out[1];
    for (int64_t b = 0; b < y.B && good; b++)
      for (int64_t r = 0; r < y.R; r++)
        for (int64_t col = 0; col < y.C; col++)
          for (int64_t d = 0; d < y.D; d++) {
            double top = -INFINITY, sum = 0, n = 0;
            for (int64_t i = 0; i < size[0]; i++)
              for (int64_t j = 0; j < size[1]; j++) {
                const int64_t row = r * strides[0] + i - pad[0], at = col * strides[1] + j - pad[1];
                if (row < 0 || row >= x.R || at < 0 || at >= x.C) continue;
                top = std::max(top, x.get(b, row, at, d));
                sum += x.get(b, row, at, d), n++;
              }
            good &= std::fabs(y.get(b, r, col, d) - (most ? top : sum / n)) < 1e-12;
          }
    CHECK_MESSAGE(good, c.name);
  }
}

TEST(max_pooling_gives_ties_the_whole_gradient) {
  Rig<double> rig = make_rig<double>(
      {"pooling",
       "ties",
       {{"size", Dims{2, 1}}, {"strides", Dims{2, 1}}, {"border", "valid"}, {"mode", "max"}},
       {{1, {4, 1}}}});
  rig.inputs[0] = {5, 5, 1, 2};
  rig.dy = {3, 7};
  rig.forward(), rig.backward();
  CHECK(rig.input_gradients[0] == (std::vector<double>{3, 3, 0, 7}));
}

TEST(resize_pads_crops_and_repeats) {
  const auto resized = [](const Dims& before, const Dims& after, const Dims& repeat,
                          const Dims& x) {
    Rig<double> rig = make_rig<double>(
        {"resize", "resize", {{"before", before}, {"after", after}, {"repeat", repeat}}, {{1, x}}},
        false);
    for (size_t i = 0; i < rig.inputs[0].size(); i++) rig.inputs[0][i] = double(i + 1);
    return rig.forward();
  };
  using List = std::vector<double>;
  CHECK(resized({1, 0}, {2, 0}, {1, 1}, {3, 1}) == (List{0, 1, 2, 3, 0, 0}));
  CHECK(resized({-1, 0}, {-2, 0}, {1, 1}, {5, 1}) == (List{2, 3}));
  CHECK(resized({0, 0}, {0, 0}, {3, 1}, {2, 1}) == (List{1, 1, 1, 2, 2, 2}));
  CHECK(resized({0, 1}, {0, -1}, {2, 1}, {1, 3, 1}) == (List{0, 1, 2, 0, 1, 2}));
  CHECK(resized({0, 0}, {0, 0}, {2, 2}, {2, 2, 1}) ==
        (List{1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4}));
}

double hard_sigmoid(double v) { return std::min(1.0, std::max(0.0, 0.2 * v + 0.5)); }

// convolutional_recurrent.py:438-476 word for word, a sample's step at a time.
TEST(conv_recurrence_is_the_conv_lstm_of_keras) {
  struct Case {
    const char* border;
    Dims size, strides;
    bool th, backwards, sequences, masked;
  };
  const Case cases[] = {{"same", {3, 3}, {1, 1}, false, false, true, false},
                        {"valid", {2, 3}, {1, 1}, true, false, true, false},
                        {"same", {2, 2}, {2, 1}, false, true, true, true},
                        {"full", {3, 2}, {1, 2}, true, true, false, false},
                        {"same", {1, 2}, {1, 1}, true, false, false, true}};
  const int64_t T = 4, B = 3, R = 4, C = 5, D = 2, H = 3;
  for (const Case& c : cases) {
    Rig<double> rig = make_rig<double>({"conv_recurrence",
                                        c.border,
                                        {{"cell", "lstm"},
                                         {"units", int(H)},
                                         {"size", c.size},
                                         {"strides", c.strides},
                                         {"border", c.border},
                                         {"th", c.th},
                                         {"goBackwards", c.backwards},
                                         {"returnSequences", c.sequences}},
                                        {{B, {T, R, C, D}}},
                                        c.masked},
                                       false);
    const std::vector<double> y = rig.forward();
    const auto kernel = [&](const char* name, int64_t depth) {
      return Kernel{rig.value(name), c.th, c.size[0], c.size[1], depth, H};
    };
    double most = 0;
    for (int64_t b = 0; b < B; b++) {
      Image h, k;  // states; k is Keras' c
      for (int64_t s = 0; s < T; s++) {
        const int64_t t = c.backwards ? T - 1 - s : s;
        const double* place = rig.inputs[0].data() + (t * B + b) * R * C * D;
        const Image x{1, R, C, D, std::vector<double>(place, place + R * C * D)};
        Image gate[4];
        const char* names[4][3] = {{"W_i", "U_i", "b_i"},
                                   {"W_f", "U_f", "b_f"},
                                   {"W_g", "U_g", "b_g"},
                                   {"W_o", "U_o", "b_o"}};
        for (int q = 0; q < 4; q++) {
          gate[q] = convolved(x, kernel(names[q][0], D), c.strides, {1, 1}, c.border);
          if (s == 0 && q == 0) {
            h = k = gate[0];
            std::fill(h.v.begin(), h.v.end(), 0), std::fill(k.v.begin(), k.v.end(), 0);
          }
          const Image back = convolved(h, kernel(names[q][1], H), {1, 1}, {1, 1}, "same");
          for (size_t i = 0; i < back.v.size(); i++)
            gate[q].v[i] += back.v[i] + rig.value(names[q][2])[i % size_t(H)];
        }
        const bool real_step = !c.masked || rig.mask[size_t(t * B + b)] != 0;
        for (size_t i = 0; real_step && i < h.v.size(); i++) {
          k.v[i] = hard_sigmoid(gate[1].v[i]) * k.v[i] +
                   hard_sigmoid(gate[0].v[i]) * std::tanh(gate[2].v[i]);
          h.v[i] = hard_sigmoid(gate[3].v[i]) * std::tanh(k.v[i]);
        }
        if (!c.sequences && s < T - 1) continue;
        for (int64_t r = 0; r < h.R; r++) {
          for (int64_t i = 0; i < h.C * H; i++) {
            const int64_t line = c.sequences ? (s * B + b) * h.R + r : r * B + b;
            most = std::max(
                most, std::fabs(y[size_t(line * h.C * H + i)] - h.v[size_t(r * h.C * H + i)]));
          }
        }
      }
    }
    CHECK_MESSAGE(most < 1e-12, std::string(c.border) + " off by " + std::to_string(most));
  }
}

TEST(conv_recurrence_carries_its_states) {
  const Options options = {{"cell", "lstm"},         {"units", 2},       {"size", Dims{2, 2}},
                           {"strides", Dims{1, 1}},  {"border", "same"}, {"stateful", true},
                           {"returnSequences", true}};
  Rig<double> whole =
      make_rig<double>({"conv_recurrence", "whole", options, {{2, {4, 2, 3, 1}}}}, false);
  Rig<double> half =
      make_rig<double>({"conv_recurrence", "half", options, {{2, {2, 2, 3, 1}}}}, false);
  const auto y = whole.forward();
  for (int part = 0; part < 2; part++) {
    std::copy_n(whole.inputs[0].begin() + part * 24, 24, half.inputs[0].begin());
    const auto z = half.forward();
    half.commit();
    CHECK(std::equal(z.begin(), z.end(), y.begin() + part * int64_t(z.size())));
  }
}

TEST(windows_refuse_what_does_not_fit) {
  const auto output = [](const std::string& layer, const Options& options, const Extent& x) {
    const OpContext context{"it", "Layer"};
    return make_layer<double>(layer, tree(options), context)->shape().output({x});
  };
  const Options conv = {{"filters", 2},
                        {"size", Dims{3, 1}},
                        {"strides", Dims{1, 1}},
                        {"dilation", Dims{2, 1}},
                        {"border", "valid"}};
  CHECK(output("convolution", conv, {2, {5, 1}}).dims == (Dims{1, 2}));
  CHECK_ERROR(output("convolution", conv, {2, {4, 1}}), Code::kShape,
              "at least as long as the filter, [5, 1], got [2, 4, 1]");
  CHECK_ERROR(output("convolution", conv, {2, {4}}), Code::kShape, "[B, T, D]");
  const Options pool = {
      {"size", Dims{3, 1}}, {"strides", Dims{1, 1}}, {"border", "valid"}, {"mode", "max"}};
  CHECK_ERROR(output("pooling", pool, {2, {2, 1}}), Code::kShape, "as the window, [3, 1]");
  CHECK_ERROR(output("locally_connected", {{"filters", 2}, {"length", 4}}, {2, {3, 1}}),
              Code::kShape, "T must be at least 4, got [2, 3, 1]");
  CHECK_ERROR(
      output("resize", {{"before", Dims{-2, 0}}, {"after", Dims{-2, 0}}, {"repeat", Dims{1, 1}}},
             {2, {4, 1}}),
      Code::kShape, "longer than what is cut off");
  const Options lstm = {{"cell", "lstm"},
                        {"units", 2},
                        {"size", Dims{3, 3}},
                        {"strides", Dims{1, 1}},
                        {"border", "valid"}};
  CHECK_ERROR(output("conv_recurrence", lstm, {2, {4, 2, 5, 1}}), Code::kShape,
              "as the filter, [3, 3]");
  CHECK_ERROR(output("conv_recurrence", lstm, {2, {4, 2, 5}}), Code::kShape,
              "[B, T, rows, columns, D]");
}

}  // namespace
}  // namespace test
}  // namespace hs
