// The numbers of an Array, in the plan's own precision.
#pragma once
#include <type_traits>
#include <vector>

#include "plan/plan.h"

namespace hs {

template <typename real>
const std::vector<real>& values_of(const Array& array) {
  if constexpr (std::is_same_v<real, float>) {
    return array.f32;
  } else {
    return array.f64;
  }
}

template <typename real>
std::vector<real>& values_of(Array& array) {
  return const_cast<std::vector<real>&>(values_of<real>(static_cast<const Array&>(array)));
}

}  // namespace hs
