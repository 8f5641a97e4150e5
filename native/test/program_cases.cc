#include "test/program_cases.h"

namespace hs {
namespace test {
namespace {

// A program of two values [2, 3, 4] and [2, 3, 4] (B = 3), and what its name says.
template <typename Fn>
LayerCase of(const std::string& name, const Fn& fn,
             std::vector<Extent> x = {{3, {2, 4}}, {3, {2, 4}}}) {
  ProgramText p;
  const int output = fn(p);
  return {"expression", "expression/" + name, p.expression({output}), std::move(x)};
}

// 0.5 + x^2 of the first input: positive.
int positive(ProgramText& p) { return p.add(p.node("square", {p.input(0)}), p.number(0.5)); }

}  // namespace

std::vector<LayerCase> expression_cases() {
  std::vector<LayerCase> list;
  for (const char* a : {"tanh", "sigmoid", "softmax", "softplus", "swish", "elu"}) {
    list.push_back(of(std::string("activation ") + a,
                      [a](ProgramText& p) { return p.activation(a, p.input(0)); }));
  }
  for (const char* op : {"exp", "square", "log_softmax"})
    list.push_back(of(op, [op](ProgramText& p) { return p.node(op, {p.input(0)}); }));
  for (const char* op : {"log", "sqrt", "reciprocal"})
    list.push_back(of(op, [op](ProgramText& p) { return p.node(op, {positive(p)}); }));
  list.push_back(of("abs",
                    [](ProgramText& p) {
                      const int x = p.node("sub", {p.node("square", {p.input(0)}), p.number(9)});
                      return p.node("abs", {p.add(p.node("sign", {x}), x)});
                    },
                    {{3, {2, 4}}}));
  list.push_back(of("stop_gradient",
                    [](ProgramText& p) {
                      const int x = p.input(0),
                                zero = p.node("stop_gradient", {p.mul(x, p.number(0))});
                      return p.add(p.mul(zero, x), p.mul(x, x));
                    },
                    {{3, {2, 4}}}));
  list.push_back(of(
      "power", [](ProgramText& p) { return p.node("power", {positive(p)}, {{"exponent", 1.7}}); }));
  list.push_back(of("clip", [](ProgramText& p) {
    return p.node("clip", {p.input(0)}, {{"min", -20.0}, {"max", 20.0}});
  }));
  for (const char* op : {"add", "sub", "mul", "div", "max", "min"}) {
    const auto second = [](ProgramText& p) { return p.add(p.input(1), p.number(5)); };
    list.push_back(of(op, [=](ProgramText& p) { return p.node(op, {p.input(0), second(p)}); }));
    list.push_back(of(std::string(op) + " of a row",
                      [=](ProgramText& p) {
                        const int b = p.add(p.node("square", {p.param("b", {4})}), p.number(3));
                        return p.node(op, {p.input(0), b});
                      },
                      {{3, {2, 4}}}));
    list.push_back(of(std::string(op) + " of a number first",
                      [=](ProgramText& p) {
                        const int b = p.param("b", {1});
                        return p.node(op, {b, p.add(p.node("square", {p.input(0)}), p.number(3))});
                      },
                      {{3, {2, 4}}}));
    list.push_back(of(std::string(op) + " of a column", [=](ProgramText& p) {
      const int sum =
          p.node("sum", {p.node("square", {p.input(1)})}, {{"axes", Dims{2}}, {"keep", true}});
      return p.node(op, {p.input(0), p.add(sum, p.number(3))});
    }));
    list.push_back(of(std::string(op) + " of both",
                      [=](ProgramText& p) {
                        const int b = p.add(p.node("square", {p.param("b", {3, 1})}), p.number(3));
                        return p.node(op, {p.param("a", {2, 1, 4}),
                                           p.add(b, p.mul(p.input(0), p.number(1e-3)))});
                      },
                      {{3, {2, 4}}}));
  }
  for (const char* op : {"equal", "less", "less_equal"}) {
    list.push_back(of(op, [=](ProgramText& p) {
      const int a = p.input(0), b = p.input(1);
      return p.add(p.mul(p.node(op, {a, b}), a), p.mul(a, b));
    }));
  }
  list.push_back(of("where", [](ProgramText& p) {
    const int a = p.input(0), b = p.input(1);
    const int on = p.node("less", {p.node("stop_gradient", {p.param("c", {3, 1})}), p.number(0)});
    return p.node("where", {on, p.mul(a, a), p.mul(p.param("w", {4}), b)});
  }));
  list.push_back(of("dot", [](ProgramText& p) { return p.dot(p.input(0), p.param("W", {4, 5})); },
                    {{3, {2, 4}}}));
  list.push_back(of("dot transposed",
                    [](ProgramText& p) { return p.dot(p.input(0), p.param("W", {5, 4}), true); },
                    {{3, {2, 4}}}));
  list.push_back(of("dot of two sums", [](ProgramText& p) {
    const int x = p.input(0), y = p.input(1), W = p.param("W", {4, 5});
    const int sum = p.add(p.add(p.dot(x, W), p.param("b", {5})), p.dot(y, p.param("U", {4, 5})));
    return p.add(p.activation("tanh", sum), p.dot(p.mul(x, y), W));
  }));
  list.push_back(of("batch_dot",
                    [](ProgramText& p) {
                      return p.node("batch_dot", {p.input(0), p.input(1)}, {{"transposed", true}});
                    },
                    {{4, {2, 3}}, {4, {2, 3}}}));
  list.push_back(of("batch_dot, not transposed",
                    [](ProgramText& p) {
                      const int turned = p.node("permute", {p.input(1)}, {{"axes", Dims{0, 2, 1}}});
                      return p.node("batch_dot", {p.input(0), turned});
                    },
                    {{4, {2, 3}}, {4, {2, 3}}}));
  for (const char* op : {"sum", "mean", "max_of", "min_of", "prod"}) {
    for (const Dims& axes : {Dims{2}, Dims{0}, Dims{0, 2}, Dims{1}}) {
      list.push_back(of(std::string(op) + " over " + to_string(axes), [=](ProgramText& p) {
        const int y = p.node(op, {p.input(0)}, {{"axes", axes}, {"keep", true}});
        return p.add(y, p.input(1));
      }));
    }
  }
  list.push_back(of("argmax and gather",
                    [](ProgramText& p) {
                      const int x = p.input(0);
                      const int index = p.node("argmax", {x}, {{"axis", 2}});
                      return p.add(p.node("gather", {p.param("E", {4, 4}), index}), x);
                    },
                    {{3, {2, 4}}}));
  list.push_back(of("argmax and pick", [](ProgramText& p) {
    const int x = p.input(0);
    const int index = p.node("argmax", {x}, {{"axis", 2}});
    return p.node("pick", {p.mul(x, p.input(1)), index});
  }));
  list.push_back(of("one_hot",
                    [](ProgramText& p) {
                      const int x = p.input(0);
                      const int index = p.node("argmax", {x}, {{"axis", 2}});
                      return p.mul(p.node("one_hot", {index}, {{"classes", 4}}), x);
                    },
                    {{3, {2, 4}}}));
  list.push_back(of("cumsum",
                    [](ProgramText& p) { return p.node("cumsum", {p.input(0)}, {{"axis", 0}}); },
                    {{3, {4, 2}}}));
  for (int axis : {0, 1, 2}) {
    list.push_back(of("concat " + std::to_string(axis), [axis](ProgramText& p) {
      const int x = p.input(0);
      return p.node("concat", {x, p.input(1), x}, {{"axis", axis}});
    }));
  }
  list.push_back(of("slice",
                    [](ProgramText& p) {
                      const int x = p.input(0);
                      const int last = p.node("slice", {x}, {{"axis", 2}, {"from", -2}});
                      const int odd =
                          p.node("slice", {x}, {{"axis", 2}, {"from", 0}, {"to", 4}, {"step", 2}});
                      return p.mul(last, odd);
                    },
                    {{3, {2, 4}}}));
  list.push_back(of("reshape, permute, repeat",
                    [](ProgramText& p) {
                      const int flat =
                          p.node("reshape", {p.input(0)}, {{"dims", Dims{-3, -1}}});  // [3, 8]
                      const int turned = p.node("permute", {flat}, {{"axes", Dims{1, 0}}});
                      return p.node("repeat", {turned}, {{"axis", 0}, {"count", 2}});
                    },
                    {{3, {2, 4}}}));
  list.push_back(of("axes that are broadcast by turns",
                    [](ProgramText& p) { return p.mul(p.input(0), p.input(1)); },
                    {{3, {2, 1, 2, 1, 2, 1, 2, 1, 2, 1}}, {3, {2, 2, 1, 2, 1, 2, 1, 2, 1, 2}}}));
  list.push_back(of("full and broadcast",
                    [](ProgramText& p) {
                      const int x = p.input(0);
                      const int full =
                          p.node("full", {x}, {{"value", 2.5}, {"dims", Dims{-1, -2, 1}}});
                      return p.mul(p.node("broadcast", {p.param("b", {4}), x}), p.mul(full, x));
                    },
                    {{3, {2, 4}}}));
  list.push_back(of("dropout, phase",
                    [](ProgramText& p) {
                      const int x = p.input(0);
                      return p.mul(p.node("dropout", {x}, {{"p", 0.5}}),
                                   p.add(p.node("phase", {}), x));
                    },
                    {{3, {2, 4}}}));
  list.push_back(of("a value used in many places",
                    [](ProgramText& p) {
                      const int x = p.input(0), h = p.activation("tanh", x);
                      const int k = p.mul(h, h), m = p.add(k, h);
                      return p.add(p.mul(m, k), p.add(p.activation("sigmoid", m), x));
                    },
                    {{3, {2, 4}}}));
  ProgramText whole;
  whole.node("sum", {whole.mul(whole.input(0), whole.param("w", {5, 1}))}, {{"axes", Dims{0, 1}}});
  list.push_back({"expression", "expression/whole", whole.expression({3}, true), {{1, {5, 4}}}});
  LayerCase masked = of("mask",
                        [](ProgramText& p) {
                          const int keep =
                              p.node("reshape", {p.node("mask", {})}, {{"dims", Dims{-2, -3, 1}}});
                          return p.mul(p.activation("tanh", p.input(0)), keep);
                        },
                        {{3, {5, 4}}});
  masked.masked = true;
  list.push_back(masked);
  return list;
}

namespace {

// tanh(x + h U + b), x [T, B, 4] projected beforehand
int vanilla(ProgramText& p) {
  const int sum = p.add(p.sequence(0), p.dot(p.state(0), p.param("U", {4, 4})));
  return p.activation("tanh", p.add(sum, p.param("b", {4})));
}

// Gates of one matrix [H, 4H], H = 3; vectors of peepholes; h, c.
std::vector<ProgramText::State> lstm(ProgramText& p, const Dims& dims) {
  const int c0 = p.state(1);
  const int z = p.add(p.sequence(0), p.dot(p.state(0), p.param("U", {3, 12})));
  const auto gate = [&](int k) { return p.part(z, 1, 3 * k, 3 * k + 3); };
  const int i = p.activation("sigmoid", p.add(gate(0), p.mul(p.param("pi", {3}), c0)));
  const int f = p.activation("sigmoid", p.add(gate(1), p.mul(p.param("pf", {3}), c0)));
  const int c = p.add(p.mul(f, c0), p.mul(i, p.activation("tanh", gate(2))));
  const int o = p.activation("sigmoid", p.add(gate(3), p.mul(p.param("po", {3}), c)));
  const int h = p.mul(o, p.activation("tanh", c));
  return {{"h", h, dims}, {"c", c, dims}};
}

}  // namespace

std::vector<LayerCase> scan_cases() {
  std::vector<LayerCase> list;
  const auto add = [&](const char* name, const Options& options, std::vector<Extent> x) {
    list.push_back({"scan", std::string("scan/") + name, options, std::move(x)});
  };
  for (int B : {3, 37}) {  // one block of rows, and three
    const std::string rows = ", " + std::to_string(B) + " rows";
    {
      ProgramText p;
      const int h = vanilla(p);
      add(("vanilla" + rows).c_str(), p.scan(1, {{"h", h, {-1, 4}}}, {h}), {{B, {3, 4}}});
      add(("vanilla, the last" + rows).c_str(),
          p.scan(1, {{"h", h, {-1, 4}}}, {h}, {{"goBackwards", true}}, true), {{B, {3, 4}}});
      add(("vanilla, learned" + rows).c_str(), p.scan(1, {{"h", h, {-1, 4}, -1, "h0", {4}}}, {h}),
          {{B, {3, 4}}});
      add(("vanilla, given" + rows).c_str(), p.scan(1, {{"h", h, {-1, 4}, 1}}, {h}),
          {{B, {3, 4}}, {B, {4}}});
    }
    {
      ProgramText p;
      const auto states = lstm(p, {-1, 3});
      add(("peephole lstm" + rows).c_str(), p.scan(1, states, {states[0].next}), {{B, {3, 12}}});
    }
    {  // r h in a product; the whole of a sequence; a value that all steps read
      ProgramText p;
      const int h = p.state(0), x = p.sequence(0), c = p.input(1);
      const int r = p.activation("sigmoid", p.add(p.dot(h, p.param("Ur", {4, 4}), true), x));
      const int g = p.activation("tanh", p.add(p.dot(p.mul(r, h), p.param("U", {4, 4})), c));
      const int W = p.activation("tanh", p.param("W", {4, 4}));  // made once
      const int next = p.add(g, p.dot(x, W));
      const int y = p.node("log_softmax", {p.dot(next, W)});
      add(("gates, what stays" + rows).c_str(), p.scan(1, {{"h", next, {-1, 4}}}, {y}),
          {{B, {3, 4}}, {B, {4}}});
    }
    {  // attention over a value of rows, and layer normalisation
      ProgramText p;
      const int h = p.state(0), x = p.sequence(0);
      const int memory = p.node("permute", {p.input(1)}, {{"axes", Dims{1, 0, 2}}});  // [B, 5, 4]
      const int query = p.node("reshape", {h}, {{"dims", Dims{-2, 1, 4}}});
      const int a =
          p.activation("softmax", p.node("batch_dot", {query, memory}, {{"transposed", true}}));
      const int read =
          p.node("reshape", {p.node("batch_dot", {a, memory})}, {{"dims", Dims{-2, 4}}});
      const int sum = p.add(p.add(x, read), p.dot(h, p.param("U", {4, 4})));
      const int mean = p.node("mean", {sum}, {{"axes", Dims{1}}, {"keep", true}});
      const int d = p.node("sub", {sum, mean});
      const int var = p.node("mean", {p.node("square", {d})}, {{"axes", Dims{1}}, {"keep", true}});
      const int norm = p.node("div", {d, p.node("sqrt", {p.add(var, p.number(1e-3))})});
      const int next = p.activation("tanh", p.mul(norm, p.param("gain", {4})));
      add(("attention" + rows).c_str(), p.scan(1, {{"h", next, {-1, 4}}}, {next}),
          {{B, {3, 4}}, {B, {5, 4}}});
    }
    {  // other random numbers at every step
      ProgramText p;
      const int dropped = p.node("dropout", {p.state(0)}, {{"p", 0.4}});
      const int sum = p.add(p.sequence(0), p.dot(dropped, p.param("U", {4, 4})));
      const int next = p.activation("tanh", sum);
      add(("dropout" + rows).c_str(), p.scan(1, {{"h", next, {-1, 4}}}, {next}), {{B, {3, 4}}});
    }
    {  // masked: the state stays
      ProgramText p;
      const int h = vanilla(p);
      const int next = p.node("where", {p.node("mask", {}), h, 1});
      LayerCase c = {
          "scan", "scan/masked" + rows, p.scan(1, {{"h", next, {-1, 4}}}, {next}), {{B, {4, 4}}}};
      c.masked = true;
      list.push_back(c);
    }
  }
  {  // the forward algorithm: no batch, a matrix that is a value, no sequence read by rows
    ProgramText p;
    const int A = p.activation("softmax", p.param("A", {4, 4}));
    const int next = p.mul(p.dot(p.state(0), A), p.activation("sigmoid", p.sequence(0)));
    const int total = p.node("sum", {next}, {{"axes", Dims{0}}});
    add("forward algorithm",
        p.scan(1, {{"alpha", next, {4}, -1, "start"}}, {total}, {{"whole", true}}), {{1, {6, 4}}});
  }
  {  // a state that is another's old value, and one that nobody reads
    ProgramText p;
    const int h = p.state(0), before = p.state(1);
    const int next = p.activation("tanh", p.add(p.sequence(0), p.mul(before, p.param("w", {4}))));
    (void)h;
    add("a state that moves on", p.scan(1, {{"h", next, {-1, 4}}, {"before", h, {-1, 4}}}, {next}),
        {{20, {4, 4}}});
  }
  {  // a linear recurrence: the sum is the state
    ProgramText p;
    const int next = p.add(p.sequence(0), p.dot(p.state(0), p.param("U", {4, 4})));
    add("linear", p.scan(1, {{"h", next, {-1, 4}}}, {next}), {{18, {4, 4}}});
  }
  return list;
}

}  // namespace test
}  // namespace hs
