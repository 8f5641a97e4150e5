// The floating-point mode of a thread. Compute threads flush denormal numbers to zero (they cost a
// hundred cycles each and mean nothing here); the JS thread's mode is never left changed.
// parallel.h hands the caller's mode to its workers, so that it does not depend on the number of
// threads whether a number is flushed.
#pragma once
#include <cstdint>

namespace hs {

uint64_t float_mode();  // of this thread: MXCSR or FPCR; 0 where there is neither
void set_float_mode(uint64_t mode);

// While alive, this thread (and the workers of its parallel calls) read and write denormals as
// zero.
class FlushDenormals {
 public:
  static const bool supported;
  FlushDenormals();
  ~FlushDenormals();  // restores what was there
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  uint64_t before_ = 0;
};

}  // namespace hs
