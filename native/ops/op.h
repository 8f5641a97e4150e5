// The op seam, free of any device. An op is made once per plan from its options and its context,
// then for every new extent (batch size, steps) asked for its output and its memory, then run. It
// owns no tensor: all memory belongs to the plan's arenas. Its shape (OpShape) is the same on every
// device; its run (Layer) is the device's own (decision 0033).
//
// Letters, used bare in all of native/: B batch (rows) - T time steps - D input features - H units
// - G gates - V vocabulary - K classes. Layout: time-major, see Extent in base/shape.h. Gradient of
// the loss with respect to q is called dq.
#pragma once
#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "base/config.h"
#include "base/shape.h"
#include "ops/grad_rows.h"

namespace hs {

// Memory kinds. kSaved lives from forward to backward; kScratch is dead after the op and shared by
// all ops; kCarry outlives the batch (states of a stateful layer), zero at first and after
// resetStates. kPacked holds weights in the layout of a kernel: it lives from batch to batch and is
// filled again when Pass::repack says so.
enum class Arena : int { kParams, kGrads, kSaved, kScratch, kCarry, kPacked, kCount };

struct Tensor {  // a place in an arena, resolved by Pass::at
  Arena arena = Arena::kSaved;
  int64_t offset = -1;  // in elements, aligned to 64 bytes
  int64_t size = 0;
};

// What a layer asks for at one extent. Calls come in the same order each time; names appear in
// plan.read("layer/name").
class Declaration {
 public:
  virtual ~Declaration() = default;
  // Asserts the shape that TypeScript declared.
  virtual Tensor param(const char* name, const Dims& dims) = 0;
  // A parameter [V, ...] of which a batch reads some rows. `rows` becomes the plan's note of those
  // that have a gradient: backward zeroes the ones that the batch before has written, and notes and
  // writes its own.
  virtual Tensor param_by_rows(const char* name, const Dims& dims, GradRows** rows) = 0;
  virtual Tensor saved(const char* name, const Dims& dims) = 0;
  virtual Tensor scratch(const char* name, const Dims& dims) = 0;
  virtual Tensor carry(const char* name, const Dims& dims) = 0;
  virtual Tensor packed(const char* name, const Dims& dims) = 0;
  // What `param`, one that no gradient reaches, becomes once a training batch has succeeded
  // (running statistics): a saved tensor of its shape, which forward fills in training. The plan
  // checks that it is finite, as it does gradients, and copies it then.
  virtual Tensor next(const char* param, const Dims& dims) = 0;
  // The output IS this part of a saved tensor (e.g. steps 1..T of h): no copy.
  virtual void output_is(Tensor tensor, int64_t offset) = 0;
  // The output is the input's memory, seen with another shape. Not for layers that keep their input
  // for backward.
  virtual void output_is_input() = 0;
  // false: no backward will follow, declare only what forward needs
  virtual bool training() const = 0;

  // The same with a list of sizes, which is no Dims yet: a call of these is a tenth of the code.
  using Sizes = std::initializer_list<int64_t>;
  Tensor param(const char* name, Sizes);
  Tensor saved(const char* name, Sizes);
  Tensor scratch(const char* name, Sizes);
  Tensor carry(const char* name, Sizes);
  Tensor packed(const char* name, Sizes);
  Tensor next(const char* param, Sizes);
};

// What the random numbers of a batch are made from; an op adds its own stream (OpContext).
struct DropoutKey {
  uint64_t seed = 0;  // of the model: lib/random.ts
  uint64_t step = 0;  // training batches so far: a resumed run goes on with the same numbers
  // Of a shard: its rows are those from `first` on of a batch of `whole`, and draw the numbers that
  // they would draw there. 0: they are all.
  int64_t first = 0, whole = 0;
};

template <typename real>
struct Pass {
  bool training = false;          // Keras' learning phase
  bool backward_follows = false;  // forward must fill what backward reads
  bool repack = true;  // parameters have changed since this op last filled its packed tensors
  DropoutKey dropout;
  std::vector<const real*> x;  // inputs, by Extent
  std::vector<Extent> x_extent;
  real* y = nullptr;  // output
  Extent y_extent;
  const real* mask = nullptr;  // [T, B], 1 = real step; nullptr: none
  real* mask_out = nullptr;    // [T, B], for layers that make one (embedding, masking)
  real* wrong = nullptr;       // [1] NaN from an op that looks(): an input that it cannot take
  const real* dy = nullptr;    // backward: gradient of the output
  // What takes long looks at it between its parts, and throws Cancelled. nullptr: nobody cancels.
  const std::atomic<bool>* cancelled = nullptr;
  const double* finite = nullptr;  // commit: nothing where it points to 0; nullptr: always
  // Outputs after the first; dy: nullptr where no gradient arrives.
  struct Output {
    real* y = nullptr;
    Extent extent;
    const real* dy = nullptr;
  };
  std::vector<Output> more;
  // backward: WRITE (not add) the gradient of each input; nullptr where nothing needs it
  std::vector<real*> dx;
  real* arenas[static_cast<int>(Arena::kCount)] = {};
  // Parameters whose gradient another op has written already: this op's goes there, and the plan
  // adds it.
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

// What an op is told about its place in the model when it is made.
struct OpContext {
  std::string name;        // of the layer: "lstm_1"
  std::string class_name;  // "LSTM"
  uint32_t stream = 0;     // the layer's own stream of random numbers: its index among the ops
  bool trainable = true;   // false: backward need not write gradients of parameters
  size_t inputs = 1;
  std::string where() const;
};

// The half of an op that no device changes: its options, the extent of its output, the tensors that
// outlive a pass (parameters, saved, carry, next).
class OpShape {
 public:
  virtual ~OpShape();
  const std::string& name() const { return context_.name; }
  bool trainable() const { return context_.trainable; }
  std::string where() const { return context_.where(); }  // for errors

  // Extent out for extents in. Throws Error(kShape).
  virtual Extent output(const std::vector<Extent>& x) const = 0;
  // Those of outputs after the first, as many as the Spec names.
  virtual std::vector<Extent> more_outputs(const std::vector<Extent>& /*x*/) const { return {}; }
  virtual void declare(Declaration&, const std::vector<Extent>& /*x*/, const Extent& /*y*/,
                       bool /*masked*/) {}

 protected:
  explicit OpShape(const OpContext& context);
  uint32_t stream() const { return context_.stream; }

 private:
  const OpContext context_;
};

// The half of an op that runs on a device. `real` is float or double.
template <typename real>
class Layer {
 public:
  virtual ~Layer() = default;
  virtual OpShape& shape() = 0;
  const OpShape& shape() const { return const_cast<Layer*>(this)->shape(); }
  // Follows shape().declare(): what this device needs besides (scratch, packed).
  virtual void prepare(Declaration&) {}
  // Whether forward() may find an input that it cannot take when the host is gone: it goes on then,
  // writes nothing outside of its memory, and a NaN to Pass::wrong. look() throws what it was.
  virtual bool looks() const { return false; }
  virtual void look(const Pass<real>&) {}
  virtual void forward(Pass<real>&) = 0;
  virtual void backward(Pass<real>&) = 0;
  // Carry tensors become valid only when the whole batch has succeeded; the plan calls this then.
  virtual void commit(Pass<real>&) {}
};

}  // namespace hs
