// The layer seam. A layer is created once per plan from its options, then for every new extent (batch size, steps) asked for
// its output and its memory, then run. It owns no tensor: all memory belongs to the plan's arenas.
//
// Letters, used bare in all of native/: B batch (rows) - T time steps - D input features - H units - G gates - V vocabulary - K classes.
// Layout: time-major, see Extent in base/shape.h. Gradient of the loss with respect to q is called dq.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/config.h"
#include "base/rng.h"
#include "base/shape.h"
#include "kernels/table.h"
#include "layers/grad_rows.h"

namespace hs {

// Memory kinds. kSaved lives from forward to backward; kScratch is dead after the op and shared by all ops;
// kCarry outlives the batch (states of a stateful layer), zero at first and after resetStates.
// kPacked holds weights in the layout of a kernel: it lives from batch to batch and is filled again when Pass::repack says so.
enum class Arena : int { kParams, kGrads, kSaved, kScratch, kCarry, kPacked, kCount };

struct Tensor {  // a place in an arena, resolved by Pass::at
  Arena arena = Arena::kSaved;
  int64_t offset = -1;  // in elements, aligned to 64 bytes
  int64_t size = 0;
};

// What a layer asks for at one extent. Calls come in the same order each time; names appear in plan.read("layer/name").
class Declaration {
 public:
  virtual ~Declaration() = default;
  virtual Tensor param(const char* name,
                       const Dims& dims) = 0;  // asserts the shape that TypeScript declared
  // A parameter [V, ...] of which a batch reads some rows. `rows` becomes the plan's note of those that have a gradient: backward
  // zeroes the ones that the batch before has written, and notes and writes its own.
  virtual Tensor param_by_rows(const char* name, const Dims& dims, GradRows** rows) = 0;
  virtual Tensor saved(const char* name, const Dims& dims) = 0;
  virtual Tensor scratch(const char* name, const Dims& dims) = 0;
  virtual Tensor carry(const char* name, const Dims& dims) = 0;
  virtual Tensor packed(const char* name, const Dims& dims) = 0;
  // What `param`, one that no gradient reaches, becomes once a training batch has succeeded (running statistics): a saved tensor of
  // its shape, which forward fills in training. The plan checks that it is finite, as it does gradients, and copies it then.
  virtual Tensor next(const char* param, const Dims& dims) = 0;
  // The output IS this part of a saved tensor (e.g. steps 1..T of h): no copy.
  virtual void output_is(Tensor tensor, int64_t offset) = 0;
  // The output is the input's memory, seen with another shape. Not for layers that keep their input for backward.
  virtual void output_is_input() = 0;
  virtual bool training()
      const = 0;  // false: no backward will follow, declare only what forward needs
};

template <typename real>
struct Pass {
  const Table<real>* k = nullptr;  // the layer's
  bool training = false;           // Keras' learning phase
  bool backward_follows = false;   // forward must fill what backward reads
  bool repack = true;  // parameters have changed since this op last filled its packed tensors
  DropoutKey
      dropout;  // seed and step of this batch; layers add a stream of their own (see base/rng.h)
  std::vector<const real*> x;  // inputs, by Extent
  std::vector<Extent> x_extent;
  real* y = nullptr;  // output
  Extent y_extent;
  const real* mask = nullptr;  // [T, B], 1 = real step; nullptr: none
  real* mask_out = nullptr;    // [T, B], for layers that make one (embedding, masking)
  const real* dy = nullptr;    // backward: gradient of the output
  std::vector<real*>
      dx;  // backward: WRITE (not add) the gradient of each input; nullptr where nothing needs it
  real* arenas[static_cast<int>(Arena::kCount)] = {};
  // Parameters whose gradient another op has written already: this op's goes there, and the plan adds it.
  struct Beside {
    int64_t offset;  // of the parameter
    real* grad;
  };
  std::vector<Beside> beside;

  real* at(const Tensor& t) const { return arenas[static_cast<int>(t.arena)] + t.offset; }
  // Where to write (not add) the gradient of a parameter; only if `trainable`.
  real* grad(const Tensor& param) const {
    for (const Beside& b : beside)
      if (b.offset == param.offset) return b.grad;
    return arenas[static_cast<int>(Arena::kGrads)] + param.offset;
  }
};

template <typename real>
class Layer {
 public:
  virtual ~Layer() = default;
  std::string name;                // "lstm_1": set by the plan, for errors
  std::string class_name;          // "LSTM"
  const Table<real>* k = nullptr;  // set by the plan: its kernels, that of the Passes to come
  uint32_t stream = 0;  // set by the plan: the layer's own stream of random numbers (its index)
  bool trainable =
      true;  // set by the plan: false, then backward need not write parameter gradients

  std::string where() const { return name + " (" + class_name + ")"; }
  // Extent out for extents in. Throws Error(kShape).
  virtual Extent output(const std::vector<Extent>& x) const = 0;
  virtual void declare(Declaration&, const std::vector<Extent>& /*x*/, const Extent& /*y*/,
                       bool /*masked*/) {}
  virtual void forward(Pass<real>&) = 0;
  virtual void backward(Pass<real>&) = 0;
  // Carry tensors become valid only when the whole batch has succeeded; the plan calls this then.
  virtual void commit(Pass<real>&) {}
};

// One file = one layer; the file name is the registered name: layers/dense.cc defines, for float and double,
//   template <typename real> std::unique_ptr<Layer<real>> make_dense(const Config& options);
// and ends with HS_REGISTER_LAYER(dense). The list of names is made by CMake from the files.
template <typename real>
using LayerFactory = std::unique_ptr<Layer<real>> (*)(const Config& options);

#define HS_REGISTER_LAYER(name)                                             \
  template std::unique_ptr<Layer<float>> make_##name<float>(const Config&); \
  template std::unique_ptr<Layer<double>> make_##name<double>(const Config&);

}  // namespace hs
