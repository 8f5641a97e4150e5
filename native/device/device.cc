// Devices by name.
#include "device/device.h"

#include "base/error.h"
#include "device/cpu/cpu.h"

namespace hs {

template <typename real>
std::unique_ptr<Device<real>> make_device(const std::string& name, bool mixed) {
  if (name != "cpu") fail(Code::kUnknownName, "spec", "device", "cpu", "'" + name + "'");
  if constexpr (std::is_same_v<real, float>) {
    if (mixed) return std::make_unique<Cpu<real>>(mixed_kernels());
  }
  return std::make_unique<Cpu<real>>(kernels<real>());
}

template std::unique_ptr<Device<float>> make_device<float>(const std::string&, bool);
template std::unique_ptr<Device<double>> make_device<double>(const std::string&, bool);

}  // namespace hs
