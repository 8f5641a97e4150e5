// Convolution as products: for a block of positions the patches under the window are gathered into
// rows (im2col), and one product multiplies the rows with the kernel. The gradient of the input is
// made in the same way with the window turned around: a place gathers from all positions whose
// windows it was in. Nothing is scattered, so every element is one chain and threads change no bit.
//
//   z[q, :]  = sum over taps i of x[at(q, i), :] W[i]         rows of W: taps, then channels
//   dW[i]    = sum over q of x[at(q, i), :]^T dz[q, :]
//   dx[p, :] = sum over taps i, over q with at(q, i) = p, of dz[q, :] W[i]^T
#pragma once
#include <algorithm>
#include <atomic>

#include "device/cpu/ops/parts/cpu_layer.h"
#include "device/cpu/ops/parts/matmul.h"
#include "ops/window.h"

namespace hs {

// patches[i1 - i0, taps, n] of positions i0 .. i1; from: n channels of each place, places `ld`
// apart.
template <typename real>
void gather(real* patches, const real* from, int64_t ld, int64_t n, const Window& w, int64_t i0,
            int64_t i1) {
  for (int64_t i = i0; i < i1; i++) {
    const int64_t c = i % w.columns.out, rest = i / w.columns.out;
    const int64_t b = rest % w.inner, r = rest / w.inner % w.rows.out;
    const int64_t o = rest / w.inner / w.rows.out;
    for (int64_t tr = 0; tr < w.rows.taps; tr++) {
      const int64_t row = w.rows.at(r, tr);
      const real* line =  // [columns]
          row < 0 ? nullptr : from + ((o * w.rows.in + row) * w.inner + b) * w.columns.in * ld;
      for (int64_t tc = 0; tc < w.columns.taps; tc++, patches += n) {
        const int64_t column = row < 0 ? -1 : w.columns.at(c, tc);
        if (column < 0) {
          std::fill_n(patches, n, real(0));
        } else if (n < 8) {
          for (int64_t k = 0; k < n; k++) patches[k] = line[column * ld + k];
        } else {
          std::copy_n(line + column * ld, n, patches);
        }
      }
    }
  }
}

// The three products of a convolution from D channels to up to N filters, with the scratch they
// need. `packed` right-hand sides are the caller's: W [taps * D, n] for forward, turned_kernel's
// [taps * n, D] for input.
template <typename real>
class Convolution {
 public:
  Convolution() = default;
  Convolution(const Table<real>* k, const Window& window, int64_t D, int64_t N)
      : k_(k), w_(window), back_(window.turned()), D_(D), N_(N) {}

  const Window& window() const { return w_; }
  int64_t depth() const { return w_.taps() * D_; }  // rows of W

  void declare(Declaration& d) {
    int64_t size = threads() * block(depth()) * depth();
    if (d.training()) {
      size = std::max(
          {size, threads() * block(w_.taps() * N_) * w_.taps() * N_, summed_rows() * depth()});
      gemm_ = d.scratch("gemm", {matmul_tn_scratch(k_)});
    }
    patches_ = d.scratch("patches", {size});
  }

  // z[positions, n] (+)= patches of x times packed; rows of z are ldz apart, places of x ldx.
  void forward(const Pass<real>& p, real* z, int64_t ldz, const real* x, int64_t ldx,
               const real* packed, int64_t n, bool accumulate) const {
    product(p, w_, z, ldz, x, ldx, D_, packed, n, accumulate);
  }

  // dx[places, D] (+)= turned patches of dz[:, n] times packed.
  void input(const Pass<real>& p, real* dx, const real* dz, int64_t ldz, const real* packed,
             int64_t n, bool accumulate) const {
    product(p, back_, dx, D_, dz, ldz, n, packed, D_, accumulate);
  }

  // dW[taps * D, n] (+)= patches of x, transposed, times dz; rows of dW are ldw apart. In blocks of
  // a fixed size, in order.
  void weights(const Pass<real>& p, real* dW, int64_t ldw, const real* x, int64_t ldx,
               const real* dz, int64_t ldz, int64_t n, bool accumulate) const {
    const int64_t K = depth(), positions = w_.positions(), rows = summed_rows();
    real* patches = p.at(patches_);  // [rows, K]
    for (int64_t i = 0; i < positions; i += rows) {
      const int64_t m = std::min(rows, positions - i);
      for_rows(m, K, [&](int64_t r0, int64_t r1) {
        gather(patches + r0 * K, x, ldx, D_, w_, i + r0, i + r1);
      });
      matmul_tn(k_, dW, ldw, patches, K, dz + i * ldz, ldz, m, K, n, accumulate || i > 0,
                p.at(gemm_), gemm_.size);
    }
  }

 private:
  // Positions of one product: enough to repay the reading of the kernel, patches that stay in L2.
  int64_t block(int64_t K) const {
    const int64_t wanted = 40000 / std::max<int64_t>(1, K);
    return round_up(std::min<int64_t>(192, std::max<int64_t>(24, wanted)), k_->gemm_mr);
  }
  // Positions of one block of a weight gradient.
  int64_t summed_rows() const {
    return std::max<int64_t>(256, (int64_t{1} << 18) / std::max<int64_t>(1, depth()) / 16 * 16);
  }

  // z (+)= gathered [positions, taps * width] times packed [taps * width, n]
  void product(const Pass<real>& p, const Window& w, real* z, int64_t ldz, const real* from,
               int64_t ld, int64_t width, const real* packed, int64_t n, bool accumulate) const {
    const int64_t K = w.taps() * width, positions = w.positions(), rows = block(K);
    const int64_t tiles = tiles_of(positions, rows);
    real* patches = p.at(patches_);  // [workers, rows, K]
    const auto tile = [&](int64_t i, int worker) {
      const int64_t r0 = i * rows, m = std::min(rows, positions - r0);
      real* mine = patches + worker * rows * K;  // [rows, K]
      gather(mine, from, ld, width, w, r0, r0 + m);
      k_->gemm(z + r0 * ldz, ldz, mine, K, packed, m, n, K, 0, n, accumulate, nullptr);
    };
    const int64_t room = patches_.size / (rows * std::max<int64_t>(1, K));
    const int workers = static_cast<int>(std::min({static_cast<int64_t>(threads()), room, tiles}));
    if (workers <= 1 || 2.0 * double(positions) * double(K) * double(n) < kParallelFlops) {
      for (int64_t i = 0; i < tiles; i++) tile(i, 0);
      return;
    }
    std::atomic<int64_t> next{0};
    parallel_region(workers, [&](int worker) {
      for (int64_t i; (i = next.fetch_add(1)) < tiles;) tile(i, worker);
    });
  }

  const Table<real>* k_ = nullptr;
  Window w_, back_;
  int64_t D_ = 0, N_ = 0;
  Tensor patches_, gemm_;
};

// Calls fn(i, j) for each number of a kernel: i is its place in Keras' array, j its place in the
// matrix [taps * D, ld], whose first N columns the kernel fills.
template <typename Fn>
void each_kernel_element(bool th, int64_t taps, int64_t D, int64_t N, int64_t ld, const Fn& fn) {
  for (int64_t i = 0; i < taps; i++) {
    for (int64_t d = 0; d < D; d++) {
      for (int64_t n = 0; n < N; n++) {
        fn(th ? (n * D + d) * taps + i : (i * D + d) * N + n, (i * D + d) * ld + n);
      }
    }
  }
}

// to[taps * n, D] = W [taps, D, n] with each tap transposed; rows of W are ldw apart: the
// right-hand side of Convolution::input.
template <typename real>
void turned_kernel(real* to, const real* W, int64_t ldw, int64_t taps, int64_t D, int64_t n) {
  for (int64_t i = 0; i < taps; i++) {
    for (int64_t j = 0; j < n; j++) {
      for (int64_t d = 0; d < D; d++) to[(i * n + j) * D + d] = W[(i * D + d) * ldw + j];
    }
  }
}

}  // namespace hs
