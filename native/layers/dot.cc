// Products of two inputs, sample by sample, and their cosines. Keras 1.2.2 topology.py:1416-1431 (Merge 'dot' and 'cos') on
// theano_backend.py batch_dot. Of each input one axis is summed over, of the same extent K; the others, F1 and F2 numbers, stay.
//   P_i [F1, K], Q_i [K, F2]: input i, its axis axes[0], or axes[1], summed over
//   dot   y = P_1 Q_2   [B, free axes of 1..., free axes of 2...], or [B, 1] where there are none
//   cos   G_i = P_i Q_i   r = sqrt(max(G_1 * G_2, 0))   d = max(r, 1e-7)   y = P_1 Q_2 / d   with one more axis of 1 in front
// Backward, C = P_1 Q_2, with dP = dC Q^T and dQ = P^T dC for every product:
//   dC = dy / d   where r >= 1e-7:  h = -dy * C / (d * d * 2 * r)   dG_1 = h * G_2   dG_2 = h * G_1   elsewhere 0 (Theano: NaN at r = 0)
#include <algorithm>
#include <cmath>

#include "layers/cpu_layer.h"
#include "layers/matmul.h"

namespace hs {
namespace {

constexpr double kEpsilon = 1e-7;  // Keras' K.epsilon()

// Where the elements of a value lie, seen as [free, summed] of each sample.
struct Side {
  int64_t sample = 0, step = 0, K = 1;  // from one sample, or summed index, to the next
  std::vector<int64_t> free;            // offset of each free element, in C order

  Side() = default;
  // axis: of dims, summed over; -1: none
  Side(const Extent& e, int64_t axis) {
    const int64_t axes = static_cast<int64_t>(e.dims.size());
    std::vector<int64_t> stride(e.dims.size(), 1);
    for (int64_t i = axes - 2; i >= 0; i--)
      stride[size_t(i)] = stride[size_t(i + 1)] * e.dims[size_t(i + 1)];
    sample = e.sequence() ? stride[0] : count(e.dims);
    if (e.sequence()) stride[0] *= e.rows;  // [T, B, ...]
    free.push_back(0);
    for (int64_t i = 0; i < axes; i++) {
      if (i == axis) {
        K = e.dims[size_t(i)], step = stride[size_t(i)];
        continue;
      }
      std::vector<int64_t> longer;
      for (int64_t from : free) {
        for (int64_t d = 0; d < e.dims[size_t(i)]; d++)
          longer.push_back(from + d * stride[size_t(i)]);
      }
      free = std::move(longer);
    }
  }

  int64_t size() const { return static_cast<int64_t>(free.size()); }
};

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
class Dot final : public OpShape, public CpuLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  Dot(const Config& options, const OpContext& context, const Table<real>& k)
      : OpShape(context),
        CpuLayer<real>(k),
        axes_(options.dims("axes")),
        cosine_(options.on("cosine")) {}

  Extent output(const std::vector<Extent>& x) const override {
    if (x.size() != 2 || axes_.size() != 2)
      fail(Code::kInternal, this->where(), "inputs", "two", std::to_string(x.size()));
    Dims y;
    if (cosine_) y.push_back(1);
    for (size_t i = 0; i < 2; i++) {
      const int64_t n = static_cast<int64_t>(x[i].dims.size());
      if (axes_[i] < 0 || axes_[i] >= n) {
        fail(Code::kOption, this->where(), "axis of input " + std::to_string(i),
             "within the " + std::to_string(n) + " axes of " + to_string(x[i].dims),
             std::to_string(axes_[i]));
      }
      for (int64_t d = 0; d < n; d++)
        if (d != axes_[i]) y.push_back(x[i].dims[size_t(d)]);
    }
    if (y.size() == (cosine_ ? 1 : 0)) y.push_back(1);
    const bool fits = x[0].dims[size_t(axes_[0])] == x[1].dims[size_t(axes_[1])] &&
                      x[0].rows == x[1].rows && (!cosine_ || x[0].dims == x[1].dims);
    if (!fits) {
      fail(Code::kShape, this->where(), "inputs",
           cosine_ ? "of the same shape" : "as long along the axes summed over",
           x[0].text() + " and " + x[1].text());
    }
    return {x[0].rows, y};
  }

  void declare(Declaration& d, const std::vector<Extent>& x, const Extent& y, bool) override {
    for (size_t i = 0; i < 2; i++) {
      P_[i] = Side(x[i], axes_[cosine_ ? 0 : i]);
      Q_[i] = Side(x[i], axes_[cosine_ ? 1 : i]);
    }
    y_ = Side(y, -1);
    B_ = y.rows, F1_ = P_[0].size(), F2_ = Q_[1].size(), K_ = P_[0].K;
    area_ = round_up(std::max({F1_ * K_, F2_ * K_, F1_ * F2_}), kAlignElements);
    packed_ = round_up(std::max({packed_size(this->k, K_, F2_), packed_size(this->k, F2_, K_),
                                 packed_size(this->k, F1_, K_)}),
                       kAlignElements);
    if (cosine_ && d.training()) {
      for (int i = 0; i < 3; i++) products_[i] = d.saved(kNames[i], {B_, F1_, F2_});
    } else if (cosine_) {
      for (int i = 0; i < 3; i++) products_[i] = d.scratch(kNames[i], {B_, F1_, F2_});
    }
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
  static constexpr const char* kNames[] = {"products", "squares of 0", "squares of 1"};

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

  Dims axes_;
  bool cosine_;
  Side P_[2], Q_[2], y_;
  int64_t B_ = 0, F1_ = 0, F2_ = 0, K_ = 0, area_ = 0, packed_ = 0;
  Tensor products_[3], scratch_;
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_dot(const Config& options, const OpContext& context,
                                      const Table<real>& k) {
  return std::make_unique<Dot<real>>(options, context, k);
}

HS_REGISTER_LAYER(dot)

}  // namespace hs
