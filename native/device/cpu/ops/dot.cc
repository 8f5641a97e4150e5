// Products of two inputs, sample by sample, and their cosines. Keras 1.2.2 topology.py:1416-1431
// (Merge 'dot' and 'cos') on theano_backend.py batch_dot. Of each input one axis is summed over, of
// the same extent K; the others, F1 and F2 numbers, stay.
//   P_i [F1, K], Q_i [K, F2]: input i, its axis axes[0], or axes[1], summed over
//   dot   y = P_1 Q_2   [B, free axes of 1..., free axes of 2...], or [B, 1] where there are none
//   cos   G_i = P_i Q_i   r = sqrt(max(G_1 * G_2, 0))   d = max(r, 1e-7)   y = P_1 Q_2 / d
//     with one more axis of 1 in front
// Backward, C = P_1 Q_2, with dP = dC Q^T and dQ = P^T dC for every product:
//   dC = dy / d   where r >= 1e-7:  h = -dy * C / (d * d * 2 * r)   dG_1 = h * G_2   dG_2 = h * G_1
//     elsewhere 0 (Theano: NaN at r = 0)
#include <algorithm>
#include <cmath>

#include "device/cpu/ops/parts/cpu_layer.h"
#include "device/cpu/ops/parts/matmul.h"
#include "ops/dot.h"

namespace hs {
namespace {

constexpr double kEpsilon = 1e-7;  // Keras' K.epsilon()

// m <- x: [F, K] of one sample, or, transposed, [K, F]
template <typename real>
void take(real* m, const real* x, const Side& s, bool transposed) {
  const int64_t F = s.size();
  for (int64_t f = 0; f < F; f++) {
    for (int64_t k = 0; k < s.K; k++)
      m[transposed ? k * F + f : f * s.K + k] = x[s.free[size_t(f)] + k * s.step];
  }
}

// x (+)= m, which is [F, K] or, transposed, [K, F]
template <typename real>
void put(real* x, const Side& s, const real* m, bool transposed, bool add) {
  const int64_t F = s.size();
  for (int64_t f = 0; f < F; f++) {
    for (int64_t k = 0; k < s.K; k++) {
      real& to = x[s.free[size_t(f)] + k * s.step];
      to = (add ? to : real(0)) + m[transposed ? k * F + f : f * s.K + k];
    }
  }
}

template <typename real>
void transpose(real* to, const real* from, int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t c = 0; c < columns; c++) to[c * rows + r] = from[r * columns + c];
  }
}

template <typename real>
class Dot final : public DotShape, public CpuLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  Dot(const Config& options, const OpContext& context, const Table<real>& k)
      : DotShape(options, context), CpuLayer<real>(k) {}

  void prepare(Declaration& d) override {
    area_ = round_up(std::max({F1_ * K_, F2_ * K_, F1_ * F2_}), kAlignElements);
    packed_ = round_up(std::max({packed_size(this->k, K_, F2_), packed_size(this->k, F2_, K_),
                                 packed_size(this->k, F1_, K_)}),
                       kAlignElements);
    for (int i = 0; i < 3 && cosine_ && !d.training(); i++)
      products_[i] = d.scratch(kNames[i], {B_, F1_, F2_});
    scratch_ = d.scratch("matrices of each sample", {B_, 4 * area_ + packed_});
  }

  void forward(Pass<real>& p) override {
    each_sample([&](int64_t b) {
      const Room room = room_of(p, b);
      if (!cosine_) {
        multiply(p, room, room.c, 0, 1, b);
        scatter(p.y, room.c, b);
        return;
      }
      real* C = of_sample(p, 0, b);
      real* G1 = of_sample(p, 1, b);
      real* G2 = of_sample(p, 2, b);
      multiply(p, room, C, 0, 1, b);
      multiply(p, room, G1, 0, 0, b);
      multiply(p, room, G2, 1, 1, b);
      for (int64_t i = 0; i < F1_ * F2_; i++)
        room.c[i] = C[i] / std::max(root(G1[i], G2[i]), real(kEpsilon));
      scatter(p.y, room.c, b);
    });
  }

  void backward(Pass<real>& p) override {
    each_sample([&](int64_t b) {
      const Room room = room_of(p, b);
      take(room.c, p.dy + b * y_.sample, y_, false);
      if (!cosine_) {
        into_P(p, room, room.c, 0, 1, b, false);
        into_Q(p, room, room.c, 0, 1, b, false);
        return;
      }
      real* dC = room.c;  // dy so far
      real* dG1 = of_sample(p, 1, b);
      real* dG2 = of_sample(p, 2, b);
      const real* C = of_sample(p, 0, b);
      for (int64_t i = 0; i < F1_ * F2_; i++) {
        const real G1 = dG1[i], G2 = dG2[i], r = root(G1, G2), d = std::max(r, real(kEpsilon));
        const real h = r >= real(kEpsilon) ? -dC[i] * C[i] / (d * d * 2 * r) : real(0);
        dG1[i] = h * G2, dG2[i] = h * G1;
        dC[i] /= d;
      }
      into_P(p, room, dC, 0, 1, b, false);  // writes all of dx_0, the others of it add
      into_Q(p, room, dC, 0, 1, b, false);  // dx_1
      into_P(p, room, dG1, 0, 0, b, true);
      into_Q(p, room, dG1, 0, 0, b, true);
      into_P(p, room, dG2, 1, 1, b, true);
      into_Q(p, room, dG2, 1, 1, b, true);
    });
  }

 private:
  struct Room {  // scratch of one sample
    real *c, *left, *right, *result, *packed;
  };

  Room room_of(const Pass<real>& p, int64_t b) const {
    real* at = p.at(scratch_) + b * (4 * area_ + packed_);
    return {at, at + area_, at + 2 * area_, at + 3 * area_, at + 4 * area_};
  }
  real* of_sample(const Pass<real>& p, int product, int64_t b) const {  // [F1, F2]
    return p.at(products_[product]) + b * F1_ * F2_;
  }

  template <typename Fn>
  void each_sample(const Fn& fn) const {
    for_chunks(B_, 1, F1_ * F2_ * K_, [&](int64_t b0, int64_t b1) {
      for (int64_t b = b0; b < b1; b++) fn(b);
    });
  }

  static real root(real G1, real G2) { return std::sqrt(std::max(G1 * G2, real(0))); }

  void scatter(real* y, const real* c, int64_t b) const {
    put(y + b * y_.sample, y_, c, false, false);
  }

  void product(const Room& room, real* c, const real* a, const real* right, int64_t M, int64_t N,
               int64_t K) const {
    this->k->pack(room.packed, right, N, false, K, N, 0, N);
    this->k->gemm(c, N, a, K, room.packed, M, N, K, 0, N, false, nullptr);
  }

  // c [F1, F2] = P_i Q_j of sample b
  void multiply(const Pass<real>& p, const Room& room, real* c, int i, int j, int64_t b) const {
    take(room.left, p.x[size_t(i)] + b * P_[i].sample, P_[i], false);
    take(room.right, p.x[size_t(j)] + b * Q_[j].sample, Q_[j], true);
    product(room, c, room.left, room.right, F1_, F2_, K_);
  }

  // dx_i (+)= dc Q_j^T
  void into_P(const Pass<real>& p, const Room& room, const real* dc, int i, int j, int64_t b,
              bool add) const {
    real* dx = p.dx[size_t(i)];
    if (!dx) return;
    take(room.right, p.x[size_t(j)] + b * Q_[j].sample, Q_[j], false);  // [F2, K]
    product(room, room.result, dc, room.right, F1_, K_, F2_);
    put(dx + b * P_[i].sample, P_[i], room.result, false, add);
  }

  // dx_j (+)= P_i^T dc
  void into_Q(const Pass<real>& p, const Room& room, const real* dc, int i, int j, int64_t b,
              bool add) const {
    real* dx = p.dx[size_t(j)];
    if (!dx) return;
    transpose(room.left, dc, F1_, F2_);                                 // [F2, F1]
    take(room.right, p.x[size_t(i)] + b * P_[i].sample, P_[i], false);  // [F1, K]
    product(room, room.result, room.left, room.right, F2_, K_, F1_);
    put(dx + b * Q_[j].sample, Q_[j], room.result, false, add);
  }

  int64_t area_ = 0, packed_ = 0;
  Tensor scratch_;  // [B, 4 * area + packed]
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_dot(const Config& options, const OpContext& context,
                                      const Table<real>& k) {
  return std::make_unique<Dot<real>>(options, context, k);
}

HS_REGISTER_LAYER(dot)

}  // namespace hs
