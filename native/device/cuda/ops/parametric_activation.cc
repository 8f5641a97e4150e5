// As device/cpu/ops/parametric_activation.cc: formulas/parametric.h for
// each element. The gradient of a parameter: that of every element, then sums over the batch and
// over each axis that shares it.
#include "ops/parametric_activation.h"

#include "device/cuda/ops/parts/rearrange.h"
#include "device/cuda/sums.h"

namespace hs {
namespace {

static_assert(kMostParams == kMostBendParams, "the kernels take as many parameters");

template <typename real>
class CudaParametricActivation final : public ParametricActivationShape, public CudaLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  CudaParametricActivation(const Config& options, const OpContext& context, CardQueue& queue)
      : ParametricActivationShape(options, context), CudaLayer<real>(queue) {}

  void declare(Declaration& d, const std::vector<Extent>& x, const Extent& y,
               bool masked) override {
    ParametricActivationShape::declare(d, x, y, masked);
    size_ = y.size();
  }

  void prepare(Declaration& d) override {
    for (int i = 0; i < count_; i++) {
      if (params_[i].shared) spread_[i] = d.scratch("spread", dims_);
      if (d.training()) gradient_[i] = d.scratch("gradient", {size_});
    }
    if (!d.training() || count_ == 0) return;
    for (Tensor& sums : sums_) sums = d.scratch("sums", dims_);
  }

  void forward(Pass<real>& p) override {
    BendArgs<real> a = {};
    fill(p, a);
    a.y = p.y;
    this->q.launch("bend", a);
  }

  void backward(Pass<real>& p) override {
    BendSlopeArgs<real> a = {};
    fill(p, a);
    a.dx = p.dx[0], a.y = p.y, a.dy = p.dy;
    for (int i = 0; i < count_; i++) a.dp[i] = p.at(gradient_[i]);
    this->q.launch("bend_slope", a);
    for (int i = 0; trainable() && i < count_; i++) collect(p, params_[i], a.dp[i]);
  }

 private:
  template <typename Args>
  void fill(const Pass<real>& p, Args& a) {
    a.n = size_, a.B = p.y_extent.rows, a.R = R_, a.kind = static_cast<int>(kind_.kind);
    a.a = real(a_), a.threshold = real(threshold_), a.max = real(max_), a.x = p.x[0];
    for (int i = 0; i < count_; i++)
      a.p[i] = params_[i].shared ? spread(p, i) : p.at(params_[i].value);
  }

  // A parameter, one for each element of a sample.
  const real* spread(const Pass<real>& p, int i) {
    std::vector<CopyAxis> axes(dims_.size());
    int64_t to = 1, from = 1;
    for (size_t a = dims_.size(); a-- > 0;) {
      const int64_t extent = params_[i].dims[a];
      axes[a] = {dims_[a], to, extent == dims_[a] ? from : 0};
      to *= dims_[a], from *= extent;
    }
    rearrange(this->q, p.at(spread_[i]), p.at(params_[i].value), axes);
    return p.at(spread_[i]);
  }

  // From that of every element [T, B, R].
  void collect(const Pass<real>& p, const Param& param, const real* gradient) {
    struct Sum {
      int64_t outer, m, inner;
    };
    const int64_t places = count(dims_);
    std::vector<Sum> sums = {{R_ ? places / R_ : 0, p.y_extent.rows, R_}};
    int64_t outer = 1, inner = places;  // of an axis, those before it summed already
    for (size_t a = 0; a < dims_.size(); a++) {
      inner = dims_[a] ? inner / dims_[a] : 0;
      if (param.dims[a] != dims_[a]) sums.push_back({outer, dims_[a], inner});
      outer *= param.dims[a];
    }
    const real* from = gradient;
    for (size_t s = 0; s < sums.size(); s++) {
      real* const to = s + 1 == sums.size() ? p.grad(param.value) : p.at(sums_[s % 2]);
      sum_axis(this->q, to, from, sums[s].outer, sums[s].m, sums[s].inner, sums[s].inner);
      from = to;
    }
  }

  int64_t size_ = 0;
  Tensor spread_[kMostParams];    // [dims]
  Tensor gradient_[kMostParams];  // [T, B, R]
  Tensor sums_[2];                // [dims]
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_cuda_parametric_activation(const Config& options,
                                                             const OpContext& context,
                                                             CardQueue& queue) {
  return std::make_unique<CudaParametricActivation<real>>(options, context, queue);
}

HS_REGISTER_CUDA_LAYER(parametric_activation)

}  // namespace hs
