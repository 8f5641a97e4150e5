// Scans: the option `checkpoint` changes no bit, whatever the threads and the products, and the
// memory that is kept grows with the root of the steps.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "device/cpu/threads/parallel.h"
#include "test/compare.h"
#include "test/program_cases.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

template <typename real>
using Numbers = std::map<std::string, std::vector<real>>;

// All that a pass in training leaves.
template <typename real>
Numbers<real> passed(LayerCase c, const Option& checkpoint, const Table<real>& k) {
  c.options.push_back({"checkpoint", checkpoint});
  Rig<real> rig =
      make_rig<real>(c, true, 1, make_layer<real>(c.layer, tree(c.options), kRigged, &k));
  Numbers<real> all;
  all["output"] = rig.forward();
  rig.commit();
  rig.backward();
  for (size_t i = 0; i < rig.inputs.size(); i++)
    all["input " + std::to_string(i)] = rig.input_gradients[i];
  for (const auto& [name, tensor] : rig.params)
    all[name].assign(rig.gradient(name), rig.gradient(name) + tensor.size);
  for (const auto& [name, tensor] : rig.carries)
    all["carry " + name].assign(rig.carry(name), rig.carry(name) + tensor.size);
  return all;
}

template <typename real>
void compare(const LayerCase& c, const Table<real>& k, const std::string& what) {
  const Numbers<real> whole = passed(c, Option(0), k);
  for (const Option& checkpoint : {Option("auto"), Option(1), Option(2), Option(3), Option(40)}) {
    const Numbers<real> parts = passed(c, checkpoint, k);
    CHECK(parts.size() == whole.size());
    for (const auto& [name, numbers] : whole) {
      const std::string steps = checkpoint.text + std::to_string(int(checkpoint.number));
      CHECK_MESSAGE(same_bits(parts.at(name), numbers), c.name + what + ", " + steps + ": " + name);
    }
  }
}

// h = tanh(x + dropout(h) U + (h U) w), U also number by number: matrices of several products,
// random numbers in a step, gradients that steps add.
LayerCase tangled(int B, int T) {
  ProgramText p;
  const int h = p.state(0), U = p.param("U", {4, 4});
  const int dropped = p.node("dropout", {h}, {{"p", 0.4}});
  const int twice = p.dot(p.mul(p.dot(h, U), p.param("w", {4})), U, true);
  const int rows = p.node("sum", {p.node("square", {U})}, {{"axes", Dims{0}}});
  const int sum = p.add(p.add(p.sequence(0), p.dot(dropped, U)), p.mul(rows, twice));
  const int next = p.activation("tanh", sum);
  const std::string name = "tangled, " + std::to_string(B) + " rows";
  return {"scan", name, p.scan(1, {{"h", next, {-1, 4}}}, {twice}), {{B, {T, 4}}}};
}

std::vector<LayerCase> all_cases() {
  std::vector<LayerCase> list = scan_cases();
  for (LayerCase c : scan_cases()) {
    const bool carries = c.name.find("vanilla, 3") != std::string::npos ||
                         c.name.find("peephole") != std::string::npos;
    if (!carries) continue;
    c.name += ", stateful";
    c.options.push_back({"stateful", true});
    list.push_back(c);
  }
  for (const char* option : {"truncate", "lastSteps"}) {
    LayerCase c = tangled(5, 7);
    c.name += std::string(", ") + option;
    c.options.push_back({option, 3});
    list.push_back(c);
  }
  for (int B : {1, 3, 40}) list.push_back(tangled(B, 7));
  return list;
}

}  // namespace

TEST(scan_checkpoint_changes_no_bit) {
  const int before = threads();
  for (const int workers : {1, 3}) {
    set_threads(workers);
    for (const LayerCase& c : all_cases()) {
      compare<float>(c, kernels<float>(), "");
      compare<double>(c, kernels<double>(), ", float64");
      compare<float>(c, mixed_kernels(), ", bfloat16");
    }
  }
  set_threads(before);
}

TEST(scan_checkpoint_memory_grows_with_the_root_of_the_steps) {
  const auto saved = [](int T, const Option& checkpoint) {
    LayerCase c = tangled(4, T);
    c.options.push_back({"checkpoint", checkpoint});
    return double(make_rig<float>(c).saved_elements());
  };
  CHECK_CLOSE(saved(6400, Option("auto")) / saved(400, Option("auto")), 4, 0.4);
  CHECK(saved(6400, Option("auto")) < saved(6400, Option(0)) / 25);
}

TEST(scan_checkpoint_refuses_other_words) {
  LayerCase c = tangled(2, 3);
  c.options.push_back({"checkpoint", "always"});
  CHECK_ERROR(make_rig<float>(c), Code::kOption, "always");
}

}  // namespace test
}  // namespace hs
