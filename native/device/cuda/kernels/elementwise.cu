// What a step does between ops.
#include "device/cuda/kernels/card.h"

#include "device/cuda/kernels/args.h"

HS_KERNELS_BEGIN
namespace hs {
namespace HS_ISA {

template <class real>
static inline void fill(const FillArgs<real>& a, int64_t i) {
  a.y[i] = a.a;
}
HS_KERNEL(fill, FillArgs)

template <class real>
static inline void add(const AddArgs<real>& a, int64_t i) {
  a.y[i] += a.x[i];
}
HS_KERNEL(add, AddArgs)

template <class real>
static inline void gather_rows(const GatherArgs<real>& a, int64_t i) {
  const int64_t at = i / a.step, t = at / a.B, row = a.order[at % a.B];
  a.to[i] = a.from[(row * a.T + t) * a.step + i % a.step];
}
HS_KERNEL(gather_rows, GatherArgs)

template <class real>
static inline void commit(const CommitArgs<real>& a, int64_t i) {
  if (!a.finite || *a.finite != 0) a.to[i] = a.from[i];
}
HS_KERNEL(commit, CommitArgs)

template <class real>
static inline bool is_finite(real x) {
  return x - x == 0;
}

// All threads that write do so with the same number.
template <class real>
static inline void check(const CheckArgs<real>& a, int64_t i) {
  if (!is_finite(a.x[i])) *a.finite = 0;
}
HS_KERNEL(check, CheckArgs)

template <class real>
static inline void total(const TotalArgs<real>& a, int64_t) {
  *a.loss += *a.penalty + *a.activity;
  *a.finite = is_finite(*a.loss) ? 1 : 0;
}
HS_KERNEL(total, TotalArgs)

template <class real>
static inline void add_up(const AddUpArgs<real>& a, int64_t i) {
  double sum = a.adds ? a.sums[i] : 0;
  for (int64_t j = i; j < a.count; j += a.n) sum += a.parts[j];
  a.sums[i] = sum;
}
HS_KERNEL(add_up, AddUpArgs)

template <class real>
static inline void add_number(const AddNumberArgs<real>& a, int64_t) {
  *a.sum += double(*a.x);
}
HS_KERNEL(add_number, AddNumberArgs)

}  // namespace HS_ISA
}  // namespace hs
HS_KERNELS_END
