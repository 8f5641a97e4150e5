// Keras' names of the activations.
#pragma once
#include <string>

#include "base/error.h"
#include "kernels/table.h"

namespace hs {

// In the order of enum Activation.
constexpr const char* kActivationNames[] = {
    "linear", "tanh", "sigmoid", "hard_sigmoid", "relu", "softplus", "softsign", "elu", "softmax"};

inline Activation activation_of(const std::string& name) {
  int i = 0;
  for (const char* known : kActivationNames) {
    if (name == known) return static_cast<Activation>(i);
    i++;
  }
  throw Error(Code::kUnknownName, "activation", "there is no activation named '" + name + "'.");
}

}  // namespace hs
