// An allocation that fails leaves the model as it was: each allocation of a training batch is
// refused once.
#include <atomic>
#include <cstdlib>
#include <new>
#include <thread>

#include "device/cpu/threads/parallel.h"
#include "engine/engine.h"
#include "test/plan_spec.h"
#include "test/test.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored \
    "-Wmismatched-new-delete"  // inlined, free() no longer looks like the delete it is
#endif

#if !defined(_WIN32)  // there memory with an alignment has a free of its own

namespace {
std::atomic<long> left{-1};  // allocations until one is refused; below 0: none is
bool refused() { return left.load() >= 0 && left.fetch_sub(1) == 0; }
void* aligned(std::size_t n, std::align_val_t alignment) {
  const std::size_t a = static_cast<std::size_t>(alignment);
  return std::aligned_alloc(a, (n + a - 1) / a * a);
}
}  // namespace

void* operator new(std::size_t n) {
  void* memory = refused() ? nullptr : std::malloc(n > 0 ? n : 1);
  if (!memory) throw std::bad_alloc();
  return memory;
}
void* operator new(std::size_t n, std::align_val_t alignment) {
  void* memory = refused() ? nullptr : aligned(n, alignment);
  if (!memory) throw std::bad_alloc();
  return memory;
}
void* operator new(std::size_t n, const std::nothrow_t&) noexcept {
  return refused() ? nullptr : std::malloc(n > 0 ? n : 1);
}
void* operator new(std::size_t n, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return refused() ? nullptr : aligned(n, alignment);
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

namespace hs {
namespace test {
namespace {

// How many allocations a first training batch makes, each of which has been refused once.
int refuse_each(int workers) {
  const int before = threads();
  set_threads(workers);
  Config wide = dense("d", "input", 40, 900, "linear");  // three chunks of parameters
  wide.tree["params"].list[0].tree["constraint"] =
      tree({{"name", text("maxnorm")}, {"m", number(0.5)}});
  Config spec = model({40}, {wide, dense("e", "d", 900, 3, "linear")}, "e");
  spec.tree["optimizer"] =
      tree({{"name", text("adam")}, {"lr", number(0.1)}, {"clipnorm", number(0.1)}});
  const auto set = data(array({8, 40}, noise(320, 1)), array({8, 3}, noise(24, 2)));
  run(*compile(spec), Mode::kTrain, set);  // threads are alive
  int n = 0;
  for (;; n++) {
    const auto plan = compile(spec);
    fill(*plan);
    const std::vector<double> W = plan->read("d/W").f64, E = plan->read("e/W").f64;
    bool thrown = false;
    left = n;
    try {
      run(*plan, Mode::kTrain, set);
    } catch (const std::bad_alloc&) {
      thrown = true;
    }
    const bool unused = left.exchange(-1) >= 0;
    if (!thrown) {
      CHECK(unused);
      break;
    }
    const std::string which = "at allocation " + std::to_string(n);
    CHECK_MESSAGE(plan->read("d/W").f64 == W && plan->read("e/W").f64 == E, which);
    CHECK_MESSAGE(plan->read("optimizer/iterations").f64[0] == 0, which);
    run(*plan, Mode::kTrain, set);  // and goes on
    CHECK_MESSAGE(plan->read("optimizer/iterations").f64[0] == 1, which);
  }
  set_threads(before);
  return n;
}

}  // namespace

TEST(engine_needs_no_memory_for_the_turns_of_a_job) {
  struct Sliced : Job {
    bool step() override {
      left = 0;  // whatever is allocated from here on is refused, and ends the engine thread
      return ++slices == 2000;
    }
    void finished(std::exception_ptr) noexcept override {
      unused = left.exchange(-1) == 0;
      done = true;
    }
    int slices = 0;
    bool unused = false;
    std::atomic<bool> done{false};
  };
  auto job = std::make_shared<Sliced>();
  Engine::get().submit(job);
  while (!job->done) std::this_thread::yield();
  CHECK(job->slices == 2000 && job->unused);
}

TEST(plan_stays_as_it_was_when_an_allocation_fails) {
  CHECK(refuse_each(1) > 20);
  CHECK(refuse_each(2) > 20);
}

}  // namespace test
}  // namespace hs

#endif
