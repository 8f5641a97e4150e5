// The JS classes Plan and Data. They unwrap, guard (busy, disposed), call, wrap; nothing else.
#pragma once
#include <napi.h>

#include <memory>

#include "addon/environment.h"
#include "engine/engine.h"
#include "plan/plan.h"

namespace hs {

// A data set in native memory (NativeData of lib/native.ts).
class DataObject : public Napi::ObjectWrap<DataObject> {
 public:
  static void define(Napi::Env env, Environment& environment);
  static Napi::Object create(Napi::Env env, std::shared_ptr<const DataSet> data);
  static std::shared_ptr<const DataSet> unwrap(const Napi::Value& value);  // Throws Error(kOption).

  // Does not throw once the object is wrapped: see PlanObject.
  explicit DataObject(const Napi::CallbackInfo& info);
  void Finalize(Napi::Env env) override;

 private:
  Napi::Value samples(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);
  int64_t samples_ = 0;
  std::shared_ptr<const DataSet> data_;  // null: disposed
  int64_t reported_ = 0;                 // bytes that V8 has been told of
};

// What a Plan object and its jobs share. JS thread only, but for `plan`, which belongs to the
// engine thread while *pending > 0.
struct PlanState {
  std::shared_ptr<Plan> plan;  // null: disposed
  std::vector<std::weak_ptr<Job>> jobs;
  // Runs under way or queued, of this plan and of those that have the same parameters.
  std::shared_ptr<int> pending = std::make_shared<int>(0);
  int64_t reported = 0;    // bytes that V8 has been told of
  bool finalized = false;  // the JS object is gone
};

// NativePlan of lib/native.ts.
class PlanObject : public Napi::ObjectWrap<PlanObject> {
 public:
  static void define(Napi::Env env, Environment& environment);
  // weights_of: the Plan object whose parameters it has; undefined: its own.
  static Napi::Object compile(Napi::Env env, const Config& spec, const Napi::Value& weights_of);

  // Does not throw once the object is wrapped: where JavaScript is being terminated, the wrap of a
  // failed constructor cannot be removed, and its finalizer would find no object.
  explicit PlanObject(const Napi::CallbackInfo& info);
  void Finalize(Napi::Env env) override;

 private:
  Napi::Value load(const Napi::CallbackInfo& info);
  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value predict(const Napi::CallbackInfo& info);
  Napi::Value call(const Napi::CallbackInfo& info);
  RunResult run_inline(const Napi::CallbackInfo& info, RunRequest request, const char* where);
  Napi::Value work(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  void write(const Napi::CallbackInfo& info);
  void set(const Napi::CallbackInfo& info);
  void reset_states(const Napi::CallbackInfo& info);
  Napi::Value names(const Napi::CallbackInfo& info);
  void cancel(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);

  PlanState& state() const;  // Throws Error(kInternal) for what compile() has not made.
  // To be called after all arguments have been converted, since their getters may dispose of the
  // plan, or run it. The pointer keeps the plan for the call.
  std::shared_ptr<Plan> alive() const;                 // Throws Error(kDisposed).
  std::shared_ptr<Plan> idle(const char* what) const;  // Throws Error(kDisposed, kBusy).

  std::shared_ptr<PlanState> state_;
};

}  // namespace hs
