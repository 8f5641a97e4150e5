// Data as users have them.
#pragma once
#include <type_traits>
#include <vector>

#include "base/shape.h"

namespace hs {

// Batch-major, [N, dims...].
struct Array {
  Dims dims;  // with N first
  // One of the two is filled, as the floatx of the plan says.
  std::vector<double> f64;
  std::vector<float> f32;
};

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
