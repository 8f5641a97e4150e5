// Ioffe and Szegedy 2015 (arXiv:1502.03167, algorithm 1 and the derivatives after it), as Keras
// 1.2.2 normalization.py:108-143 has it on Theano. c counts along `axis`; sums run over all other
// axes, n elements each, masked steps among them.
//   mean = sum x / n   var = sum (x - mean)^2 / n   s = 1 / sqrt(var + epsilon)
//   y = (x - mean) * (gamma s) + beta
//   next running_mean = m running_mean + (1 - m) mean
//     next running_std = m running_std + (1 - m) / s^2
//   backward, h = (x - mean) s:   dbeta = sum dy   dgamma = sum dy h
//     dx = gamma s (dy - dbeta / n - h dgamma / n)
// mode 0: statistics of the batch in training, else the running ones. mode 2: always those of the
// batch. `running_std` holds a variance in spite of its name; 1 / s^2 is var + epsilon
// (theano_backend.py:463; on TensorFlow it would be var). Sums run over blocks that the shape alone
// decides, so their bits do not depend on the number of threads.
#include <algorithm>
#include <cmath>

#include "device/cpu/ops/parts/cpu_layer.h"
#include "device/cpu/ops/parts/matmul.h"
#include "ops/batch_normalization.h"

namespace hs {
namespace {

template <typename real>
class BatchNormalization final : public BatchNormalizationShape, public CpuLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  BatchNormalization(const Config& options, const OpContext& context, const Table<real>& k)
      : BatchNormalizationShape(options, context), CpuLayer<real>(k) {}

  void prepare(Declaration& d) override {
    factor_ = d.scratch("factor", {g_.C});
    if (d.training() || always_batch_) parts_ = d.scratch("parts", {blocks() * g_.C});
    if (!d.training()) return;
    dgamma_ = d.scratch("dgamma", {g_.C});
    dbeta_ = d.scratch("dbeta", {g_.C});
  }

  void forward(Pass<real>& p) override {
    const bool batch = always_batch_ || p.training;
    if (batch) statistics(p);
    const real* x = p.x[0];                                  // [outer, C, inner]
    const real* mean = p.at(batch ? mean_ : running_mean_);  // [C]
    const real* beta = p.at(beta_);                          // [C]
    real* factor = p.at(factor_);                            // [C]
    for (int64_t c = 0; c < g_.C; c++)
      factor[c] = p.at(gamma_)[c] * (batch ? p.at(inverse_)[c] : inverse(p.at(running_std_)[c]));
    each([&](int64_t i, int64_t c) { p.y[i] = (x[i] - mean[c]) * factor[c] + beta[c]; });
  }

  void backward(Pass<real>& p) override {
    const real *x = p.x[0], *dy = p.dy;                         // [outer, C, inner]
    const real *mean = p.at(mean_), *inverse = p.at(inverse_);  // [C]
    real *dgamma = p.at(dgamma_), *dbeta = p.at(dbeta_);        // [C]
    sum(dbeta, p.at(parts_), [&](int64_t i, int64_t) { return dy[i]; });
    sum(dgamma, p.at(parts_),
        [&](int64_t i, int64_t c) { return dy[i] * ((x[i] - mean[c]) * inverse[c]); });
    if (trainable()) {
      std::copy_n(dgamma, g_.C, p.grad(gamma_));
      std::copy_n(dbeta, g_.C, p.grad(beta_));
    }
    real* dx = p.dx[0];
    if (!dx) return;
    real* factor = p.at(factor_);  // [C]
    for (int64_t c = 0; c < g_.C; c++) {
      factor[c] = p.at(gamma_)[c] * inverse[c];
      dgamma[c] = real(dgamma[c] / double(g_.n()) * inverse[c]);
      dbeta[c] = real(dbeta[c] / double(g_.n()));
    }
    each([&](int64_t i, int64_t c) {
      dx[i] = factor[c] * (dy[i] - dbeta[c] - (x[i] - mean[c]) * dgamma[c]);
    });
  }

 private:
  real inverse(real variance) const { return real(1 / std::sqrt(double(variance) + epsilon_)); }

  void statistics(Pass<real>& p) const {
    const real* x = p.x[0];
    real *mean = p.at(mean_), *inverse_std = p.at(inverse_);  // [C]
    const double n = double(g_.n());
    sum(mean, p.at(parts_), [&](int64_t i, int64_t) { return x[i]; });
    for (int64_t c = 0; c < g_.C; c++) mean[c] = real(mean[c] / n);
    sum(inverse_std, p.at(parts_), [&](int64_t i, int64_t c) {
      const real d = x[i] - mean[c];
      return d * d;
    });
    const bool running = p.training && !always_batch_;
    for (int64_t c = 0; c < g_.C; c++) {
      const real variance = real(inverse_std[c] / n);
      inverse_std[c] = inverse(variance);
      if (!running) continue;
      const real momentum = real(momentum_), rest = 1 - momentum;
      p.at(next_mean_)[c] = momentum * p.at(running_mean_)[c] + rest * mean[c];
      p.at(next_std_)[c] =
          momentum * p.at(running_std_)[c] + rest * real(double(variance) + epsilon_);
    }
  }

  // fn(i, c) for every element i of [outer, C, inner]
  template <typename Fn>
  void each(const Fn& fn) const {
    if (g_.inner == 1) {
      for_rows(g_.outer, g_.C, [&](int64_t o0, int64_t o1) {
        for (int64_t o = o0; o < o1; o++)
          for (int64_t c = 0; c < g_.C; c++) fn(o * g_.C + c, c);
      });
    } else {
      for_rows(g_.outer * g_.C, g_.inner, [&](int64_t r0, int64_t r1) {
        for (int64_t r = r0; r < r1; r++)
          for (int64_t i = 0; i < g_.inner; i++) fn(r * g_.inner + i, r % g_.C);
      });
    }
  }

  // Blocks of about kSumRows elements of each c: whole o, so that a block is contiguous.
  int64_t block() const { return std::max<int64_t>(1, kSumRows / std::max<int64_t>(1, g_.inner)); }
  int64_t blocks() const { return std::max<int64_t>(1, tiles_of(g_.outer, block())); }

  // s[C] = sum of term(i, c) over all i of c. parts: [blocks, C].
  template <typename Term>
  void sum(real* s, real* parts, const Term& term) const {
    const int64_t C = g_.C, inner = g_.inner, rows = block();
    if (inner == 1) {
      for_chunks(blocks(), 1, rows * C, [&](int64_t b0, int64_t b1) {
        for (int64_t b = b0; b < b1; b++) {
          real* part = parts + b * C;
          std::fill_n(part, C, real(0));
          for (int64_t o = b * rows; o < std::min(g_.outer, (b + 1) * rows); o++)
            for (int64_t c = 0; c < C; c++) part[c] += term(o * C + c, c);
        }
      });
    } else {
      for_chunks(blocks() * C, 1, rows * inner, [&](int64_t u0, int64_t u1) {
        for (int64_t u = u0; u < u1; u++) {
          const int64_t b = u / C, c = u % C;
          double part = 0;
          for (int64_t o = b * rows; o < std::min(g_.outer, (b + 1) * rows); o++)
            for (int64_t i = 0; i < inner; i++) part += double(term((o * C + c) * inner + i, c));
          parts[u] = real(part);
        }
      });
    }
    for (int64_t c = 0; c < C; c++) {
      double total = 0;
      for (int64_t b = 0; b < blocks(); b++) total += double(parts[b * C + c]);
      s[c] = real(total);
    }
  }

  Tensor factor_, parts_, dgamma_, dbeta_;  // [C] [blocks, C] [C] [C]
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_batch_normalization(const Config& options,
                                                      const OpContext& context,
                                                      const Table<real>& k) {
  return std::make_unique<BatchNormalization<real>>(options, context, k);
}

HS_REGISTER_LAYER(batch_normalization)

}  // namespace hs
