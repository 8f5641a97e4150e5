// Apart from cuda.cc: arguments of kernels of layers have names that programs have, too.
#include "device/cuda/cuda.h"
#include "device/cuda/kernels/layer_args.h"

namespace hs {

template <typename real>
void Cuda<real>::scale(real* y, double a, int64_t n) {
  queue_.launch("scale", ScaleArgs<real>{n, y, y, real(a)});
}

template void Cuda<float>::scale(float*, double, int64_t);
template void Cuda<double>::scale(double*, double, int64_t);

}  // namespace hs
