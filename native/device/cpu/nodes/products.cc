// Nodes that multiply matrices.
#include <algorithm>

#include "device/cpu/nodes/run.h"
#include "device/cpu/ops/parts/matmul.h"

namespace hs {
namespace {

// y [M, N] = x [M, K] b, b [K, N], or [N, K] if transposed
struct Sizes {
  int64_t M, N, K;
};
Sizes sizes_of(const Node& node, const Dims& x, const Dims& b) {
  const int64_t K = x.back();
  return {K ? count(x) / K : 0, b[node.transposed ? 0 : 1], K};
}

template <typename real>
int64_t dot_temp(const Table<real>* k, const Node& node, const std::vector<Dims>& x, const Dims&) {
  const auto [M, N, K] = sizes_of(node, x[0], x[1]);
  return std::max({packed_size(k, K, N), packed_size(k, N, K), matmul_tn_scratch(k)});
}

template <typename real>
void dot(const Call<real>& c) {
  const auto [M, N, K] = sizes_of(c.node(), c.x_dims(0), c.x_dims(1));
  const real* packed = c.frame.packed[size_t(c.index)];
  if (!packed) {
    pack(c.k, c.temp, c.x(1), c.node().transposed ? K : N, c.node().transposed, K, N);
    packed = c.temp;
  }
  matmul(c.k, c.y(), N, c.x(0), K, packed, M, N, K, c.frame.accumulates[size_t(c.index)] != 0);
}

//   dx = dy b^T     db = x^T dy, or dy^T x where b is transposed
template <typename real>
void dot_back(const Call<real>& c, int i, real* dx, bool add) {
  const auto [M, N, K] = sizes_of(c.node(), c.x_dims(0), c.x_dims(1));
  const bool transposed = c.node().transposed;
  if (i == 0) {
    const real* packed = c.frame.packed_t[size_t(c.index)];
    if (!packed) {
      pack(c.k, c.temp, c.x(1), transposed ? K : N, !transposed, N, K);
      packed = c.temp;
    }
    matmul(c.k, dx, K, c.dy(), N, packed, M, K, N, add);
  } else if (transposed) {
    matmul_tn(c.k, dx, K, c.dy(), N, c.x(0), K, M, N, K, add, c.temp, c.stage.temp_size);
  } else {
    matmul_tn(c.k, dx, N, c.x(0), K, c.dy(), N, M, K, N, add, c.temp, c.stage.temp_size);
  }
}

// ---- stacks of matrices: [..., M, K] [..., K, N]

struct Stack {
  int64_t n, M, N, K;
};
Stack stack_of(const Node& node, const Dims& x, const Dims& b) {
  const size_t axes = x.size();
  int64_t n = 1;
  for (size_t i = 0; i + 2 < axes; i++) n *= x[i];
  return {n, x[axes - 2], b[axes - (node.transposed ? 2 : 1)], x[axes - 1]};
}

template <typename real>
int64_t batch_temp(const Table<real>* k, const Node& node, const std::vector<Dims>& x,
                   const Dims&) {
  const auto [n, M, N, K] = stack_of(node, x[0], x[1]);
  return std::max({packed_size(k, K, N), packed_size(k, N, K), matmul_tn_scratch(k)});
}

template <typename real>
void batch_dot(const Call<real>& c) {
  const auto [n, M, N, K] = stack_of(c.node(), c.x_dims(0), c.x_dims(1));
  const bool transposed = c.node().transposed;
  for (int64_t s = 0; s < n; s++) {
    pack(c.k, c.temp, c.x(1) + s * K * N, transposed ? K : N, transposed, K, N);
    matmul(c.k, c.y() + s * M * N, N, c.x(0) + s * M * K, K, c.temp, M, N, K, false);
  }
}
template <typename real>
void batch_dot_back(const Call<real>& c, int i, real* dx, bool add) {
  const auto [n, M, N, K] = stack_of(c.node(), c.x_dims(0), c.x_dims(1));
  const bool transposed = c.node().transposed;
  for (int64_t s = 0; s < n; s++) {
    const real *const x = c.x(0) + s * M * K, *const b = c.x(1) + s * K * N;
    const real* const dy = c.dy() + s * M * N;
    if (i == 0) {
      pack(c.k, c.temp, b, transposed ? K : N, !transposed, N, K);
      matmul(c.k, dx + s * M * K, K, dy, N, c.temp, M, K, N, add);
    } else if (transposed) {
      matmul_tn(c.k, dx + s * K * N, K, dy, N, x, K, M, N, K, add, c.temp, c.stage.temp_size);
    } else {
      matmul_tn(c.k, dx + s * K * N, N, x, K, dy, N, M, K, N, add, c.temp, c.stage.temp_size);
    }
  }
}

}  // namespace

template <typename real>
const Run<real>* product_runs() {
  static constexpr Run<real> runs[] = {
      {"dot", keeps_both, 0, true, dot, dot_back, dot_temp},
      {"batch_dot", keeps_both, 0, true, batch_dot, batch_dot_back, batch_temp},
      {nullptr, nullptr, 0, false, nullptr, nullptr, nullptr},
  };
  return runs;
}
template const Run<float>* product_runs<float>();
template const Run<double>* product_runs<double>();

}  // namespace hs
