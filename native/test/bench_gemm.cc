// Speed of the products at recurrent shapes against this machine's own multiply-add peak, one
// thread.
//   bench_gemm [instruction set] [f64]
//     prints GFLOP/s (best of interleaved rounds) and the share of the peak
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "device/cpu/kernels/table.h"
#include "test/compare.h"

namespace hs {
namespace test {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Zeros or numbers that begin at a cache line, as in the plan's arenas.
template <typename real>
std::shared_ptr<real> aligned(size_t n, uint32_t seed = 0) {
  constexpr std::align_val_t line{64};
  std::shared_ptr<real> p(static_cast<real*>(::operator new((n + 1) * sizeof(real), line)),
                          [](real* q) { ::operator delete(q, line); });
  const std::vector<real> values =
      seed ? numbers<real>(static_cast<int64_t>(n), seed) : std::vector<real>(n);
  std::copy(values.begin(), values.end(), p.get());
  return p;
}

struct Bench {
  std::string name;
  double flops;
  std::function<void()> run;
  double best = 1e30;
};

// Nothing but register tiles on operands that lie in L1: the peak as this compiler's own code
// reaches it.
template <typename real>
Bench peak(const Table<real>& k) {
  const int64_t M = k.gemm_mr, N = k.gemm_nr, K = 128;
  auto a = aligned<real>(M * K, 1), c = aligned<real>(M * N),
       packed = aligned<real>(k.packed_size(K, N));
  return {"tile in L1", 2.0 * M * N * K * 300, [=, &k] {
            for (int i = 0; i < 300; i++)
              k.gemm(c.get(), N, a.get(), K, packed.get(), M, N, K, 0, N, true, nullptr);
          }};
}

template <typename real>
Bench product(const Table<real>& k, const std::string& name, int64_t M, int64_t N, int64_t K,
              bool tn) {
  auto a = aligned<real>(M * K, 1), b = aligned<real>(K * N, 2), c = aligned<real>(M * N),
       packed = aligned<real>(k.packed_size(K, N)), scratch = aligned<real>(k.gemm_tn_scratch);
  k.pack(packed.get(), b.get(), N, false, K, N, 0, N);
  const int repeats = std::max(1, static_cast<int>(2e8 / (2.0 * M * N * K)));
  return {name, 2.0 * M * N * K * repeats, [=, &k] {
            for (int i = 0; i < repeats; i++) {
              if (tn) {
                k.gemm_tn(c.get(), N, a.get(), M, b.get(), N, K, 0, M, 0, N, false, nullptr,
                          scratch.get());
              } else {
                k.gemm(c.get(), N, a.get(), K, packed.get(), M, N, K, 0, N, true, nullptr);
              }
            }
          }};
}

template <typename real>
void run(const char* isa) {
  const Table<real>& k = isa ? kernels_for<real>(isa) : kernels<real>();
  std::vector<Bench> all = {
      peak(k),
      product(k, "U H128 B32", 32, 512, 128, false),
      product(k, "U H512 B32", 32, 2048, 512, false),
      product(k, "U H512 B64", 64, 2048, 512, false),
      product(k, "U H1024 B64", 64, 4096, 1024, false),
      product(k, "U H128 B1", 1, 512, 128, false),
      product(k, "U H256 B1", 1, 1024, 256, false),
      product(k, "U H1024 B1", 1, 4096, 1024, false),
      product(k, "W 3200x512x128", 3200, 512, 128, false),
      product(k, "W 2560x2048x64", 2560, 2048, 64, false),
      product(k, "square 1024", 1024, 1024, 1024, false),
      product(k, "dU^T B64 512x2048", 64, 512, 2048, false),
      product(k, "dW 128x512 of 3200", 128, 512, 3200, true),
      product(k, "dW 512x2048 of 2560", 512, 2048, 2560, true),
      product(k, "dW 1x96 of 1600", 1, 96, 1600, true),
  };
  for (int round = 0; round < 12; round++)
    for (Bench& b : all) {
      b.run();  // its data come into the caches
      const double start = now();
      b.run();
      b.best = std::min(b.best, now() - start);
    }
  const double most = all[0].flops / all[0].best;
  for (const Bench& b : all)
    std::printf("%-7s %-20s %7.1f GFLOP/s %5.1f %%\n", k.isa, b.name.c_str(),
                b.flops / b.best * 1e-9, 100 * b.flops / b.best / most);
}

}  // namespace
}  // namespace test
}  // namespace hs

int main(int argc, char** argv) {
  const char* isa = argc > 1 ? argv[1] : nullptr;
  argc > 2 && std::string(argv[2]) == "f64" ? hs::test::run<double>(isa)
                                            : hs::test::run<float>(isa);
}
