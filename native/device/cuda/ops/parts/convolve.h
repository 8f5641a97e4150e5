// As device/cpu/ops/parts/convolve.h: convolutions as products of gathered patches, those of the
// input's gradient with the window turned around. In blocks of positions, so that the patches of a
// long batch do not take all memory: 2 launches a block each way.
#pragma once
#include <algorithm>
#include <utility>
#include <vector>

#include "device/cuda/ops/parts/rearrange.h"
#include "ops/window.h"

namespace hs {

template <typename real>
class CudaConvolution {
 public:
  CudaConvolution() = default;
  CudaConvolution(CardQueue& q, const Window& window, int64_t D, int64_t N)
      : q_(&q), w_(window), back_(window.turned()), D_(D), N_(N) {}

  const Window& window() const { return w_; }
  int64_t depth() const { return w_.taps() * D_; }  // rows of W

  void declare(Declaration& d) {
    int64_t size = block(w_, depth()) * depth();
    const int64_t K = w_.taps() * N_;
    if (d.training()) size = std::max(size, block(back_, K) * K);
    patches_ = d.scratch("patches", {size});
  }

  // z [positions, n] (+)= patches of x times W [depth, n]; rows lie ldz and ldw apart, places of x
  // D.
  void forward(const Pass<real>& p, real* z, int64_t ldz, const real* x, const real* W, int64_t ldw,
               int64_t n, bool adds) const {
    product(p, w_, z, ldz, x, D_, D_, W, ldw, n, adds);
  }

  // dx [places, D] (+)= turned patches of dz [positions, n] times turned [taps * n, D].
  void input(const Pass<real>& p, real* dx, const real* dz, int64_t ldz, const real* turned,
             int64_t n, bool adds) const {
    product(p, back_, dx, D_, dz, ldz, n, turned, D_, D_, adds);
  }

  // dW [depth, n] (+)= patches of x, transposed, times dz; rows of dW lie ldw apart.
  void weights(const Pass<real>& p, real* dW, int64_t ldw, const real* x, const real* dz,
               int64_t ldz, int64_t n, bool adds) const {
    const int64_t K = depth();
    each_block(p, w_, x, D_, D_, [&](int64_t first, int64_t rows) {
      q_->multiply(dW, ldw, {p.at(patches_), K, true}, {dz + first * ldz, ldz}, K, n, rows,
                   adds || first > 0);
    });
  }

 private:
  static constexpr int64_t kBlock = int64_t(1) << 22;  // numbers of the patches of a block
  static int64_t block(const Window& w, int64_t K) {
    return std::max<int64_t>(1, std::min(w.positions(), kBlock / std::max<int64_t>(1, K)));
  }

  // fn(first position, positions), after their patches have been gathered
  template <typename Fn>
  void each_block(const Pass<real>& p, const Window& w, const real* from, int64_t ld, int64_t width,
                  const Fn& fn) const {
    const int64_t K = w.taps() * width, positions = w.positions(), rows = block(w, K);
    for (int64_t first = 0; first < positions; first += rows) {
      const int64_t m = std::min(rows, positions - first);
      q_->launch("patches", PatchesArgs<real>{m * K, first, width, w, p.at(patches_), from, ld});
      fn(first, m);
    }
  }

  void product(const Pass<real>& p, const Window& w, real* z, int64_t ldz, const real* from,
               int64_t ld, int64_t width, const real* W, int64_t ldw, int64_t n, bool adds) const {
    const int64_t K = w.taps() * width;
    each_block(p, w, from, ld, width, [&](int64_t first, int64_t rows) {
      q_->multiply(z + first * ldz, ldz, {p.at(patches_), K}, {W, ldw}, rows, n, K, adds);
    });
  }

  CardQueue* q_ = nullptr;
  Window w_, back_;
  int64_t D_ = 0, N_ = 0;
  Tensor patches_;
};

// Between Keras' array of a kernel (kernel_dims: [taps, D, N], or `th` [N, D, taps]) and the first
// N columns of a matrix [taps * D, ld].
inline std::vector<CopyAxis> kernel_axes(bool th, int64_t ld, int64_t taps, int64_t D, int64_t N) {
  if (th) return {{taps, D * ld, 1}, {D, ld, taps}, {N, 1, D * taps}};
  return {{taps * D, ld, N}, {N, 1, 1}};
}
template <typename real>
void kernel_to_matrix(CardQueue& q, real* matrix, int64_t ld, const real* kernel, bool th,
                      int64_t taps, int64_t D, int64_t N) {
  rearrange(q, matrix, kernel, kernel_axes(th, ld, taps, D, N));
}
template <typename real>
void matrix_to_kernel(CardQueue& q, real* kernel, const real* matrix, int64_t ld, bool th,
                      int64_t taps, int64_t D, int64_t N) {
  std::vector<CopyAxis> axes = kernel_axes(th, ld, taps, D, N);
  for (CopyAxis& axis : axes) std::swap(axis.to, axis.from);
  rearrange(q, kernel, matrix, axes);
}

// to [taps * n, D] = W [taps, D, n] with each tap transposed; rows of W lie ldw apart.
template <typename real>
void turned_kernel(CardQueue& q, real* to, const real* W, int64_t ldw, int64_t taps, int64_t D,
                   int64_t n) {
  rearrange(q, to, W, {{taps, n * D, D * ldw}, {n, D, 1}, {D, 1, ldw}});
}

}  // namespace hs
