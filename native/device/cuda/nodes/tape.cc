#include "device/cuda/nodes/run.h"
#include "ops/tape_body.h"

namespace hs {

template <typename real>
const CardRun<real>* card_run_of(const std::string& name) {
  for (const CardRun<real>* run :
       {card_elementwise_runs<real>(), card_sum_runs<real>(), card_place_runs<real>()}) {
    for (; run->name; run++) {
      if (name == run->name) return run;
    }
  }
  return nullptr;
}
template <>
const CardRun<float>* find_run<float, CardQueue>(const std::string& name) {
  return card_run_of<float>(name);
}
template <>
const CardRun<double>* find_run<double, CardQueue>(const std::string& name) {
  return card_run_of<double>(name);
}

template class Tape<float, CardQueue>;
template class Tape<double, CardQueue>;

}  // namespace hs
