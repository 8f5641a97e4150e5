// Spec -> Plan. The work is in the constructors: Graph (ops, values, parameters), Loss, Update.
#include "base/error.h"
#include "plan/typed_plan.h"

namespace hs {

template <typename real>
TypedPlan<real>::TypedPlan(const Config& spec, std::shared_ptr<Device<real>> device,
                           const TypedPlan* of, Operands operands)
    : device_name_(of ? of->device_name_ : spec.str("device")),
      operands_(operands),
      device_(std::move(device)),
      params_(device_, of ? &of->params_ : nullptr),
      graph_(spec, params_, *device_),
      losses_(spec, *device_),
      update_(spec.has("optimizer") ? &spec.at("optimizer") : nullptr, *device_),
      numbers_(*device_),
      seed_(checked_number("spec", "random/seed", spec.num("seed", 0))) {}

template TypedPlan<float>::TypedPlan(const Config&, std::shared_ptr<Device<float>>,
                                     const TypedPlan<float>*, Operands);
template TypedPlan<double>::TypedPlan(const Config&, std::shared_ptr<Device<double>>,
                                      const TypedPlan<double>*, Operands);

namespace {

template <typename real>
std::unique_ptr<Plan> compiled(const Config& spec, Operands operands, const Plan* of) {
  if (of && of->float64() != (sizeof(real) == 8))
    fail(Code::kInternal, "spec", "floatx", "that of the plan with the weights", "another");
  const auto* owner = static_cast<const TypedPlan<real>*>(of);  // there is no other kind of Plan
  const std::string& device = owner ? owner->device_name() : spec.str("device");
  if (owner) operands = owner->operands();
  return std::make_unique<TypedPlan<real>>(spec, make_device<real>(device, operands), owner,
                                           operands);
}

}  // namespace

std::unique_ptr<Plan> compile(const Config& spec, const Plan* weights_of) {
  const std::string& floatx = spec.str("floatx");
  const bool tf32 = spec.str("precision", "") == "tf32";
  if (floatx == "mixed_bfloat16") return compiled<float>(spec, Operands::kBfloat16, weights_of);
  if (floatx == "mixed_int8") return compiled<float>(spec, Operands::kInt8, weights_of);
  if (floatx == "float32")
    return compiled<float>(spec, tf32 ? Operands::kTf32 : Operands::kExact, weights_of);
  if (floatx == "float64") return compiled<double>(spec, Operands::kExact, weights_of);
  throw Error(
      Code::kUnknownName, "spec",
      "floatx must be float32, mixed_bfloat16, mixed_int8 or float64, got '" + floatx + "'.");
}

}  // namespace hs
