// As device/cpu/ops/dot.cc: products of two inputs, sample by sample, and their
// cosines.
#include "ops/dot.h"

#include <algorithm>

#include "device/cuda/cuda.h"
#include "device/cuda/kernels/layer_args.h"
#include "device/cuda/queue_memory.h"

namespace hs {
namespace {

constexpr double kEpsilon = 1e-7;  // Keras' K.epsilon()

template <typename real>
class CudaDot final : public DotShape, public CudaLayer<real> {
 public:
  OpShape& shape() override { return *this; }
  CudaDot(const Config& options, const OpContext& context, CardQueue& queue)
      : DotShape(options, context), CudaLayer<real>(queue) {}

  void prepare(Declaration& d) override {
    dense_ = Places();
    for (int64_t f = 0; f < F1_; f++) dense_.row.push_back(f * F2_);
    for (int64_t f = 0; f < F2_; f++) dense_.column.push_back(f);
    dense_.sample = F1_ * F2_;
    output_ = Places();
    for (int64_t f = 0; f < F1_; f++) output_.row.push_back(y_.free[size_t(f * F2_)]);
    for (int64_t f = 0; f < F2_; f++) output_.column.push_back(y_.free[size_t(f)]);
    output_.sample = y_.sample;
    for (int i = 0; i < 2; i++) P_places_[i] = places_of(P_[i]), Q_places_[i] = places_of(Q_[i]);
    upload();
    if (!cosine_) return;
    for (int i = 0; i < 3 && !d.training(); i++)
      products_[i] = d.scratch(kNames[i], {B_, F1_, F2_});
    if (d.training()) dC_ = d.scratch("dC", {B_, F1_, F2_});
  }

  void forward(Pass<real>& p) override {
    if (!cosine_) return multiply(p, matrix(p.y, output_), 0, 1);
    multiply(p, matrix(p.at(products_[0]), dense_), 0, 1);
    multiply(p, matrix(p.at(products_[1]), dense_), 0, 0);
    multiply(p, matrix(p.at(products_[2]), dense_), 1, 1);
    this->q.launch("cosine", CosineArgs<real>{B_ * F1_ * F2_, F1_, F2_, matrix(p.y, output_),
                                              p.at(products_[0]), p.at(products_[1]),
                                              p.at(products_[2]), real(kEpsilon)});
  }

  void backward(Pass<real>& p) override {
    const SampleMatrix<const real> dy = matrix(p.dy, output_);
    if (!cosine_) {
      into_P(p, dy, 0, 1, false);
      into_Q(p, dy, 0, 1, false);
      return;
    }
    real *const dC = p.at(dC_), *const dG1 = p.at(products_[1]), *const dG2 = p.at(products_[2]);
    this->q.launch("cosine_slope",
                   CosineSlopeArgs<real>{B_ * F1_ * F2_, F1_, F2_, dy, dC, p.at(products_[0]), dG1,
                                         dG2, real(kEpsilon)});
    const auto dense = [&](const real* d) { return matrix(d, dense_); };
    into_P(p, dense(dC), 0, 1, false);  // writes all of dx_0, the others of it add
    into_Q(p, dense(dC), 0, 1, false);  // dx_1
    into_P(p, dense(dG1), 0, 0, true);
    into_Q(p, dense(dG1), 0, 0, true);
    into_P(p, dense(dG2), 1, 1, true);
    into_Q(p, dense(dG2), 1, 1, true);
  }

 private:
  // Where the elements of a matrix of a sample lie: the offsets of its rows and of its columns.
  struct Places {
    std::vector<int64_t> row, column;
    int64_t sample = 0;
    const int64_t *row_there = nullptr, *column_there = nullptr;  // the same on the card
  };

  static Places places_of(const Side& side) {  // [free, summed]
    Places places;
    places.row = side.free, places.sample = side.sample;
    for (int64_t k = 0; k < side.K; k++) places.column.push_back(k * side.step);
    return places;
  }

  void upload() {
    Places* const all[] = {&dense_,       &output_,      &P_places_[0],
                           &P_places_[1], &Q_places_[0], &Q_places_[1]};
    std::vector<int64_t> offsets;
    for (const Places* places : all) {
      offsets.insert(offsets.end(), places->row.begin(), places->row.end());
      offsets.insert(offsets.end(), places->column.begin(), places->column.end());
    }
    const int64_t n = static_cast<int64_t>(offsets.size());
    offsets_.reserve(std::max<int64_t>(n, 1));
    this->q.upload(offsets_.data(), offsets.data(), n * int64_t(sizeof(int64_t)));
    const int64_t* at = offsets_.data();
    for (Places* places : all) {
      places->row_there = at, at += places->row.size();
      places->column_there = at, at += places->column.size();
    }
  }

  template <typename number>
  static SampleMatrix<number> matrix(number* data, const Places& places) {
    return {data, places.sample, places.row_there, places.column_there};
  }
  template <typename number>
  static SampleMatrix<number> transposed(SampleMatrix<number> m) {
    return {m.data, m.sample, m.column, m.row};
  }

  // c [I, J] (+)= a [I, L] b^T, b [J, L], of every sample
  void product(SampleMatrix<real> c, SampleMatrix<const real> a, SampleMatrix<const real> b,
               int64_t I, int64_t J, int64_t L, bool adds) {
    this->q.launch("sample_product",
                   SampleProductArgs<real>{B_ * I * J, I, J, L, c, a, b, adds,
                                           this->q.template rounds_to_bfloat16<real>()});
  }

  // c [F1, F2] = P_i Q_j
  void multiply(const Pass<real>& p, SampleMatrix<real> c, int i, int j) {
    product(c, matrix(p.x[size_t(i)], P_places_[i]), matrix(p.x[size_t(j)], Q_places_[j]), F1_, F2_,
            K_, false);
  }

  // dx_i (+)= dc Q_j^T
  void into_P(const Pass<real>& p, SampleMatrix<const real> dc, int i, int j, bool adds) {
    real* const dx = p.dx[size_t(i)];
    if (!dx) return;
    const SampleMatrix<const real> Q = matrix(p.x[size_t(j)], Q_places_[j]);  // [F2, K]
    product(matrix(dx, P_places_[i]), dc, transposed(Q), F1_, K_, F2_, adds);
  }

  // dx_j (+)= P_i^T dc
  void into_Q(const Pass<real>& p, SampleMatrix<const real> dc, int i, int j, bool adds) {
    real* const dx = p.dx[size_t(j)];
    if (!dx) return;
    const SampleMatrix<const real> P = matrix(p.x[size_t(i)], P_places_[i]);  // [F1, K]
    product(matrix(dx, Q_places_[j]), transposed(dc), transposed(P), F2_, K_, F1_, adds);
  }

  Places dense_, output_, P_places_[2], Q_places_[2];
  QueueMemory memory_{this->q};
  Block<int64_t> offsets_{memory_};
  Tensor dC_;  // [B, F1, F2]
};

}  // namespace

template <typename real>
std::unique_ptr<Layer<real>> make_cuda_dot(const Config& options, const OpContext& context,
                                           CardQueue& queue) {
  return std::make_unique<CudaDot<real>>(options, context, queue);
}

HS_REGISTER_CUDA_LAYER(dot)

}  // namespace hs
