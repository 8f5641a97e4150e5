// An op on the CPU: its loops run over the threads (threads/chunks.h), its kernels are those of one
// instruction set.
#pragma once
#include <memory>

#include "device/cpu/kernels/table.h"
#include "ops/op.h"

namespace hs {

template <typename real>
class CpuLayer : public Layer<real> {
 public:
  using Machine = const Table<real>;  // what the nodes of a program run with (ops/node_run.h)

 protected:
  explicit CpuLayer(const Table<real>& kernels) : k(&kernels) {}
  // Whether commit is to keep the states of this batch.
  static bool commits(const Pass<real>& p) { return !p.finite || *p.finite != 0; }
  const Table<real>* const k;
};

// A file of ops/ is the op of its name: dense.cc defines the template make_dense and ends with
// HS_REGISTER_LAYER(dense), which makes it for float and double. CMake makes the list of names from
// the files.
template <typename real>
using LayerFactory = std::unique_ptr<Layer<real>> (*)(const Config& options, const OpContext&,
                                                      const Table<real>&);

#define HS_REGISTER_LAYER(name)                                                                \
  template std::unique_ptr<Layer<float>> make_##name<float>(const Config&, const OpContext&,   \
                                                            const Table<float>&);              \
  template std::unique_ptr<Layer<double>> make_##name<double>(const Config&, const OpContext&, \
                                                              const Table<double>&);

}  // namespace hs
