// This machine's fp32 FMA peak, the yardstick of bench/command.mjs. Prints one JSON line per thread
// count asked for:
//   bench_peak 1 2   ->   {"isa":"avx512","threads":1,"gflops":118.0}
// Twelve independent accumulators hide the latency of an FMA (4-5 cycles on two ports) on every
// processor we know.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "device/cpu/threads/parallel.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace {

constexpr int kChains = 12;
constexpr long kSteps = 2000000;
volatile float sink;  // keeps the loops alive

#if defined(__x86_64__)
__attribute__((target("avx512f"))) double run_avx512() {
  __m512 a[kChains], x = _mm512_set1_ps(0.999999f), y = _mm512_set1_ps(1e-9f);
  for (int c = 0; c < kChains; c++) a[c] = _mm512_set1_ps(static_cast<float>(c));
  for (long k = 0; k < kSteps; k++) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; c++) a[c] = _mm512_fmadd_ps(a[c], x, y);
  }
  for (int c = 1; c < kChains; c++) a[0] = _mm512_add_ps(a[0], a[c]);
  sink = _mm512_cvtss_f32(a[0]);
  return 2.0 * 16 * kChains * kSteps;
}

__attribute__((target("avx2,fma"))) double run_avx2() {
  __m256 a[kChains], x = _mm256_set1_ps(0.999999f), y = _mm256_set1_ps(1e-9f);
  for (int c = 0; c < kChains; c++) a[c] = _mm256_set1_ps(static_cast<float>(c));
  for (long k = 0; k < kSteps; k++) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; c++) a[c] = _mm256_fmadd_ps(a[c], x, y);
  }
  for (int c = 1; c < kChains; c++) a[0] = _mm256_add_ps(a[0], a[c]);
  sink = _mm256_cvtss_f32(a[0]);
  return 2.0 * 8 * kChains * kSteps;
}

double run_base() {  // SSE2 has no FMA: a multiplication and an addition
  __m128 a[kChains], x = _mm_set1_ps(0.999999f), y = _mm_set1_ps(1e-9f);
  for (int c = 0; c < kChains; c++) a[c] = _mm_set1_ps(static_cast<float>(c));
  for (long k = 0; k < kSteps; k++) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; c++) a[c] = _mm_add_ps(_mm_mul_ps(a[c], x), y);
  }
  for (int c = 1; c < kChains; c++) a[0] = _mm_add_ps(a[0], a[c]);
  sink = _mm_cvtss_f32(a[0]);
  return 2.0 * 4 * kChains * kSteps;
}
#elif defined(__aarch64__)
double run_base() {
  float32x4_t a[kChains], x = vdupq_n_f32(0.999999f), y = vdupq_n_f32(1e-9f);
  for (int c = 0; c < kChains; c++) a[c] = vdupq_n_f32(static_cast<float>(c));
  for (long k = 0; k < kSteps; k++) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; c++) a[c] = vfmaq_f32(y, a[c], x);
  }
  for (int c = 1; c < kChains; c++) a[0] = vaddq_f32(a[0], a[c]);
  sink = vgetq_lane_f32(a[0], 0);
  return 2.0 * 4 * kChains * kSteps;
}
#endif

struct Loop {
  const char* isa;
  double (*run)();
};

Loop best_loop() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return {"avx512", run_avx512};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {"avx2", run_avx2};
  return {"sse", run_base};
#elif defined(__aarch64__)
  return {"neon", run_base};
#else
  return {"none", nullptr};
#endif
}

// Best of some rounds; all threads of a round start together and the slowest counts.
double gflops(double (*run)(), int threads, int rounds) {
  using Clock = std::chrono::steady_clock;
  double best = 0;
  for (int round = 0; round < rounds; round++) {
    hs::Barrier barrier(threads);
    std::vector<double> work(threads);
    std::vector<std::thread> team;
    Clock::time_point from, to;
    auto body = [&](int worker) {
      barrier.wait();
      if (worker == 0) from = Clock::now();
      work[worker] = run();
      barrier.wait();
      if (worker == 0) to = Clock::now();
    };
    for (int t = 1; t < threads; t++) team.emplace_back(body, t);
    body(0);
    for (auto& thread : team) thread.join();
    double total = 0;
    for (double w : work) total += w;
    const double rate = total / std::chrono::duration<double>(to - from).count() * 1e-9;
    if (rate > best) best = rate;
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  const Loop loop = best_loop();
  if (loop.run == nullptr) {
    std::fprintf(stderr, "bench_peak: no loop for this processor\n");
    return 1;
  }
  for (int i = 1; i < argc; i++) {
    const int threads = std::atoi(argv[i]);
    if (threads < 1) {
      std::fprintf(stderr, "bench_peak: thread count must be a number from 1, got %s\n", argv[i]);
      return 1;
    }
    std::printf("{\"isa\":\"%s\",\"threads\":%d,\"gflops\":%.1f}\n", loop.isa, threads,
                gflops(loop.run, threads, 20));
  }
  return 0;
}
