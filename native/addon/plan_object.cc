#include "addon/plan_object.h"

#include <algorithm>

#include "addon/js_errors.h"
#include "addon/js_values.h"
#include "addon/promise_letter.h"
#include "addon/world_object.h"
#include "base/float_mode.h"
#include "device/cpu/threads/parallel.h"

namespace hs {
namespace {

// Marks the objects that this class has made; no other object in the process has the tag.
constexpr napi_type_tag kPlanTag = {0x6869646465e57a7eULL, 0x706c616e706c616eULL};

// Tells V8 how much native memory hangs on the object. Only while the engine does not work on the
// plan.
void report_memory(Napi::Env env, PlanState& state) {
  if (state.finalized || *state.pending > 0) return;
  const int64_t bytes = state.plan ? state.plan->bytes() : 0;
  if (bytes != state.reported)
    Napi::MemoryManagement::AdjustExternalMemory(env, bytes - state.reported);
  state.reported = bytes;
}

// One run on the engine thread: the job, the promise that waits for it, and the letter that tells
// the JS thread of its end.
class PromisedRun final : public RunJob, public PromiseLetter {
 public:
  PromisedRun(Napi::Env env, const Napi::Promise::Deferred& deferred,
              std::shared_ptr<PlanState> state, RunRequest request)
      : RunJob(state->plan, std::move(request)),
        PromiseLetter(env, deferred),
        state_(std::move(state)) {
    owner = mailbox();
  }

  void finished(std::exception_ptr error) noexcept override { send(std::move(error)); }

 private:
  void ended(Napi::Env env) override {
    --*state_->pending;
    auto& jobs = state_->jobs;
    jobs.erase(
        std::remove_if(jobs.begin(), jobs.end(),
                       [&](const auto& job) { return job.lock().get() == this || job.expired(); }),
        jobs.end());
    report_memory(env, *state_);
  }
  Napi::Value value(Napi::Env env) override { return to_js(env, result); }

  std::shared_ptr<PlanState> state_;
};

Napi::Object argument(const Napi::CallbackInfo& info, size_t i, const char* where) {
  if (i >= info.Length() || !info[i].IsObject())
    fail(Code::kOption, where, "its argument", "an object", "something else");
  return info[i].As<Napi::Object>();
}

std::string text_argument(const Napi::CallbackInfo& info, size_t i, const char* where) {
  if (i >= info.Length() || !info[i].IsString())
    fail(Code::kOption, where, "name", "text", "something else");
  return info[i].As<Napi::String>().Utf8Value();
}

RunRequest request_argument(const Napi::CallbackInfo& info) {
  const Napi::Object object = argument(info, 0, "run");
  RunRequest request = to_request(object);
  request.data = DataObject::unwrap(get(object, "data"));
  WorldObject::read_team(object, request);
  return request;
}

// A data set with the x of { x: [{ data, shape }, ...], ... }: an array for each input of the plan.
std::shared_ptr<DataSet> inputs_of(const Napi::Object& arrays, bool float64, const char* where) {
  const Napi::Value value = get(arrays, "x");
  const uint32_t n = value.IsArray() ? value.As<Napi::Array>().Length() : 0;
  if (n == 0) fail(Code::kOption, where, "x", "a list of arrays", "something else");
  auto data = std::make_shared<DataSet>();
  for (uint32_t i = 0; i < n; i++)
    data->x.push_back(
        to_array(get(value.As<Napi::Array>(), i), float64, "x[" + std::to_string(i) + "]"));
  data->samples = data->x[0].dims.empty() ? 0 : data->x[0].dims[0];
  return data;
}

}  // namespace

void PlanObject::define(Napi::Env env, Environment& environment) {
  environment.plan_class = Napi::Persistent(DefineClass(
      env, "NativePlan",
      {InstanceMethod<&PlanObject::load>("load"), InstanceMethod<&PlanObject::run>("run"),
       InstanceMethod<&PlanObject::predict>("predict"), InstanceMethod<&PlanObject::call>("call"),
       InstanceMethod<&PlanObject::work>("work"), InstanceMethod<&PlanObject::read>("read"),
       InstanceMethod<&PlanObject::write>("write"), InstanceMethod<&PlanObject::set>("set"),
       InstanceMethod<&PlanObject::reset_states>("resetStates"),
       InstanceMethod<&PlanObject::names>("names"), InstanceMethod<&PlanObject::cancel>("cancel"),
       InstanceMethod<&PlanObject::dispose>("dispose")}));
}

Napi::Object PlanObject::compile(Napi::Env env, const Config& spec, const Napi::Value& weights_of) {
  Environment& environment = Environment::of(env);
  auto state = std::make_shared<PlanState>();
  if (weights_of.IsUndefined()) {
    state->plan = hs::compile(spec);
  } else {
    bool ours = false;
    if (!weights_of.IsObject() ||
        napi_check_object_type_tag(env, weights_of, &kPlanTag, &ours) != napi_ok || !ours)
      fail(Code::kOption, "compile", "the plan with the weights", "a plan", "something else");
    const PlanObject& owner = *Unwrap(weights_of.As<Napi::Object>());
    state->plan = hs::compile(spec, owner.alive().get());
    state->pending = owner.state_->pending;
  }
  const Constructing given(environment, &state);
  const Napi::Object object = environment.plan_class.New({});
  if (napi_type_tag_object(env, object, &kPlanTag) != napi_ok) throw Napi::Error::New(env);
  report_memory(env, *state);
  return object;
}

PlanObject::PlanObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<PlanObject>(info) {
  void*& given = Environment::of(info.Env()).constructing;
  if (given) state_ = *static_cast<std::shared_ptr<PlanState>*>(given);
  given = nullptr;
}

void PlanObject::Finalize(Napi::Env env) {
  if (!state_) return;
  state_->finalized = true;
  if (state_->reported) Napi::MemoryManagement::AdjustExternalMemory(env, -state_->reported);
}

PlanState& PlanObject::state() const {
  if (!state_) throw Error(Code::kInternal, "NativePlan", "it is made by compile() alone.");
  return *state_;
}

std::shared_ptr<Plan> PlanObject::alive() const {
  if (!state().plan)
    throw Error(Code::kDisposed, "plan", "it has been disposed and can do nothing more.");
  return state_->plan;
}

std::shared_ptr<Plan> PlanObject::idle(const char* what) const {
  std::shared_ptr<Plan> plan = alive();
  if (*state_->pending > 0) Environment::of(Env()).mailbox->collect_unheard(Env());
  if (*state_->pending > 0)
    fail(Code::kBusy, "plan", std::string("for ") + what + " the model", "idle", "one that runs",
         "Await it first.");
  return plan;
}

Napi::Value PlanObject::load(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    const bool float64 = alive()->float64();
    const Napi::Object arrays = argument(info, 0, "load");
    const std::shared_ptr<DataSet> data = inputs_of(arrays, float64, "load");
    // A list with an array for each output; in `weights`, null stands for ones.
    const auto optional = [&](const char* key, std::vector<Array>& to) {
      const Napi::Value list = get(arrays, key);
      if (list.IsUndefined() || list.IsNull()) return;
      if (!list.IsArray()) fail(Code::kOption, "load", key, "a list of arrays", "something else");
      for (uint32_t i = 0; i < list.As<Napi::Array>().Length(); i++) {
        const Napi::Value value = get(list.As<Napi::Array>(), i);
        const std::string where = key + ("[" + std::to_string(i) + "]");
        const bool is_none = value.IsUndefined() || value.IsNull();
        to.push_back(is_none ? Array{} : to_array(value, float64, where));
        if (!is_none && to.back().dims.empty())
          fail(Code::kShape, where, "shape", "at least [N]", "[]");
      }
    };
    optional("y", data->y);
    optional("weights", data->weights);
    alive()->check(*data);
    return DataObject::create(info.Env(), data);
  });
}

Napi::Value PlanObject::run(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto deferred = Napi::Promise::Deferred::New(env);
  try {
    RunRequest request = request_argument(info);
    alive()->check(*request.data);
    const std::shared_ptr<Mailbox>& mailbox = Environment::of(env).mailbox;
    mailbox->collect_unheard(env);
    auto job = std::make_shared<PromisedRun>(env, deferred, state_, std::move(request));
    state_->jobs.push_back(job);
    Engine::get().submit(job);
    ++*state_->pending;
    mailbox->expect();
  } catch (...) {
    reject(env, deferred, std::current_exception());
  }
  return deferred.Promise();
}

// Runs the x of its argument as one batch, on this thread.
RunResult PlanObject::run_inline(const Napi::CallbackInfo& info, RunRequest request,
                                 const char* where) {
  request.data = inputs_of(argument(info, 0, where), alive()->float64(), where);
  request.batch_size = request.data->samples;
  const std::shared_ptr<Plan> plan = idle(where);
  plan->check(*request.data);
  const std::atomic<bool> never{false};
  RunResult result;
  {
    const AwakeThreads threads;
    const FlushDenormals flush;
    result = plan->run(request, never);
  }
  report_memory(info.Env(), *state_);
  return result;
}

Napi::Value PlanObject::predict(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    return to_js(info.Env(), run_inline(info, {}, "predict").outputs);
  });
}

Napi::Value PlanObject::call(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    RunRequest request;
    request.mode = Mode::kCall;
    request.training = flag(argument(info, 0, "call"), "training");
    return to_js(info.Env(), run_inline(info, std::move(request), "call"));
  });
}

Napi::Value PlanObject::work(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    const Work work = idle("work")->work(DataObject::unwrap(info[0]));
    report_memory(env, *state_);
    Napi::Object object = Napi::Object::New(env);
    object.Set("launches", Napi::Number::New(env, double(work.launches)));
    object.Set("moves", Napi::Number::New(env, double(work.moves)));
    object.Set("flop", Napi::Number::New(env, work.flop));
    object.Set("bytes", Napi::Number::New(env, work.bytes));
    return object;
  });
}

Napi::Value PlanObject::read(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    const std::string name = text_argument(info, 0, "read");
    return to_js(info.Env(), idle("read")->read(name));
  });
}

void PlanObject::write(const Napi::CallbackInfo& info) {
  guard(info.Env(), [&] {
    const std::string name = text_argument(info, 0, "write");
    const Napi::Object given = argument(info, 1, "write");
    const Napi::Value data = get(given, "data");
    const bool narrow =
        data.IsTypedArray() && data.As<Napi::TypedArray>().TypedArrayType() == napi_float32_array;
    const Array array = to_array(given, !narrow, name);  // counts are exact as doubles
    const bool is_part = info.Length() > 2 && info[2].IsNumber();
    const double from = is_part ? info[2].As<Napi::Number>().DoubleValue() : -1;
    if (is_part && !(from >= 0 && from <= double(int64_t{1} << 46)))
      fail(Code::kOption, "write", "from", "a whole number from 0", std::to_string(from));
    idle("write")->write(name, array, static_cast<int64_t>(from));
    report_memory(info.Env(), *state_);
  });
}

void PlanObject::set(const Napi::CallbackInfo& info) {
  guard(info.Env(), [&] {
    const std::string key = text_argument(info, 0, "set");
    if (info.Length() < 2 || !(info[1].IsNumber() || info[1].IsBoolean())) {
      fail(Code::kOption, "set", key, "a number", "something else");
    }
    const double value = info[1].ToNumber().DoubleValue();
    idle("set")->set(key, value);
  });
}

void PlanObject::reset_states(const Napi::CallbackInfo& info) {
  guard(info.Env(), [&] { idle("resetStates")->reset_states(); });
}

Napi::Value PlanObject::names(const Napi::CallbackInfo& info) {
  return guard(info.Env(),
               [&]() -> Napi::Value { return to_js(info.Env(), idle("names")->names()); });
}

void PlanObject::cancel(const Napi::CallbackInfo& info) {
  guard(info.Env(), [&] {
    for (const std::weak_ptr<Job>& job : state().jobs) {
      if (const std::shared_ptr<Job> alive = job.lock()) alive->cancelled = true;
    }
  });
}

void PlanObject::dispose(const Napi::CallbackInfo& info) {
  cancel(info);
  guard(info.Env(), [&] {
    PlanState& mine = state();
    mine.plan.reset();  // runs under way keep it until they end
    if (!mine.reported) return;
    Napi::MemoryManagement::AdjustExternalMemory(info.Env(), -mine.reported);
    mine.reported = 0;
  });
}

}  // namespace hs
