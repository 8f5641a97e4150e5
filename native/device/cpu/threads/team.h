// The std::thread back end of parallel.h: threads that sleep between regions.
#pragma once
#include "base/function_ref.h"

namespace hs {

// fn(worker) for worker in [0, workers), all alive at the same time; the caller is worker 0.
// workers >= 2; fn must not throw. One region at a time: a second caller waits. Throws
// Error(kInternal) for more workers than team_threads() has found.
void team_region(int workers, FunctionRef<void(int worker)> fn);

// Has `wanted` threads beside the caller alive in the team, or as many as the system lets us start:
// how many of them.
int team_threads(int wanted);

// Until release_team() by the same thread only its regions run. True: this call has claimed it;
// false: this thread had already.
bool claim_team();
// The same without a wait: false, with nothing claimed, if another thread has the team or one of
// the threads that `workers` need is asleep. If a caller asks again within microseconds, sleepers
// are woken for its next call.
bool claim_awake_team(int workers);
void release_team();

// Starts `wanted` threads that are alive together, and ends them: how many the system let us start.
int startable_threads(int wanted);

}  // namespace hs
