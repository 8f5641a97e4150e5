// Gaussian noise, in training only: n standard normal, drawn anew for each element (rng.h).
//   add       y = x + sigma n          Keras 1.2.2 noise.py:35-39 (GaussianNoise)
//   multiply  y = x (1 + sigma n)      noise.py:76-80 (GaussianDropout, sigma = sqrt(p / (1 - p)))
#include <algorithm>

#include "device/cpu/ops/parts/cpu_layer.h"
#include "device/cpu/rng.h"
#include "device/cpu/threads/chunks.h"
#include "ops/noise.h"

namespace hs {
namespace {

template <typename real>
class Noise final : public NoiseShape, public CpuLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  Noise(const Config& options, const OpContext& context, const Table<real>& k)
      : NoiseShape(options, context), CpuLayer<real>(k) {}

  void prepare(Declaration& d) override {
    if (draws_ && !multiplies_) noise_ = d.scratch("noise", {size_});
  }

  void forward(Pass<real>& p) override {
    const real sigma = real(sigma_);
    const int64_t n = p.y_extent.size();
    if (!draws_ || !p.training) {
      if (p.y != p.x[0]) std::copy_n(p.x[0], n, p.y);
      return;
    }
    real* noise = p.at(noise_);  // of x's memory order
    for_elements(n, [&](int64_t i, int64_t end) {
      draw(noise, i, end, p);
      for (int64_t j = i; j < end; j++) {
        if (multiplies_) noise[j] = 1 + sigma * noise[j];
        p.y[j] = multiplies_ ? p.x[0][j] * noise[j] : p.x[0][j] + sigma * noise[j];
      }
    });
  }

  void backward(Pass<real>& p) override {
    real* dx = p.dx[0];
    if (!dx) return;
    const int64_t n = p.y_extent.size();
    if (!draws_ || !p.training || !multiplies_) {
      if (dx != p.dy) std::copy_n(p.dy, n, dx);
      return;
    }
    for_elements(n, [&](int64_t i, int64_t end) {
      this->k->multiply(dx + i, p.dy + i, p.at(noise_) + i, end - i);
    });
  }

 private:
  // noise[i .. end): of a shard, what its rows have among the numbers of the whole batch.
  void draw(real* noise, int64_t i, int64_t end, const Pass<real>& p) const {
    const DropoutKey& key = p.dropout;
    if (key.whole == 0) return normal_noise(noise + i, end - i, key, stream() * 16, i);
    const int64_t step = p.y_extent.size() / p.y_extent.steps(),  // [B, rest]
        row = step / p.y_extent.rows;
    while (i < end) {
      const int64_t t = i / step, stop = std::min(end, (t + 1) * step);
      const int64_t before = (t * key.whole + key.first) * row - t * step;
      normal_noise(noise + i, stop - i, key, stream() * 16, i + before);
      i = stop;
    }
  }
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_noise(const Config& options, const OpContext& context,
                                        const Table<real>& k) {
  return std::make_unique<Noise<real>>(options, context, k);
}

HS_REGISTER_LAYER(noise)

}  // namespace hs
