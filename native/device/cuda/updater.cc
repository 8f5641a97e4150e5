#include "device/cuda/updater.h"

#include <algorithm>

#include "device/cuda/refusals.h"

namespace hs {

template <typename real>
CudaUpdater<real>::CudaUpdater(const CudaOptimizer& optimizer, CardQueue& queue)
    : optimizer_(optimizer),
      queue_(queue),
      rule_(queue.place(static_cast<int64_t>(optimizer.rule_bytes))),
      update_("update_" + std::string(optimizer.name)) {}

template <typename real>
void CudaUpdater<real>::prepare(const std::vector<Param>& params, bool) {
  if (count_ > 0) return;
  std::vector<ParamChunk> chunks;
  for (const Param& p : params) {
    if (!p.trainable) continue;
    static_assert(kMostDims == 32, "as CardRefusal says");
    if (p.constraint.stride.size() > size_t(kMostDims))
      refuse(CardRefusal::kConstrained, p.path, std::to_string(p.constraint.stride.size()));
    for (int64_t begin = 0; begin < p.size; begin += kChunkElements)
      chunks.push_back({p.offset + begin, std::min(kChunkElements, p.size - begin)});
  }
  const int64_t n = static_cast<int64_t>(chunks.size());
  chunks_.reserve(std::max<int64_t>(n, 1));
  parts_.reserve(n + kSumThreads + 1);
  // Once a parameter has changed nothing may fail.
  for (const char* kernel : {update_.c_str(), "non_negative", "constrain", "commit"})
    queue_.find<real>(kernel);
  queue_.upload(chunks_.data(), chunks.data(), n * int64_t(sizeof(ParamChunk)));
  count_ = n;
}

template <typename real>
void CudaUpdater<real>::clip(const Weights<real>& w, const Clipping& clipping,
                             const double* finite) {
  if (clipping.norm <= 0 && clipping.value <= 0) return;
  double *const between = parts_.data() + count_, *const squares = between + kSumThreads;
  if (clipping.norm > 0) {
    queue_.launch("chunk_squares",
                  SquaresArgs<real>{count_, w.grads, chunks_.data(), parts_.data()});
    add_up<real>(queue_, squares, parts_.data(), count_, between, false);
  }
  queue_.launch("clip", ClipArgs<real>{count_ * kChunkElements, w.grads, chunks_.data(), squares,
                                       clipping.norm, clipping.value, finite});
}

template <typename real>
void CudaUpdater<real>::constrain(const Param& p, real* w, const double* finite) {
  const Constraint& c = p.constraint;
  if (c.kind == Constraint::Kind::kNone || p.size == 0) return;
  if (c.kind == Constraint::Kind::kNonNeg)
    return queue_.launch("non_negative", NonNegArgs<real>{p.size, w, finite});
  ConstrainArgs<real> a = {};
  a.n = c.groups, a.w = w, a.kind = static_cast<int>(c.kind);
  a.rank = static_cast<int>(p.dims.size());
  std::copy(p.dims.begin(), p.dims.end(), a.dims);
  std::copy(c.stride.begin(), c.stride.end(), a.stride);
  a.m = c.m, a.low = c.low, a.high = c.high, a.rate = c.rate, a.finite = finite;
  queue_.launch("constrain", a);
}

template <typename real>
void CudaUpdater<real>::apply(const std::vector<Param>& params, const Weights<real>& w,
                              const Hyper& hyper, const Clipping& clipping, const double* finite) {
  if (count_ == 0) return;  // none is trained
  queue_.tell(rule_, [&](void* rule) { optimizer_.make_rule(hyper, rule); });
  clip(w, clipping, finite);
  queue_.launch(update_.c_str(),
                UpdateArgs<real>{count_ * kChunkElements, w.values, w.grads, w.moments, w.stride,
                                 chunks_.data(), rule_, finite});
  for (const Param& p : params) {
    if (p.trainable) constrain(p, w.values + p.offset, finite);
  }
}

template <typename real>
std::unique_ptr<Updater<real>> make_cuda_updater(const std::string& name, CardQueue& queue) {
  const CudaOptimizer* const optimizer = cuda_optimizer<real>(name.c_str());
  if (!optimizer) return nullptr;
  return std::make_unique<CudaUpdater<real>>(*optimizer, queue);
}

#define HS_INSTANTIATE(real)        \
  template class CudaUpdater<real>; \
  template std::unique_ptr<Updater<real>> make_cuda_updater<real>(const std::string&, CardQueue&);
HS_INSTANTIATE(float)
HS_INSTANTIATE(double)
#undef HS_INSTANTIATE

}  // namespace hs
