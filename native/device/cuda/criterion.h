// Objectives and metrics on a card.
#pragma once
#include "base/error.h"
#include "device/cuda/queue_memory.h"
#include "device/device.h"

namespace hs {

template <typename real>
class CudaCriterion final : public Criterion<real> {
 public:
  CudaCriterion(const Config&, CardQueue&) {
    throw Error(Code::kOption, "device 'cuda'", "no objectives yet");
  }
  bool sparse() const override { return false; }
  bool has_targets() const override { return true; }
  int metrics() const override { return 0; }
  void value(const Scored<real>&, double*, double*, double*) override {}
  void gradient(const Scored<real>&, real*) override {}
  void measure(const Scored<real>&, double*) override {}
};

}  // namespace hs
