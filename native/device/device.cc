// Devices by name.
#include "device/device.h"

#include "base/error.h"
#include "device/cpu/cpu.h"
#if HS_WITH_CUDA
#include "device/cuda/cuda.h"
#endif

namespace hs {

namespace {

// The card of "cuda" (0) or "cuda:N"; -1: it is no such name.
int card_of(const std::string& name) {
  if (name == "cuda") return 0;
  if (name.compare(0, 5, "cuda:") != 0 || name.size() < 6 || name.size() > 8) return -1;
  const std::string number = name.substr(5);
  return number.find_first_not_of("0123456789") == std::string::npos ? std::stoi(number) : -1;
}

}  // namespace

template <typename real>
Work Device<real>::rehearse(FunctionRef<void()>) {
  fail(Code::kInternal, "device", "what is rehearsed", "work of a card", "that of another device");
}

template <typename real>
std::unique_ptr<Device<real>> make_device(const std::string& name, Operands operands) {
  const int card = card_of(name);
#if HS_WITH_CUDA
  if (card >= 0) return std::make_unique<Cuda<real>>(card, operands);
#else
  if (card >= 0) {
    throw Error(Code::kDevice, "device '" + name + "'",
                "this binary has no code for cards. `npx hiddenstate build` makes one that has.");
  }
#endif
  if (name != "cpu")
    fail(Code::kUnknownName, "spec", "device", "cpu, cuda or cuda:N", "'" + name + "'");
  if constexpr (std::is_same_v<real, float>) {
    if (operands == Operands::kBfloat16) return std::make_unique<Cpu<real>>(mixed_kernels());
    if (operands == Operands::kInt8) return std::make_unique<Cpu<real>>(int8_kernels());
  }
  return std::make_unique<Cpu<real>>(kernels<real>());
}

template class Device<float>;
template class Device<double>;
template std::unique_ptr<Device<float>> make_device<float>(const std::string&, Operands);
template std::unique_ptr<Device<double>> make_device<double>(const std::string&, Operands);

}  // namespace hs
