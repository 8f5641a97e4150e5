// Every row of the last axis by itself. Keras 1.2.2 normalization.py:145-150 (BatchNormalization,
// mode 1): epsilon counts twice.
//   m = mean x   s = sqrt(mean (x - m)^2 + epsilon)   q = s + epsilon   h = (x - m) / q
//     y = gamma h + beta
//   backward, g = gamma dy:   dbeta = sum over rows of dy   dgamma = sum over rows of dy h
//                             dx = (g - mean g) / q - h mean(g h) / s
#include <algorithm>
#include <cmath>

#include "device/cpu/ops/parts/cpu_layer.h"
#include "device/cpu/ops/parts/matmul.h"
#include "ops/sample_normalization.h"

namespace hs {
namespace {

template <typename real>
class SampleNormalization final : public SampleNormalizationShape, public CpuLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  SampleNormalization(const Config& options, const OpContext& context, const Table<real>& k)
      : SampleNormalizationShape(options, context), CpuLayer<real>(k) {}

  void prepare(Declaration& d) override {
    if (!d.training()) return;
    dyh_ = d.scratch("dy h", {rows_, K_});
    sums_ = d.scratch("sums", {row_sums_scratch(rows_, K_)});
  }

  void forward(Pass<real>& p) override {
    const real *gamma = p.at(gamma_), *beta = p.at(beta_);  // [K]
    for_rows(rows_, K_, [&](int64_t r0, int64_t r1) {
      for (int64_t r = r0; r < r1; r++) {
        const real* x = p.x[0] + r * K_;
        double m = 0, var = 0;
        for (int64_t k = 0; k < K_; k++) m += double(x[k]);
        m /= double(K_);
        for (int64_t k = 0; k < K_; k++) var += (double(x[k]) - m) * (double(x[k]) - m);
        const double s = std::sqrt(var / double(K_) + epsilon_), q = s + epsilon_;
        real* h = p.backward_follows ? p.at(h_) + r * K_ : p.y + r * K_;
        for (int64_t k = 0; k < K_; k++) h[k] = real((double(x[k]) - m) / q);
        for (int64_t k = 0; k < K_; k++) p.y[r * K_ + k] = gamma[k] * h[k] + beta[k];
        if (p.backward_follows) p.at(s_)[r] = real(s);
      }
    });
  }

  void backward(Pass<real>& p) override {
    const real* gamma = p.at(gamma_);  // [K]
    if (trainable()) {
      for_elements(rows_ * K_, [&](int64_t i, int64_t end) {
        this->k->multiply(p.at(dyh_) + i, p.dy + i, p.at(h_) + i, end - i);
      });
      row_sums(this->k, p.grad(gamma_), p.at(dyh_), rows_, K_, p.at(sums_));
      row_sums(this->k, p.grad(beta_), p.dy, rows_, K_, p.at(sums_));
    }
    if (!p.dx[0]) return;
    for_rows(rows_, K_, [&](int64_t r0, int64_t r1) {
      for (int64_t r = r0; r < r1; r++) {
        const real *h = p.at(h_) + r * K_, *dy = p.dy + r * K_;
        const double s = double(p.at(s_)[r]), q = s + epsilon_;
        double g = 0, gh = 0;
        for (int64_t k = 0; k < K_; k++) {
          g += double(gamma[k]) * double(dy[k]);
          gh += double(gamma[k]) * double(dy[k]) * double(h[k]);
        }
        g /= double(K_), gh /= double(K_);
        for (int64_t k = 0; k < K_; k++) {
          p.dx[0][r * K_ + k] =
              real((double(gamma[k]) * double(dy[k]) - g) / q - double(h[k]) * gh / s);
        }
      }
    });
  }

 private:
  Tensor dyh_, sums_;  // [rows, K], as row_sums asks
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_sample_normalization(const Config& options,
                                                       const OpContext& context,
                                                       const Table<real>& k) {
  return std::make_unique<SampleNormalization<real>>(options, context, k);
}

HS_REGISTER_LAYER(sample_normalization)

}  // namespace hs
