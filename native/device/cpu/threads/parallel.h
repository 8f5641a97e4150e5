// Threads: parallel.cc is the only file that may include omp.h. Two back ends: a std::thread team
// (default) and OpenMP (HIDDENSTATE_THREADING=openmp, where it was there to build with). An empty
// region costs 1.4 us with the team and 3.7 us with libgomp, whose spinning cannot follow the
// rhythm of batches (measured on a 2-core EPYC). Kernels never start threads; layers and the plan
// do, here.
#pragma once
#include <atomic>
#include <cstdint>

#include "base/function_ref.h"
#include "base/wait.h"

namespace hs {

int threads();  // workers a parallel call of this thread may use: 1 inside an Inline scope
// The configured number of threads, whether or not so many can be started; starts none.
int threads_wanted();
void set_threads(int n);  // ERR_OPTION below 1
int default_threads();    // HIDDENSTATE_THREADS, else min(affinity mask, cgroup v1/v2 quota)

// back end in use: "openmp" or "team". ERR_OPTION if HIDDENSTATE_THREADING names neither
const char* threading();

struct Inline {  // while alive, parallel calls of this thread run on this thread alone
  Inline();
  ~Inline();
  Inline(const Inline&) = delete;
  Inline& operator=(const Inline&) = delete;
};

// While alive, threads() of this thread stays what it is (set_threads waits for the next run), and
// other threads' parallel calls wait.
struct HoldThreads {
  HoldThreads();
  ~HoldThreads();
  HoldThreads(const HoldThreads&) = delete;
  HoldThreads& operator=(const HoldThreads&) = delete;

 private:
  int before_;
  bool claimed_;
};

// For calls of microseconds (predictOnBatchSync), which are shorter than waking a thread or waiting
// for another thread's region: HoldThreads where all threads are awake, else Inline.
struct AwakeThreads {
  AwakeThreads();
  ~AwakeThreads();
  AwakeThreads(const AwakeThreads&) = delete;
  AwakeThreads& operator=(const AwakeThreads&) = delete;

 private:
  bool claimed_;
};

// fn(tile, worker) for every tile in [0, tiles), each once, in no fixed order; returns when all are
// done. worker < threads(). A tile's work must not depend on which worker does it. Exceptions of fn
// are rethrown here (the first one).
void parallel_for(int64_t tiles, FunctionRef<void(int64_t tile, int worker)> fn);

// Sense-reversing barrier for workers inside one parallel_region: bounded spin, then sleep.
class Barrier {
 public:
  explicit Barrier(int workers);
  void wait();

 private:
  int workers_;
  bool spin_;  // not where there are more workers than processors: the others could not run
  std::atomic<int> arrived_{0};
  Signal phase_;
};

// fn(worker) on `workers` threads that are alive at the same time, so that they may use a
// Barrier(workers). workers <= threads(). The workers take over the caller's floating-point mode;
// parallel calls inside a region run inline, as worker 0. An exception of fn is rethrown here when
// all have returned: fn must not throw where others wait at a Barrier.
void parallel_region(int workers, FunctionRef<void(int worker)> fn);

}  // namespace hs
