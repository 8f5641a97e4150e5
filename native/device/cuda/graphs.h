// Steps as CUDA graphs (decision 0043): work that is asked for again and again is recorded the
// third time, and from then on launched at once. HIDDENSTATE_CUDA_GRAPHS=0: never.
#pragma once
#include <cstdint>
#include <vector>

#include "base/function_ref.h"
#include "device/cuda/card.h"

namespace hs {

class CardGraphs {
 public:
  explicit CardGraphs(const Card& card);
  ~CardGraphs() { drop(); }
  CardGraphs(const CardGraphs&) = delete;
  CardGraphs& operator=(const CardGraphs&) = delete;
  void use(void* stream) { stream_ = stream; }

  // run() asks for work in the stream; begin() comes before the work, and may ask for some itself.
  // While `alike` is the same, run() asks for the same.
  void repeated(const std::vector<int64_t>& alike, FunctionRef<void()> run,
                FunctionRef<void()> begin);

  // --- for the queue: what becomes of a call. Work is left out while run() is called for what it
  // does on the host.
  bool leaves_out() { return calls_++, way_ == Way::kLaunched; }  // asked at each of them
  bool records() const { return way_ == Way::kRecorded; }
  // Which run() is under way; 0: none.
  int64_t turn() const { return way_ == Way::kOutside ? 0 : turn_; }
  // Calls that a graph cannot hold: whoever waits for the card, or needs memory.
  void needs_host();
  // Memory that graphs have the address of is gone.
  void drop() noexcept;

 private:
  enum class Way { kOutside, kDone, kRecorded, kLaunched };
  struct NeedsHost {};
  struct Step {
    std::vector<int64_t> alike;
    int runs = 0, refusals = 0;  // without a graph; those that needed the host
    void* graph = nullptr;
    int64_t used = 0;  // the turn
  };

  Step& step_of(const std::vector<int64_t>& alike);
  void enter(Way way, FunctionRef<void()> run);
  void do_it(Step& step, FunctionRef<void()> run);
  void record(Step& step, FunctionRef<void()> run);
  bool launch(Step& step, FunctionRef<void()> begin);
  void end(Step& step) noexcept;
  void give_up() noexcept;

  const CudaDriver& driver_;
  bool on_;
  void* stream_ = nullptr;
  Way way_ = Way::kOutside;
  bool needed_host_ = false;  // in the run() under way
  int64_t calls_ = 0;         // of the queue, in this run()
  int64_t turn_ = 0;          // of run()
  std::vector<Step> steps_;
};

}  // namespace hs
