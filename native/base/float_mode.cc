#include "base/float_mode.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <xmmintrin.h>
#elif defined(_M_ARM64)
#include <intrin.h>
#endif

namespace hs {
namespace {

#if defined(__x86_64__) || defined(_M_X64)
constexpr uint64_t kFlush = 0x8040;  // FTZ: results, DAZ: operands
#elif defined(__aarch64__) || defined(_M_ARM64)
constexpr uint64_t kFlush = uint64_t{1} << 24;  // FZ
#else
constexpr uint64_t kFlush = 0;
#endif

}  // namespace

uint64_t float_mode() {
#if defined(__x86_64__) || defined(_M_X64)
  return _mm_getcsr();
#elif defined(__aarch64__)
  uint64_t mode;
  __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
#elif defined(_M_ARM64)
  return static_cast<uint64_t>(_ReadStatusReg(ARM64_FPCR));
#else
  return 0;
#endif
}

void set_float_mode(uint64_t mode) {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_setcsr(static_cast<unsigned>(mode));
#elif defined(__aarch64__)
  __asm__ volatile("msr fpcr, %0" : : "r"(mode));
#elif defined(_M_ARM64)
  _WriteStatusReg(ARM64_FPCR, static_cast<__int64>(mode));
#else
  (void)mode;
#endif
}

const bool FlushDenormals::supported = kFlush != 0;
FlushDenormals::FlushDenormals() : before_(float_mode()) { set_float_mode(before_ | kFlush); }
FlushDenormals::~FlushDenormals() { set_float_mode(before_); }

}  // namespace hs
