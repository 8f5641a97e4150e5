// The registries as lists, from the names that CMake found (registry.inc).
#include "test/layer_rig.h"

#include "registry.inc"

namespace hs {

#define HS_DECLARE(name)   \
  template <typename real> \
  std::unique_ptr<Layer<real>> make_##name(const Config&, const OpContext&, const Table<real>&);
HS_OPS(HS_DECLARE)
#undef HS_DECLARE

namespace test {

std::vector<std::string> layer_names() {
#define HS_NAME(name) #name,
  return {HS_OPS(HS_NAME)};
}

std::vector<std::string> cell_names() { return {HS_CELLS(HS_NAME)}; }
#undef HS_NAME

template <typename real>
std::unique_ptr<Layer<real>> make_layer(const std::string& name, const Config& options,
                                        const OpContext& context, const Table<real>* k) {
#define HS_MAKE(known) \
  if (name == #known) return make_##known<real>(options, context, k ? *k : kernels<real>());
  HS_OPS(HS_MAKE)
#undef HS_MAKE
  throw std::runtime_error("there is no layer named " + name);
}
template std::unique_ptr<Layer<float>> make_layer<float>(const std::string&, const Config&,
                                                         const OpContext&, const Table<float>*);
template std::unique_ptr<Layer<double>> make_layer<double>(const std::string&, const Config&,
                                                           const OpContext&, const Table<double>*);

}  // namespace test
}  // namespace hs
