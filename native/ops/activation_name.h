// Keras' names of the activations.
#pragma once
#include <string>

#include "base/error.h"
#include "formulas/activation.h"

namespace hs {

#define HS_NAME(kind, name, from) name,
constexpr const char* kActivationNames[] = {HS_ACTIVATIONS(HS_NAME)};  // by Activation
#undef HS_NAME

inline Activation activation_of(const std::string& name) {
  int i = 0;
  for (const char* known : kActivationNames) {
    if (name == known) return static_cast<Activation>(i);
    i++;
  }
  throw Error(Code::kUnknownName, "activation", "there is no activation named '" + name + "'.");
}

}  // namespace hs
