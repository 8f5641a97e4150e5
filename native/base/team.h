// The std::thread back end of parallel.h: threads that sleep between regions.
#pragma once
#include "base/function_ref.h"

namespace hs {

// fn(worker) for worker in [0, workers), all alive at the same time; the caller is worker 0. fn must not throw.
// One region at a time: a second caller waits. Throws Error(kInternal) if the threads cannot be started.
void team_region(int workers, FunctionRef<void(int worker)> fn);

// Starts `wanted` threads that are alive together, and ends them: how many the system let us start.
int startable_threads(int wanted);

}  // namespace hs
