// Threads: every tile once, nested calls inline, exceptions out, barriers. HIDDENSTATE_THREADING
// chooses the back end.
#include "device/cpu/threads/parallel.h"

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>

#include "base/error.h"
#include "base/float_mode.h"
#include "base/limits.h"
#include "device/cpu/threads/chunks.h"
#include "device/cpu/threads/team.h"
#include "test/test.h"

#if defined(__linux__)
#include <dlfcn.h>
#include <pthread.h>

#include <cerrno>

namespace {
std::atomic<bool> refuses{false};  // as a system at its limit does
}

extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*start)(void*), void* argument) noexcept {
  static const auto real =
      reinterpret_cast<decltype(&pthread_create)>(dlsym(RTLD_NEXT, "pthread_create"));
  return refuses ? EAGAIN : real(thread, attributes, start, argument);
}
#endif

#if !defined(_WIN32)
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace hs {
namespace test {
namespace {

struct Threads {  // for one test
  explicit Threads(int n) : before(threads()) { set_threads(n); }
  ~Threads() { set_threads(before); }
  int before;
};

TEST(parallel_for_does_each_tile_once) {
  for (int n : {1, 2, 3, 8}) {
    Threads use(n);
    for (int64_t tiles : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> done(static_cast<size_t>(tiles));
      std::atomic<bool> good{true};
      parallel_for(tiles, [&](int64_t tile, int worker) {
        done[static_cast<size_t>(tile)]++;
        if (worker < 0 || worker >= n) good = false;
      });
      for (const auto& count : done) CHECK(count == 1);
      CHECK(good);
    }
  }
}

TEST(chunks_have_the_same_sum_for_any_number_of_threads) {
  const int64_t n = 5 * kChunk + 17;
  std::vector<double> sums;
  for (int workers : {1, 2, 3}) {
    Threads use(workers);
    std::vector<int> seen(static_cast<size_t>(n));
    for_elements(n, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) seen[static_cast<size_t>(i)]++;
    });
    CHECK(seen == std::vector<int>(static_cast<size_t>(n), 1));
    sums.push_back(sum_elements(n, [](int64_t begin, int64_t end) {
      double sum = 0;
      for (int64_t i = begin; i < end; i++) sum += 1.0 / double(3 * i + 1);
      return sum;
    }));
  }
  CHECK(sums[1] == sums[0] && sums[2] == sums[0]);
}

TEST(parallel_region_runs_all_at_once) {
  Threads use(3);
  std::vector<int> seen(3);
  for (int round = 0; round < 200; round++) {
    Barrier barrier(3);
    parallel_region(3, [&](int worker) {
      seen[static_cast<size_t>(worker)] = round;
      barrier.wait();  // would never return if they ran one after another
      for (int other : seen)
        if (other != round) std::abort();
      barrier.wait();
    });
  }
  CHECK_ERROR(parallel_region(4, [](int) {}), Code::kInternal, "workers must be from 1 to 3");
}

TEST(barrier_keeps_steps_apart) {  // more workers than processors too
  for (int n : {2, 5}) {
    Threads use(n);
    Barrier barrier(n);
    std::vector<int> step(static_cast<size_t>(n));
    std::atomic<int> apart{0};
    parallel_region(n, [&](int worker) {
      for (int t = 1; t <= 300; t++) {
        step[static_cast<size_t>(worker)] = t;
        barrier.wait();
        for (int other : step)
          if (other != t) apart++;
        barrier.wait();
      }
    });
    CHECK(apart == 0);
  }
}

TEST(nested_parallel_calls_run_inline) {
  Threads use(3);
  std::atomic<int> count{0};
  std::atomic<bool> good{true};
  parallel_for(6, [&](int64_t, int) {
    const auto self = std::this_thread::get_id();
    if (threads() != 1) good = false;
    parallel_for(5, [&](int64_t, int worker) {
      count++;
      if (worker != 0 || std::this_thread::get_id() != self) good = false;
    });
  });
  CHECK(count == 30);
  CHECK(good);
  CHECK(threads() == 3);
}

TEST(inline_scope_stays_on_its_thread) {
  Threads use(4);
  {
    Inline here;
    CHECK(threads() == 1);
    const auto self = std::this_thread::get_id();
    parallel_for(
        9, [&](int64_t, int worker) { CHECK(worker == 0 && std::this_thread::get_id() == self); });
  }
  CHECK(threads() == 4);
}

TEST(held_threads_do_not_change) {
  Threads use(2);
  HoldThreads hold;
  set_threads(4);
  CHECK(threads() == 2);
  int elsewhere = 0;
  std::thread([&] { elsewhere = threads(); }).join();
  CHECK(elsewhere == 4);
}

TEST(awake_threads_are_used_and_no_others) {
  Threads use(2);
  const auto here = [] {
    AwakeThreads awake;
    return threads();
  };
  using Clock = std::chrono::steady_clock;
  const auto soon = [](auto ask) {  // within 20 s, on a machine however busy
    const auto end = Clock::now() + std::chrono::seconds(20);
    while (!ask())
      if (Clock::now() > end) return false;
    return true;
  };
  if (std::string(threading()) != "team" || available_cpus() < 2) {
    for (int i = 0; i < 1000; i++) CHECK(here() == 1);
    return;
  }
  CHECK(soon([&] {  // who comes back at once finds them awake before long
    AwakeThreads awake;
    if (threads() < 2) return false;
    std::vector<std::atomic<int>> done(64);
    parallel_for(64, [&](int64_t tile, int) { done[size_t(tile)]++; });
    for (const auto& count : done) CHECK(count == 1);
    return true;
  }));
  CHECK(soon([&] {  // who comes seldom lets them sleep
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return here() == 1;
  }));
  HoldThreads hold;
  parallel_region(2, [](int) {});
  int others = 0;
  std::thread([&] { others = here(); }).join();
  CHECK(others == 1);
  CHECK(threads() == 2);
}

TEST(held_threads_are_nobody_elses) {
  Threads use(2);
  std::atomic<bool> began{false}, done{false};
  std::thread other;
  {
    HoldThreads hold;
    other = std::thread([&] {
      HoldThreads waits;
      began = true;
      parallel_region(2, [](int) {});
      done = true;
    });
    for (int i = 0; i < 10; i++) parallel_region(2, [](int) {});
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK(!began);
  }
  other.join();
  CHECK(done);
}

TEST(exceptions_travel_to_the_caller) {
  for (int n : {1, 3}) {
    Threads use(n);
    std::string message;
    try {
      parallel_for(50, [](int64_t tile, int) {
        if (tile == 20) throw std::runtime_error("tile 20");
      });
    } catch (const std::runtime_error& error) {
      message = error.what();
    }
    CHECK(message == "tile 20");
    std::atomic<int> after{0};
    parallel_for(50, [&](int64_t, int) { after++; });
    CHECK(after == 50);
  }
}

TEST(callers_on_several_threads) {  // each gets all its tiles
  Threads use(2);
  std::atomic<int> count{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 3; i++)
    callers.emplace_back([&] {
      for (int round = 0; round < 50; round++) parallel_for(8, [&](int64_t, int) { count++; });
    });
  for (std::thread& caller : callers) caller.join();
  CHECK(count == 3 * 50 * 8);
}

TEST(workers_take_the_callers_float_mode) {
  if (!FlushDenormals::supported) return;
  Threads use(3);
  const volatile double tiny = 1e-310;
  const auto survivors = [&] {
    std::atomic<int> alive{0};
    parallel_region(3, [&](int) { alive += tiny * 0.5 != 0; });
    return alive.load();
  };
  CHECK(survivors() == 3);
  {
    FlushDenormals flush;
    CHECK(survivors() == 0);
  }
  CHECK(survivors() == 3);
  CHECK(tiny * 0.5 != 0);
}

TEST(set_threads_refuses_nonsense) {
  const int before = threads();
  CHECK_ERROR(set_threads(0), Code::kOption, "threads must be a whole number from 1");
  CHECK_ERROR(set_threads(-3), Code::kOption, "got -3");
  CHECK(threads() == before);
}

#if !defined(_WIN32)
TEST(default_threads_reads_the_environment) {
  const char* old = std::getenv("HIDDENSTATE_THREADS");
  const std::string kept = old ? old : "";
  setenv("HIDDENSTATE_THREADS", "5", 1);
  CHECK(default_threads() == 5);
  for (const char* bad : {"0", "-1", "two", "3x", "1e9"}) {
    setenv("HIDDENSTATE_THREADS", bad, 1);
    CHECK_ERROR(default_threads(), Code::kOption, "HIDDENSTATE_THREADS");
  }
  unsetenv("HIDDENSTATE_THREADS");
  CHECK(default_threads() == available_cpus());
  if (old) setenv("HIDDENSTATE_THREADS", kept.c_str(), 1);
}

TEST(limits_of_a_container) {
  char folder[] = "/tmp/hiddenstate-cgroup-XXXXXX";
  if (!mkdtemp(folder)) std::abort();
  const std::string root = folder;
  const auto write = [&](const std::string& path, const std::string& text) {
    for (size_t at = 1; (at = path.find('/', at)) != std::string::npos; at++)
      mkdir((root + path.substr(0, at)).c_str(), 0700);
    std::ofstream(root + path) << text;
  };
  CHECK(quota_cpus("0::/\n", root) == 0);
  write("/pod/cpu.max", "max 100000\n");
  write("/pod/box/cpu.max", "150000 100000\n");
  CHECK(quota_cpus("0::/pod\n", root) == 0);         // "max": no quota
  CHECK(quota_cpus("0::/pod/box\n", root) == 2);     // 1.5 processors
  CHECK(quota_cpus("0::/pod/box/in\n", root) == 2);  // its parent's
  write("/pod/cpu.max", "50000 100000\n");
  CHECK(quota_cpus("0::/pod/box\n", root) == 1);  // the tighter one above
  write("/cpu,cpuacct/old/cpu.cfs_quota_us", "300000\n");
  write("/cpu,cpuacct/old/cpu.cfs_period_us", "100000\n");
  // v1; other controllers do not count
  CHECK(quota_cpus("4:cpu,cpuacct:/old\n3:memory:/pod\n", root) == 3);
  write("/cpu,cpuacct/old/cpu.cfs_quota_us", "-1\n");
  CHECK(quota_cpus("4:cpu,cpuacct:/old\n", root) == 0);
  CHECK(quota_cpus("nonsense\n::\n", root) == 0);
  write("/pod/memory.max", "max\n");
  write("/pod/box/memory.max", "536870912\n");
  CHECK(limit_bytes("0::/pod\n", root) == 0);
  CHECK(limit_bytes("0::/pod/box/in\n", root) == int64_t{512} << 20);
  write("/memory/old/memory.limit_in_bytes", "9223372036854771712\n");  // none
  CHECK(limit_bytes("3:memory:/old\n", root) == 0);
  write("/memory/memory.limit_in_bytes", "1048576\n");
  CHECK(limit_bytes("4:cpu,cpuacct:/old\n3:memory:/old\n", root) == 1 << 20);
  CHECK(std::system(("rm -r " + root).c_str()) == 0);
}
#endif

#if defined(__linux__)
TEST(threads_are_as_many_as_the_system_lets_us_start) {
  const int before = threads(), wanted = before + 700;
  set_threads(wanted);
  int n = 0;
  std::atomic<int64_t> sum{0};
  std::atomic<bool> refused{false};
  std::thread fresh([&] {  // a thread that has proven nothing yet
    while (!refused) std::this_thread::yield();
    const HoldThreads hold;
    n = threads();
    parallel_for(1000, [&](int64_t tile, int) { sum += tile; });
    parallel_region(n, [&](int) { sum++; });
  });
  refused = refuses = true;
  fresh.join();
  refuses = false;
  set_threads(before);
  CHECK(n >= 1 && n < wanted);
  CHECK(sum == 1000 * 999 / 2 + n);
}
#endif

TEST(startable_threads_counts) {
  CHECK(startable_threads(0) == 0);
  CHECK(startable_threads(3) == 3);
}

}  // namespace
}  // namespace test
}  // namespace hs
