// The floating-point mode of a thread. Compute threads flush denormal numbers to zero (they cost a hundred cycles each and
// mean nothing here); nobody else's mode is touched. parallel.h hands the caller's mode to its workers, so that it does not
// depend on the number of threads whether a number is flushed.
#pragma once
#include <cstdint>

#if defined(__x86_64__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

namespace hs {

inline uint64_t float_mode() {
#if defined(__x86_64__) || defined(_M_X64)
  return _mm_getcsr();
#elif defined(__aarch64__)
  uint64_t mode;
  __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
#else
  return 0;
#endif
}

inline void set_float_mode(uint64_t mode) {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_setcsr(static_cast<unsigned>(mode));
#elif defined(__aarch64__)
  __asm__ volatile("msr fpcr, %0" : : "r"(mode));
#else
  (void)mode;
#endif
}

// While alive, this thread (and the workers of its parallel calls) read and write denormals as zero.
struct FlushDenormals {
#if defined(__x86_64__) || defined(_M_X64)
  static constexpr uint64_t kFlush = 0x8040;  // FTZ | DAZ
#elif defined(__aarch64__)
  static constexpr uint64_t kFlush = 1u << 24;  // FZ
#else
  static constexpr uint64_t kFlush = 0;
#endif
  FlushDenormals() : before_(float_mode()) { set_float_mode(before_ | kFlush); }
  ~FlushDenormals() { set_float_mode(before_); }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  uint64_t before_;
};

}  // namespace hs
