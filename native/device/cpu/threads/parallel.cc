#include "device/cpu/threads/parallel.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <string>

#include "base/error.h"
#include "base/float_mode.h"
#include "base/limits.h"
#include "device/cpu/threads/team.h"

#if HS_HAVE_OPENMP
#include <omp.h>
#endif

namespace hs {
namespace {

constexpr int kMaxThreads = 1024;
std::atomic<int> chosen_threads{0};  // by set_threads; 0: default_threads()

thread_local int inside = 0;           // Inline scopes and regions that this thread is in
thread_local int held = 0;             // HoldThreads: 0, or what threads() was
thread_local int proven = 1;           // threads, this one included, that have been alive together
thread_local int limit = kMaxThreads;  // threads the system lets this one have

bool use_openmp() {
  static const bool openmp = [] {
    const char* wanted = std::getenv("HIDDENSTATE_THREADING");
    const bool any = !wanted || !*wanted;
#if HS_HAVE_OPENMP
    if (!any && std::strcmp(wanted, "openmp") == 0) return true;
    const char* names = "'openmp' or 'team'";
#else
    const char* names = "'team' (this build has no OpenMP)";
#endif
    if (any || std::strcmp(wanted, "team") == 0) return false;
    fail(Code::kOption, "HIDDENSTATE_THREADING", "threading", names,
         "'" + std::string(wanted) + "'");
  }();
  return openmp;
}

// No more threads than there are: the team's own, which stay. libgomp ends the process when it
// cannot start one, so as many are started and ended before it tries; that they can be had again a
// moment later is likely, not certain.
int provable(int n) {
  if (n > limit) n = limit;
  if (n > proven) {
    const int started = 1 + (use_openmp() ? startable_threads(n - 1) : team_threads(n - 1));
    if (started < n) limit = started;
    proven = started;
    n = std::min(n, started);
  }
  return n;
}

// One region: marks its workers, gives them the caller's floating-point mode, and carries the first
// exception out.
class Region {
 public:
  explicit Region(FunctionRef<void(int)> fn) : fn_(fn), mode_(float_mode()) {}
  void work(int worker) noexcept {
    const uint64_t before = float_mode();
    set_float_mode(mode_);
    inside++;
    try {
      fn_(worker);
    } catch (...) {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!first_) first_ = std::current_exception();
    }
    inside--;
    set_float_mode(before);
  }
  void finish() {
    if (first_) std::rethrow_exception(first_);
  }

 private:
  const FunctionRef<void(int)> fn_;
  const uint64_t mode_;
  std::mutex mutex_;
  std::exception_ptr first_;
};

#if HS_HAVE_OPENMP
// False, with nothing done, if OpenMP gives fewer threads than asked (OMP_THREAD_LIMIT).
bool openmp_region(int workers, Region& region) {
  thread_local const bool fixed = (omp_set_dynamic(0), true);
  (void)fixed;
  bool enough = true;
#pragma omp parallel num_threads(workers)
  {
    if (omp_get_num_threads() == workers) {
      region.work(omp_get_thread_num());
    } else if (omp_get_thread_num() == 0) {
      enough = false;
    }
  }
  return enough;
}
#endif

}  // namespace

int default_threads() {
  const char* text = std::getenv("HIDDENSTATE_THREADS");
  if (!text || !*text) return std::min(available_cpus(), kMaxThreads);
  char* end = nullptr;
  const long n = std::strtol(text, &end, 10);
  if (*end != '\0' || n < 1 || n > kMaxThreads) {
    fail(Code::kOption, "HIDDENSTATE_THREADS", "threads",
         "a whole number from 1 to " + std::to_string(kMaxThreads), "'" + std::string(text) + "'");
  }
  return static_cast<int>(n);
}

void set_threads(int n) {
  if (n < 1 || n > kMaxThreads) {
    fail(Code::kOption, "setThreads", "threads",
         "a whole number from 1 to " + std::to_string(kMaxThreads), std::to_string(n));
  }
  chosen_threads.store(n);
}

int threads_wanted() {
  const int n = chosen_threads.load();
  if (n > 0) return n;
  static const int otherwise = default_threads();
  return otherwise;
}

int threads() {
  if (inside > 0) return 1;
  if (held > 0) return held;
  return provable(threads_wanted());
}

const char* threading() { return use_openmp() ? "openmp" : "team"; }

Inline::Inline() { inside++; }
Inline::~Inline() { inside--; }

HoldThreads::HoldThreads() : before_(held) {
  const int n = before_ > 0 ? before_ : inside > 0 ? 0 : threads();
  claimed_ = claim_team();
  held = n;
}
HoldThreads::~HoldThreads() {
  held = before_;
  if (claimed_) release_team();
}

AwakeThreads::AwakeThreads() : claimed_(false) {
  const int n = use_openmp() ? 1 : threads();
  claimed_ = n > 1 && claim_awake_team(n);
  if (claimed_) {
    held = n;
  } else {
    inside++;
  }
}
AwakeThreads::~AwakeThreads() {
  if (claimed_) {
    held = 0;
    release_team();
  } else {
    inside--;
  }
}

void parallel_region(int workers, FunctionRef<void(int)> fn) {
  if (workers < 1 || workers > threads()) {
    fail(Code::kInternal, "parallel_region", "workers", "from 1 to " + std::to_string(threads()),
         std::to_string(workers));
  }
  Region region(fn);
  if (workers == 1) {
    region.work(0);
  } else {
    bool done = false;
#if HS_HAVE_OPENMP
    if (use_openmp()) done = openmp_region(workers, region);
#endif
    if (!done) {
      if (use_openmp()) team_threads(workers - 1);
      team_region(workers, [&region](int worker) { region.work(worker); });
    }
  }
  region.finish();
}

void parallel_for(int64_t tiles, FunctionRef<void(int64_t, int)> fn) {
  const int workers = static_cast<int>(std::min<int64_t>(threads(), tiles));
  if (workers <= 1) {
    for (int64_t tile = 0; tile < tiles; tile++) fn(tile, 0);
    return;
  }
  std::atomic<int64_t> next{0};
  parallel_region(workers, [&](int worker) {
    try {
      for (int64_t tile; (tile = next.fetch_add(1, std::memory_order_relaxed)) < tiles;)
        fn(tile, worker);
    } catch (...) {
      next.store(tiles);  // nobody begins another tile
      throw;
    }
  });
}

void Barrier::wait() {
  const uint32_t phase = phase_.value();
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == workers_) {
    arrived_.store(0, std::memory_order_relaxed);
    phase_.set(phase + 1);
  } else {
    phase_.wait_while(phase, spin_);
  }
}

Barrier::Barrier(int workers) : workers_(workers), spin_(workers <= available_cpus()) {}

}  // namespace hs
