// How much a run asks of a device.
#pragma once
#include <cstdint>

namespace hs {

struct Work {
  int64_t launches = 0;  // of kernels and products
  int64_t moves = 0;     // memory that is copied or made 0, on the device
  double flop = 0;       // of products
  double bytes = 0;      // of the device's memory that all of these read and write
};

}  // namespace hs
