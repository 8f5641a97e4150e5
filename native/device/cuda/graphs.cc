#include "device/cuda/graphs.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/error.h"

namespace hs {
namespace {

constexpr int kWarmUps = 2;        // what allocates and finds kernels does so in these
constexpr size_t kMostSteps = 32;  // a batch of evaluate or predict has two
// CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: other threads may allocate meanwhile.
constexpr int kThreadLocal = 1;

bool wanted() {
  const char* const value = std::getenv("HIDDENSTATE_CUDA_GRAPHS");
  return !value || std::strcmp(value, "0") != 0;
}

}  // namespace

CardGraphs::CardGraphs(const Card& card)
    : driver_(card.driver), on_(card.driver.graphs && wanted()) {
  steps_.reserve(kMostSteps);  // references to them hold
}

void CardGraphs::needs_host() {
  needed_host_ = true;
  if (way_ == Way::kRecorded || way_ == Way::kLaunched) throw NeedsHost{};
}

void CardGraphs::repeated(const std::vector<int64_t>& alike, FunctionRef<void()> run,
                          FunctionRef<void()> begin) {
  if (!on_) return enter(Way::kDone, run);
  Step& step = step_of(alike);
  step.used = turn_;
  if (step.graph) {
    try {
      enter(Way::kLaunched, run);
    } catch (const NeedsHost&) {
      step.refusals = kWarmUps;
      end(step);
    }
  } else if (step.runs >= kWarmUps && step.refusals < kWarmUps) {
    record(step, run);
  }
  if (!step.graph || !launch(step, begin)) do_it(step, run);
}

void CardGraphs::enter(Way way, FunctionRef<void()> run) {
  struct Inside {
    Way& way;
    ~Inside() { way = Way::kOutside; }
  } inside{way_ = way};
  turn_++, needed_host_ = false, calls_ = 0;
  run();
}

// Without a graph. Who needs the host twice in a row does so always; so does who asks for nothing.
void CardGraphs::do_it(Step& step, FunctionRef<void()> run) {
  enter(Way::kDone, run);
  step.runs++;
  step.refusals = calls_ == 0 ? kWarmUps : needed_host_ ? step.refusals + 1 : 0;
}

// Where the step has no graph after it, nothing has been done.
void CardGraphs::record(Step& step, FunctionRef<void()> run) {
  if (driver_.cuStreamBeginCapture_v2(stream_, kThreadLocal) != 0) return give_up();
  void* graph = nullptr;
  bool all = false, refused = false;
  const auto stop = [&] {
    if (driver_.cuStreamEndCapture(stream_, &graph) != 0) all = false;
  };
  try {
    enter(Way::kRecorded, run);
    all = true;
  } catch (const NeedsHost&) {
    refused = true;
  } catch (const Error& error) {
    if (error.code != Code::kDevice && error.code != Code::kOutOfMemory) {
      stop();
      if (graph) driver_.cuGraphDestroy(graph);
      throw;
    }
  } catch (...) {
    stop();
    if (graph) driver_.cuGraphDestroy(graph);
    throw;
  }
  stop();
  if (all && driver_.cuGraphInstantiateWithFlags(&step.graph, graph, 0) != 0) step.graph = nullptr;
  if (graph) driver_.cuGraphDestroy(graph);
  if (refused) step.refusals = kWarmUps;
  if (!step.graph && !refused) give_up();
}

bool CardGraphs::launch(Step& step, FunctionRef<void()> begin) {
  begin();
  if (driver_.cuGraphLaunch(step.graph, stream_) == 0) return true;
  give_up();
  return false;
}

// The step of that name, or a new one: in the place of the one that was asked for longest ago.
CardGraphs::Step& CardGraphs::step_of(const std::vector<int64_t>& alike) {
  for (Step& step : steps_) {
    if (step.alike == alike) return step;
  }
  if (steps_.size() < kMostSteps) {
    steps_.push_back({});
    steps_.back().alike = alike;
    return steps_.back();
  }
  Step& oldest = *std::min_element(steps_.begin(), steps_.end(),
                                   [](const Step& a, const Step& b) { return a.used < b.used; });
  end(oldest);
  oldest = {};
  oldest.alike = alike;
  return oldest;
}

void CardGraphs::end(Step& step) noexcept {
  if (!step.graph) return;
  driver_.cuStreamSynchronize(stream_);  // it may be under way
  driver_.cuGraphExecDestroy(step.graph);
  step.graph = nullptr;
}

void CardGraphs::drop() noexcept {
  for (Step& step : steps_) {
    end(step);
    step.runs = step.refusals = 0;
  }
}

void CardGraphs::give_up() noexcept {
  drop();
  on_ = false;
}

}  // namespace hs
