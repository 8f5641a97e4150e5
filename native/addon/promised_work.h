// Work of the engine thread that is no run of a plan, as a promise of JavaScript's.
#pragma once
#include <napi.h>

#include <atomic>
#include <memory>

namespace hs {

class SlicedWork {
 public:
  virtual ~SlicedWork() = default;
  // On the engine thread: some milliseconds of it. True: there is a result, or it is cancelled.
  virtual bool step(const std::atomic<bool>& cancelled) = 0;
  virtual Napi::Value result(Napi::Env env) = 0;  // on the JS thread, after the last step
};

// { done: the promise of the result, cancel: ends it early, with whatever result there is }. The
// same work may be submitted again when the promise is settled.
Napi::Object submit(Napi::Env env, std::shared_ptr<SlicedWork> work);

}  // namespace hs
