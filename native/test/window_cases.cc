// Cases of the layers that move a window over steps or over rows and columns.
#include "device/cpu/kernels/cell.h"
#include "ops/conv_recurrence.h"
#include "test/layer_cases.h"

namespace hs {
namespace test {

namespace {

struct Sweep {
  const char* name;
  Dims size, strides, dilation, x;  // x: of one sample
};

// Along rows and columns: lengths even and odd, strides that do and do not divide, dilation, one
// extent 1.
const Sweep kSweeps[] = {
    {"T7 L3", {3, 1}, {1, 1}, {1, 1}, {7, 2}},
    {"T7 L4 stride 2", {4, 1}, {2, 1}, {1, 1}, {7, 2}},
    {"T9 L2 stride 3", {2, 1}, {3, 1}, {1, 1}, {9, 1}},
    {"T9 L3 dilation 2", {3, 1}, {1, 1}, {2, 1}, {9, 2}},
    {"T9 L2 dilation 3 stride 2", {2, 1}, {2, 1}, {3, 1}, {9, 2}},
    {"T3 L1", {1, 1}, {1, 1}, {1, 1}, {3, 9}},
    {"4x5 2x3", {2, 3}, {1, 1}, {1, 1}, {4, 5, 2}},
    {"5x4 3x2 stride 2x3", {3, 2}, {2, 3}, {1, 1}, {5, 4, 2}},
    {"5x5 2x2 dilation 2x3", {2, 2}, {1, 2}, {2, 3}, {5, 5, 1}},
    {"1x4 1x2", {1, 2}, {1, 1}, {1, 1}, {1, 4, 10}},
};

std::vector<LayerCase> convolution_cases() {
  std::vector<LayerCase> list;
  for (const Sweep& s : kSweeps) {
    for (const char* border : {"valid", "same", "full", "same_tf", "causal"}) {
      for (bool th : {false, true}) {
        list.push_back({"convolution",
                        std::string("convolution/") + s.name + "." + border + (th ? ".th" : ""),
                        {{"filters", 3},
                         {"size", s.size},
                         {"strides", s.strides},
                         {"dilation", s.dilation},
                         {"border", border},
                         {"th", th},
                         {"activation", th                ? "linear"
                                        : s.x.size() == 2 ? "tanh"
                                                          : "swish"},
                         {"bias", !th}},
                        {{3, s.x}}});
      }
    }
  }
  // More positions than one block of either product, and rows of the weight gradient in two blocks.
  list.push_back({"convolution",
                  "convolution/blocks",
                  {{"filters", 2},
                   {"size", Dims{3, 1}},
                   {"strides", Dims{1, 1}},
                   {"dilation", Dims{1, 1}},
                   {"border", "same"},
                   {"activation", "softmax"}},
                  {{5, {90, 1}}}});
  return list;
}

}  // namespace

std::vector<LayerCase> window_cases() {
  std::vector<LayerCase> list = convolution_cases();
  for (bool bias : {true, false}) {
    for (int stride : {1, 2, 4}) {
      list.push_back({"locally_connected",
                      "locally_connected/stride " + std::to_string(stride),
                      {{"filters", 4},
                       {"length", 3},
                       {"stride", stride},
                       {"bias", bias},
                       {"activation", bias ? "sigmoid" : "linear"}},
                      {{3, {8, 2}}}});
    }
  }
  list.push_back({"locally_connected",
                  "locally_connected/swish",
                  {{"filters", 4}, {"length", 3}, {"stride", 1}, {"activation", "swish"}},
                  {{3, {8, 2}}}});
  list.push_back(
      {"pooling",
       "pooling/ave of real steps",
       {{"size", Dims{0, 1}}, {"strides", Dims{1, 1}}, {"border", "valid"}, {"mode", "ave"}},
       {{2, {5, 3}}},
       true});
  struct Pool {
    Dims size, strides, x;
  };
  const Pool pools[] = {
      {{2, 1}, {2, 1}, {7, 2}},    {{3, 1}, {1, 1}, {7, 9}},    {{3, 1}, {2, 1}, {8, 2}},
      {{2, 1}, {3, 1}, {9, 2}},    {{5, 1}, {2, 1}, {9, 1}},    {{0, 1}, {1, 1}, {5, 3}},
      {{2, 2}, {2, 2}, {5, 4, 2}}, {{3, 2}, {1, 3}, {4, 5, 3}}, {{0, 0}, {1, 1}, {3, 4, 2}}};
  for (const Pool& pool : pools) {
    for (const char* border : {"valid", "same", "same_tf"}) {
      for (const char* mode : {"max", "ave"}) {
        list.push_back(
            {"pooling",
             std::string("pooling/") + mode + " " + to_string(pool.size) + " stride " +
                 to_string(pool.strides) + " of " + to_string(pool.x) + " " + border,
             {{"size", pool.size}, {"strides", pool.strides}, {"border", border}, {"mode", mode}},
             {{3, pool.x}}});
      }
    }
  }
  struct Ends {
    const char* name;
    Dims before, after, repeat, x;
  };
  const Ends ends[] = {
      {"pad", {1, 0}, {3, 0}, {1, 1}, {4, 2}},
      {"crop", {-1, 0}, {-2, 0}, {1, 1}, {6, 2}},
      {"repeat", {0, 0}, {0, 0}, {3, 1}, {4, 2}},
      {"pad columns", {1, 0}, {0, 2}, {1, 1}, {2, 3, 2}},
      {"crop both, repeat both", {-1, -3}, {-1, 1}, {2, 3}, {3, 2, 2}},
  };
  for (const Ends& e : ends) {
    list.push_back({"resize",
                    std::string("resize/") + e.name,
                    {{"before", e.before}, {"after", e.after}, {"repeat", e.repeat}},
                    {{3, e.x}}});
  }
  return list;
}

// Every cell that convolves, with every switch.
std::vector<LayerCase> conv_recurrence_cases() {
  std::vector<LayerCase> list;
  for (const std::string& cell : cell_names()) {
    if (!ConvRecurrenceShape::convolves(*kernels<double>().cell(cell.c_str()))) continue;
    const auto add = [&](const std::string& name, const Extent& x, bool masked, Options options) {
      options.insert(options.begin(), {{"cell", cell}, {"units", 2}});
      list.push_back({"conv_recurrence", "conv " + cell + "/" + name, options, {x}, masked});
    };
    for (int bits = 0; bits < 32; bits++) {
      const bool masked = bits & 1, backwards = bits & 2, sequences = bits & 4, stateful = bits & 8,
                 dropout = bits & 16;
      add(std::string("T3.B3.3x2") + (masked ? ".masked" : "") + (backwards ? ".backwards" : "") +
              (sequences ? ".sequences" : "") + (stateful ? ".stateful" : "") +
              (dropout ? ".dropout" : ""),
          {3, {3, 3, 2, 1}}, masked,
          {{"size", sequences ? Dims{2, 1} : Dims{1, 2}},
           {"strides", Dims{1, 1}},
           {"border", "same"},
           {"th", backwards},
           {"goBackwards", backwards},
           {"returnSequences", sequences},
           {"stateful", stateful},
           {"dropoutW", dropout ? 0.4 : 0.0},
           {"dropoutU", dropout ? 0.4 : 0.0}});
    }
    for (const char* border : {"valid", "same", "full"}) {
      add(std::string("T2.B2.5x4 3x2 stride 2x1 ") + border, {2, {2, 5, 4, 1}}, false,
          {{"size", Dims{3, 2}},
           {"strides", Dims{2, 1}},
           {"border", border},
           {"activation", "softsign"},
           {"innerActivation", "sigmoid"},
           {"returnSequences", true}});
    }
    for (const bool masked : {false, true}) {
      add(std::string("swish") + (masked ? ".masked" : ""), {2, {3, 2, 2, 1}}, masked,
          {{"size", Dims{1, 2}},
           {"strides", Dims{1, 1}},
           {"border", "same"},
           {"activation", "swish"},
           {"innerActivation", "swish"},
           {"returnSequences", true}});
    }
    add("one step, one place", {3, {1, 1, 1, 3}}, false,
        {{"size", Dims{1, 1}}, {"strides", Dims{1, 1}}, {"border", "valid"}});
  }
  return list;
}

std::vector<LayerCase> large_window_cases() {
  const Dims none = {1, 1};
  std::vector<LayerCase> list = {
      {"convolution",
       "convolution 1-D",
       {{"filters", 70},
        {"size", Dims{5, 1}},
        {"strides", none},
        {"dilation", none},
        {"border", "same"}},
       {{33, {41, 20}}}},
      {"convolution",
       "convolution 2-D",
       {{"filters", 30},
        {"size", Dims{3, 3}},
        {"strides", none},
        {"dilation", none},
        {"border", "valid"}},
       {{7, {24, 23, 10}}}},
      {"locally_connected",
       "locally_connected",
       {{"filters", 30}, {"length", 3}},
       {{33, {40, 20}}}},
      {"resize",
       "resize",
       {{"before", Dims{1, 2}}, {"after", Dims{3, -1}}, {"repeat", Dims{2, 1}}},
       {{9, {20, 20, 13}}}},
  };
  for (const char* mode : {"max", "ave"}) {
    list.push_back(
        {"pooling",
         std::string("pooling ") + mode,
         {{"size", Dims{3, 2}}, {"strides", Dims{2, 1}}, {"border", "same"}, {"mode", mode}},
         {{9, {20, 20, 13}}}});
  }
  for (bool sequences : {false, true}) {
    list.push_back({"conv_recurrence",
                    "conv_recurrence",
                    {{"cell", "lstm"},
                     {"units", 18},
                     {"size", Dims{3, 3}},
                     {"strides", none},
                     {"border", "same"},
                     {"returnSequences", sequences},
                     {"dropoutU", sequences ? 0.3 : 0.0}},
                    {{5, {3, 12, 13, 7}}},
                    true});
  }
  return list;
}

}  // namespace test
}  // namespace hs
