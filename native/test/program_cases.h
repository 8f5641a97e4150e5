// Programs for the tests, written as code: nodes by their numbers.
#pragma once
#include <string>
#include <vector>

#include "test/layer_cases.h"

namespace hs {
namespace test {

class ProgramText {
 public:
  int input(int index) { return node("input", {}, {{"index", index}}); }
  int sequence(int index) { return node("sequence", {}, {{"index", index}}); }
  int state(int index) { return node("state", {}, {{"index", index}}); }
  int number(double value) { return node("number", {}, {{"value", value}}); }
  int param(const char* name, const Dims& dims) {
    return node("param", {}, {{"name", name}, {"dims", dims}});
  }
  int activation(const char* name, int x) { return node("activation", {x}, {{"name", name}}); }
  int add(int a, int b) { return node("add", {a, b}); }
  int mul(int a, int b) { return node("mul", {a, b}); }
  int dot(int a, int b, bool transposed = false) {
    return node("dot", {a, b}, {{"transposed", transposed}});
  }
  int part(int x, int axis, int from, int to) {
    return node("slice", {x}, {{"axis", axis}, {"from", from}, {"to", to}});
  }
  int node(const char* op, const std::vector<int>& args, const Options& attributes = {}) {
    Config c = tree(attributes);
    c.tree["op"] = Option(op);
    c.tree["args"] = Option(Dims(args.begin(), args.end()));
    nodes_.kind = Config::Kind::kList;
    nodes_.list.push_back(c);
    return static_cast<int>(nodes_.list.size()) - 1;
  }

  // Of an op `expression`.
  Options expression(const std::vector<int>& outputs, bool whole = false) const {
    return {{"nodes", Option(nodes_)},
            {"outputs", Option(Dims(outputs.begin(), outputs.end()))},
            {"whole", whole}};
  }

  // Of an op `scan`.
  struct State {
    const char* name;
    int next;
    Dims dims;
    int from_input = -1;
    const char* from_param = nullptr;
    Dims from_dims = {};
  };
  Options scan(int sequences, const std::vector<State>& states, const std::vector<int>& outputs,
               const Options& more = {}, bool last = false) const {
    Config states_list, outputs_list;
    states_list.kind = outputs_list.kind = Config::Kind::kList;
    for (const State& s : states) {
      Config c = tree({{"name", s.name}, {"next", s.next}, {"dims", s.dims}});
      if (s.from_input >= 0) c.tree["from"] = Option(s.from_input);
      if (s.from_param) {
        c.tree["from"] = Option(s.from_param);
        c.tree["fromDims"] = Option(s.from_dims.empty() ? s.dims : s.from_dims);
      }
      states_list.list.push_back(c);
    }
    for (int node : outputs) outputs_list.list.push_back(tree({{"node", node}, {"last", last}}));
    Options all = {{"nodes", Option(nodes_)},
                   {"sequences", sequences},
                   {"states", Option(states_list)},
                   {"outputs", Option(outputs_list)}};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

 private:
  Config nodes_;
};

// At least one case for each node, and steps of all kinds.
std::vector<LayerCase> expression_cases();
std::vector<LayerCase> scan_cases();

}  // namespace test
}  // namespace hs
