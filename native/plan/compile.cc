// Spec -> Plan. The work is in the constructors: Graph (ops, values, parameters), Loss, Update.
#include "plan/plan_of.h"

namespace hs {

template <typename real>
PlanOf<real>::PlanOf(const Config& spec, const Table<real>& kernels)
    : k_(kernels),
      graph_(spec, params_, &k_),
      loss_(spec),
      update_(spec.has("optimizer") ? &spec.at("optimizer") : nullptr, &k_),
      seed_(checked_number("spec", "random/seed", spec.num("seed", 0))) {}

template PlanOf<float>::PlanOf(const Config&, const Table<float>&);
template PlanOf<double>::PlanOf(const Config&, const Table<double>&);

std::unique_ptr<Plan> compile(const Config& spec) {
  const std::string& floatx = spec.str("floatx");
  if (floatx == "float32") return std::make_unique<PlanOf<float>>(spec, kernels<float>());
  if (floatx == "mixed_bfloat16") return std::make_unique<PlanOf<float>>(spec, mixed_kernels());
  if (floatx == "float64") return std::make_unique<PlanOf<double>>(spec, kernels<double>());
  throw Error(Code::kUnknownName, "spec",
              "floatx must be float32, mixed_bfloat16 or float64, got '" + floatx + "'.");
}

}  // namespace hs
