// How nodes run on the CPU: loops over the threads (device/cpu/threads/chunks.h), or on one, inside
// a region.
#pragma once
#include <algorithm>

#include "device/cpu/kernels/table.h"
#include "device/cpu/rng.h"
#include "ops/tape.h"

namespace hs {

template <typename real>
using Stage = NodeStage<real, const Table<real>>;
template <typename real>
using Call = NodeCall<real, const Table<real>>;
template <typename real>
using Run = NodeRun<real, const Table<real>>;

template <typename real>
void copy_numbers(const Table<real>*, real* to, const real* from, int64_t n) {
  std::copy_n(from, n, to);
}

// The lists that find_run looks through; each ends with a name of nullptr.
template <typename real>
const Run<real>* elementwise_runs();
template <typename real>
const Run<real>* product_runs();
template <typename real>
const Run<real>* reduction_runs();
template <typename real>
const Run<real>* place_runs();  // indices, shapes, parts

}  // namespace hs
