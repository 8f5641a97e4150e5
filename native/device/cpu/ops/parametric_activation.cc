// Elementwise activations with a constant or with learned parameters: Keras 1.2.2
// advanced_activations.py (lines beside each kind). Parameters have the shape of one sample, or 1
// along the axes that share them (`shared`: 1 there, all axes of the first parameter, then of the
// next); [x > c] is 1 or 0.
//
//   leaky_relu (:35)            y = x [x > 0] + a x [x <= 0]           dx = dy (1 or a)
//   elu (:144)                  y = x [x > 0] + a (e^x - 1) [x <= 0]   dx = dy (1 or y + a)
//   thresholded_relu (:256)     y = x [x > theta]                      dx = dy [x > theta]
//   relu (ReLU of Keras 2)      y = x, at most max [x >= threshold]   dx = dy (1 below max, else 0)
//                               y = a (x - threshold) [x < threshold]  dx = dy a
//   prelu (:101-108)            as leaky_relu with a = alphas          dalphas = dy x [x <= 0]
//   parametric_softplus (:213-219)
//     s = log(1 + e^(betas x))  y = alphas s
//     ds = dy alphas  dz = ds (1 - e^-s)  dalphas = dy s  dbetas = dz x  dx = dz betas
//   srelu (:334-355)
//     u = x - t_left  r = t_left + |t_right|  v = x - r  l = u [u > 0] + a_left u [u <= 0]
//     y = t_left + min(l, r - t_left) + a_right max(v, 0)
//     dl = dy [l <= r - t_left]  du = dl (1 or a_left)  dw = dy [l >= r - t_left]
//     dv = dy a_right [v > 0]  dx = du + dv  dt_left = dy - du - dv  da_left = dl u [u <= 0]
//     dt_right = sign(t_right) (dw - dv)  da_right = dy max(v, 0)
// Kinks: at 0 the slope is that of the left, where Theano takes the mean of both sides
// (docs/keras-parity.md). NaN stays NaN.
#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "device/cpu/ops/parts/cpu_layer.h"
#include "device/cpu/threads/chunks.h"
#include "formulas/parametric.h"
#include "ops/parametric_activation.h"

namespace hs {
namespace {

constexpr int64_t kPiece = 256;  // elements that a kind works on at once

// A piece of one row: n elements, parameters beside them. dp: add; dx: write.
template <typename real>
struct Piece {
  const Table<real>* k;
  int64_t n;
  real a;                      // alpha, or theta
  real threshold, max;         // of relu
  const real* x;               // [n]
  const real* p[kMostParams];  // [n] each
  real* y;                     // [n]; backward: as forward has left it
  const real* dy;              // [n]
  real* dx;                    // [n]
  real* dp[kMostParams];       // [n] each
};

struct LeakyRelu {
  static constexpr Parametric kKind = Parametric::kLeakyRelu;
  template <typename real>
  static void forward(const Piece<real>& q) {
    for (int64_t i = 0; i < q.n; i++) q.y[i] = leaky_relu(q.x[i], q.a);
  }
  template <typename real>
  static void backward(const Piece<real>& q) {
    for (int64_t i = 0; i < q.n; i++) q.dx[i] = leaky_relu_dx(q.x[i], q.a, q.dy[i]);
  }
};

struct Elu {
  static constexpr Parametric kKind = Parametric::kElu;
  template <typename real>
  static void forward(const Piece<real>& q) {
    q.k->activate(Activation::kElu, q.y, q.x, q.n);
    for (int64_t i = 0; i < q.n; i++) q.y[i] = scaled_elu(q.x[i], q.a, q.y[i]);
  }
  template <typename real>
  static void backward(const Piece<real>& q) {
    for (int64_t i = 0; i < q.n; i++) q.dx[i] = scaled_elu_dx(q.x[i], q.a, q.y[i], q.dy[i]);
  }
};

struct Relu {
  static constexpr Parametric kKind = Parametric::kRelu;
  template <typename real>
  static void forward(const Piece<real>& q) {
    for (int64_t i = 0; i < q.n; i++) q.y[i] = bounded_relu(q.x[i], q.a, q.threshold, q.max);
  }
  template <typename real>
  static void backward(const Piece<real>& q) {
    for (int64_t i = 0; i < q.n; i++)
      q.dx[i] = bounded_relu_dx(q.x[i], q.a, q.threshold, q.max, q.dy[i]);
  }
};

struct ThresholdedRelu {
  static constexpr Parametric kKind = Parametric::kThresholdedRelu;
  template <typename real>
  static void forward(const Piece<real>& q) {
    for (int64_t i = 0; i < q.n; i++) q.y[i] = thresholded_relu(q.x[i], q.a);
  }
  template <typename real>
  static void backward(const Piece<real>& q) {
    for (int64_t i = 0; i < q.n; i++) q.dx[i] = thresholded_relu_dx(q.x[i], q.a, q.dy[i]);
  }
};

struct Prelu {
  static constexpr Parametric kKind = Parametric::kPrelu;
  template <typename real>
  static void forward(const Piece<real>& q) {
    for (int64_t i = 0; i < q.n; i++) q.y[i] = leaky_relu(q.x[i], q.p[0][i]);
  }
  template <typename real>
  static void backward(const Piece<real>& q) {
    for (int64_t i = 0; i < q.n; i++) {
      q.dp[0][i] += prelu_dalpha(q.x[i], q.dy[i]);
      q.dx[i] = leaky_relu_dx(q.x[i], q.p[0][i], q.dy[i]);
    }
  }
};

struct ParametricSoftplus {
  static constexpr Parametric kKind = Parametric::kParametricSoftplus;
  template <typename real>
  static void forward(const Piece<real>& q) {
    q.k->multiply(q.y, q.p[1], q.x, q.n);
    q.k->activate(Activation::kSoftplus, q.y, q.y, q.n);
    q.k->multiply(q.y, q.y, q.p[0], q.n);
  }
  template <typename real>
  static void backward(const Piece<real>& q) {
    real s[kPiece], dz[kPiece];
    q.k->multiply(s, q.p[1], q.x, q.n);
    q.k->activate(Activation::kSoftplus, s, s, q.n);
    q.k->multiply(dz, q.dy, q.p[0], q.n);
    q.k->activate_backward(Activation::kSoftplus, dz, s, dz, q.n);
    q.k->multiply_add(q.dp[0], q.dy, s, q.n);
    q.k->multiply_add(q.dp[1], dz, q.x, q.n);
    q.k->multiply(q.dx, dz, q.p[1], q.n);
  }
};

struct Srelu {
  static constexpr Parametric kKind = Parametric::kSrelu;
  template <typename real>
  static void forward(const Piece<real>& q) {
    const real *t_left = q.p[0], *a_left = q.p[1], *t_right = q.p[2], *a_right = q.p[3];
    for (int64_t i = 0; i < q.n; i++)
      q.y[i] = srelu(q.x[i], t_left[i], a_left[i], t_right[i], a_right[i]);
  }
  template <typename real>
  static void backward(const Piece<real>& q) {
    const real *t_left = q.p[0], *a_left = q.p[1], *t_right = q.p[2], *a_right = q.p[3];
    for (int64_t i = 0; i < q.n; i++) {
      const SreluSlopes<real> d =
          srelu_slopes(q.x[i], t_left[i], a_left[i], t_right[i], a_right[i], q.dy[i]);
      q.dx[i] = d.dx;
      q.dp[0][i] += d.dt_left, q.dp[1][i] += d.da_left;
      q.dp[2][i] += d.dt_right, q.dp[3][i] += d.da_right;
    }
  }
};

template <typename real>
struct Rules {
  Parametric kind;
  void (*forward)(const Piece<real>&);
  void (*backward)(const Piece<real>&);
};

template <typename real, typename Rule>
constexpr Rules<real> rules() {
  return {Rule::kKind, Rule::template forward<real>, Rule::template backward<real>};
}

template <typename real>
constexpr Rules<real> kRules[] = {
    rules<real, LeakyRelu>(),          rules<real, Elu>(),   rules<real, Relu>(),
    rules<real, ThresholdedRelu>(),    rules<real, Prelu>(), rules<real, Srelu>(),
    rules<real, ParametricSoftplus>(),
};

template <typename real>
const Rules<real>& rules_of(Parametric kind) {
  for (const Rules<real>& rules : kRules<real>)
    if (rules.kind == kind) return rules;
  throw Error(Code::kInternal, "parametric_activation", "a kind has no rules.");
}

template <typename real>
class ParametricActivation final : public ParametricActivationShape, public CpuLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  ParametricActivation(const Config& options, const OpContext& context, const Table<real>& k)
      : ParametricActivationShape(options, context),
        CpuLayer<real>(k),
        rules_(rules_of<real>(kind_.kind)) {}

  void prepare(Declaration& d) override {
    for (int i = 0; i < count_; i++) {
      if (params_[i].shared) spread_[i] = d.scratch("spread", dims_);
      if (d.training()) gradient_[i] = d.scratch("gradient", dims_);
    }
  }

  void forward(Pass<real>& p) override {
    spread(p);
    pieces(p, [&](const Piece<real>& q, int64_t, int64_t) { rules_.forward(q); });
  }

  void backward(Pass<real>& p) override {
    spread(p);
    for (int i = 0; i < count_; i++) this->k->fill(p.at(gradient_[i]), 0, count(dims_));
    pieces(p, [&](Piece<real> q, int64_t at, int64_t j) {
      real unused[kPiece];
      for (int i = 0; i < count_; i++) q.dp[i] = p.at(gradient_[i]) + j;
      q.dy = p.dy + at;
      q.dx = p.dx[0] ? p.dx[0] + at : unused;
      rules_.backward(q);
    });
    for (int i = 0; trainable() && i < count_; i++) collect(p, params_[i], gradient_[i]);
  }

 private:
  // fn(piece, place of its first element in x, and in a sample): pieces of [T, B, R]; the rows of
  // one j come in order, on one thread.
  template <typename Fn>
  void pieces(const Pass<real>& p, const Fn& fn) const {
    const int64_t B = p.y_extent.rows, R = R_, T = R ? count(dims_) / R : 0;
    for_chunks(T * R, kPiece, B, [&](int64_t begin, int64_t end) {
      for (int64_t j = begin, next; j < end; j = next) {
        const int64_t t = j / R;
        next = std::min({end, (t + 1) * R, j + kPiece});
        Piece<real> q{};
        q.k = this->k, q.n = next - j, q.a = real(a_), q.threshold = real(threshold_),
        q.max = real(max_);
        for (int i = 0; i < count_; i++)
          q.p[i] = p.at(params_[i].shared ? spread_[i] : params_[i].value) + j;
        for (int64_t b = 0; b < B; b++) {
          const int64_t at = (t * B + b) * R + j % R;
          q.x = p.x[0] + at, q.y = p.y + at;
          fn(q, at, j);
        }
      }
    });
  }

  // fn(j, place in the parameter) for every element j of one sample
  template <typename Fn>
  void each_place(const Param& param, const Fn& fn) const {
    const int64_t n = count(dims_);
    for (int64_t j = 0; j < n; j++) {
      int64_t place = 0, step = 1, rest = j;
      for (size_t a = dims_.size(); a-- > 0; rest /= dims_[a]) {
        if (param.dims[a] != dims_[a]) continue;
        place += rest % dims_[a] * step;
        step *= dims_[a];
      }
      fn(j, place);
    }
  }

  void spread(const Pass<real>& p) const {
    for (int i = 0; i < count_; i++) {
      if (!params_[i].shared) continue;
      real* to = p.at(spread_[i]);
      const real* from = p.at(params_[i].value);
      each_place(params_[i], [&](int64_t j, int64_t place) { to[j] = from[place]; });
    }
  }

  // The gradient of a parameter from that of every element of a sample.
  void collect(const Pass<real>& p, const Param& param, const Tensor& gradient) const {
    real* grad = p.grad(param.value);
    std::fill_n(grad, param.value.size, real(0));
    each_place(param, [&](int64_t j, int64_t place) { grad[place] += p.at(gradient)[j]; });
  }

  const Rules<real>& rules_;
  // One for each element of a sample: the parameter where it is shared, and its gradient.
  Tensor spread_[kMostParams], gradient_[kMostParams];  // [dims]
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_parametric_activation(const Config& options,
                                                        const OpContext& context,
                                                        const Table<real>& k) {
  return std::make_unique<ParametricActivation<real>>(options, context, k);
}

HS_REGISTER_LAYER(parametric_activation)

}  // namespace hs
