// Spec -> Plan. The work is in the constructors: Graph (ops, values, parameters), Loss, Update.
#include "plan/plan_of.h"

namespace hs {

template <typename real>
PlanOf<real>::PlanOf(const Config& spec)
    : k_(kernels<real>()),
      graph_(spec, params_, &k_),
      loss_(spec),
      update_(spec.has("optimizer") ? &spec.at("optimizer") : nullptr, &k_),
      seed_(checked_number("spec", "random/seed", spec.num("seed", 0))) {}

template PlanOf<float>::PlanOf(const Config&);
template PlanOf<double>::PlanOf(const Config&);

std::unique_ptr<Plan> compile(const Config& spec) {
  const std::string& floatx = spec.str("floatx");
  if (floatx == "float32") return std::make_unique<PlanOf<float>>(spec);
  if (floatx == "float64") return std::make_unique<PlanOf<double>>(spec);
  throw Error(Code::kUnknownName, "spec",
              "floatx must be float32 or float64, got '" + floatx + "'.");
}

}  // namespace hs
