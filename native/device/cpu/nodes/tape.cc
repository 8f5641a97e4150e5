#include "device/cpu/nodes/broadcast.h"
#include "device/cpu/nodes/run.h"
#include "ops/tape_body.h"

namespace hs {

template <typename real>
const Run<real>* run_of(const std::string& name) {
  for (const Run<real>* run : {elementwise_runs<real>(), product_runs<real>(),
                               reduction_runs<real>(), place_runs<real>()}) {
    for (; run->name; run++) {
      if (name == run->name) return run;
    }
  }
  return nullptr;
}
template <>
const Run<float>* find_run<float, const Table<float>>(const std::string& name) {
  return run_of<float>(name);
}
template <>
const Run<double>* find_run<double, const Table<double>>(const std::string& name) {
  return run_of<double>(name);
}

template class Tape<float, const Table<float>>;
template class Tape<double, const Table<double>>;

}  // namespace hs
