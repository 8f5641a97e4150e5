// Spec -> Plan. The work is in the constructors: Graph (ops, values, parameters), Loss, Update.
#include "plan/typed_plan.h"

namespace hs {

template <typename real>
TypedPlan<real>::TypedPlan(const Config& spec, std::unique_ptr<Device<real>> device)
    : device_(std::move(device)),
      params_(*device_),
      graph_(spec, params_, *device_),
      losses_(spec, *device_),
      update_(spec.has("optimizer") ? &spec.at("optimizer") : nullptr, *device_),
      numbers_(*device_),
      seed_(checked_number("spec", "random/seed", spec.num("seed", 0))) {}

template TypedPlan<float>::TypedPlan(const Config&, std::unique_ptr<Device<float>>);
template TypedPlan<double>::TypedPlan(const Config&, std::unique_ptr<Device<double>>);

std::unique_ptr<Plan> compile(const Config& spec) {
  const std::string& floatx = spec.str("floatx");
  const std::string& device = spec.str("device");
  const bool mixed = floatx == "mixed_bfloat16";
  if (floatx == "float32" || mixed)
    return std::make_unique<TypedPlan<float>>(spec, make_device<float>(device, mixed));
  if (floatx == "float64")
    return std::make_unique<TypedPlan<double>>(spec, make_device<double>(device, false));
  throw Error(Code::kUnknownName, "spec",
              "floatx must be float32, mixed_bfloat16 or float64, got '" + floatx + "'.");
}

}  // namespace hs
