// Exports of the addon: `Native` of lib/native.ts.
#include <napi.h>

#include <memory>
#include <optional>

#include "addon/ctc_work.h"
#include "addon/environment.h"
#include "addon/js_config.h"
#include "addon/js_errors.h"
#include "addon/js_values.h"
#include "addon/pin.h"
#include "addon/plan_object.h"
#include "addon/world_object.h"
#include "device/cpu/kernels/table.h"
#include "device/cpu/orthonormal.h"
#include "device/cpu/registry.h"
#include "device/cpu/threads/parallel.h"
#if HS_WITH_CUDA
#include "device/cuda/card.h"
#endif

#ifndef NODE_ADDON_API_CPP_EXCEPTIONS_ALL
#error "without NODE_ADDON_API_CPP_EXCEPTIONS_ALL a std::bad_alloc in a callback ends the process"
#endif
#ifndef HS_VERSION
#error "HS_VERSION comes from CMakeLists.txt, which reads package.json"
#endif

namespace hs {
namespace {

Napi::Value describe(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    const Registry registry = hs::registry();
    Napi::Array cells = Napi::Array::New(env);
    for (const CellEntry& cell : registry.cells) {
      Napi::Object entry = Napi::Object::New(env);
      entry.Set("name", Napi::String::New(env, cell.name));
      entry.Set("gates", Napi::String::New(env, cell.gates));
      entry.Set("states", to_js(env, cell.states));
      cells.Set(cells.Length(), entry);
    }
    Napi::Array optimizers = Napi::Array::New(env);
    for (const OptimizerEntry& optimizer : registry.optimizers) {
      Napi::Object entry = Napi::Object::New(env);
      entry.Set("name", Napi::String::New(env, optimizer.name));
      entry.Set("moments", Napi::Number::New(env, optimizer.moments));
      entry.Set("savesIterations", Napi::Boolean::New(env, optimizer.saves_iterations));
      optimizers.Set(optimizers.Length(), entry);
    }
    Napi::Object all = Napi::Object::New(env);
    all.Set("layers", to_js(env, registry.layers));
    all.Set("cells", cells);
    all.Set("optimizers", optimizers);
    all.Set("objectives", to_js(env, registry.objectives));
    all.Set("metrics", to_js(env, registry.metrics));
    all.Set("activations", to_js(env, registry.activations));
    all.Set("constraints", to_js(env, registry.constraints));
    return all;
  });
}

Napi::Value compile_spec(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    if (info.Length() < 1 || !info[0].IsObject())
      fail(Code::kOption, "compile", "spec", "an object", "something else");
    return PlanObject::compile(info.Env(), to_config(info[0]), info[1]);
  });
}

void set_thread_count(const Napi::CallbackInfo& info) {
  guard(info.Env(), [&] {
    const double n =
        info.Length() > 0 && info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : 0;
    if (!(n >= 1 && n <= 4096) || n != static_cast<int>(n)) {
      const std::string got = info.Length() > 0 ? info[0].ToString().Utf8Value() : "nothing";
      fail(Code::kOption, "setThreads", "threads", "a whole number from 1", got);
    }
    set_threads(static_cast<int>(n));
  });
}

Napi::Value info_object(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    Napi::Object object = Napi::Object::New(env);
    object.Set("version", Napi::String::New(env, HS_VERSION));
    object.Set("isa", Napi::String::New(env, kernels<float>().isa));
    std::vector<std::string> isas;
    for (const char* const* isa = available_isas(); *isa; isa++) isas.push_back(*isa);
    object.Set("isas", to_js(env, isas));
    object.Set("threads", Napi::Number::New(env, threads_wanted()));
    object.Set("threading", Napi::String::New(env, threading()));
    return object;
  });
}

#if HS_WITH_CUDA
Napi::Value cards(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    const CudaInfo found = cuda_info();
    Napi::Array list = Napi::Array::New(env);
    for (const CardInfo& card : found.cards) {
      Napi::Object entry = Napi::Object::New(env);
      entry.Set("name", Napi::String::New(env, card.name));
      entry.Set("memory", Napi::Number::New(env, double(card.memory)));
      entry.Set("major", Napi::Number::New(env, card.major));
      entry.Set("minor", Napi::Number::New(env, card.minor));
      entry.Set("processors", Napi::Number::New(env, card.processors));
      entry.Set("clock", Napi::Number::New(env, card.clock));
      entry.Set("memoryClock", Napi::Number::New(env, card.memory_clock));
      entry.Set("bus", Napi::Number::New(env, card.bus));
      list.Set(list.Length(), entry);
    }
    Napi::Object all = Napi::Object::New(env);
    all.Set("cards", list);
    all.Set("driver", Napi::Number::New(env, found.driver));
    all.Set("blas", Napi::String::New(env, found.blas));
    all.Set("why", Napi::String::New(env, found.why));
    all.Set("whyNoBlas", Napi::String::New(env, found.why_no_blas));
    return all;
  });
}

void set_kernels(const Napi::CallbackInfo& info) {
  guard(info.Env(), [&] {
    if (info.Length() < 1 || !info[0].IsString())
      fail(Code::kOption, "setKernels", "file", "a string", "something else");
    set_cuda_kernels(info[0].As<Napi::String>().Utf8Value());
  });
}
#endif

// orthonormalization(n, m): returns a function that does the next step on a Float64Array [n, m] and
// says whether steps are left.
Napi::Value orthonormalization(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    const bool is_size = info.Length() == 2 && info[0].IsNumber() && info[1].IsNumber();
    const int64_t n = is_size ? info[0].As<Napi::Number>().Int64Value() : 0;
    const int64_t m = is_size ? info[1].As<Napi::Number>().Int64Value() : 0;
    if (n < 1 || m < n)
      fail(Code::kShape, "orthonormalization", "rows", "from 1 to the number of columns",
           std::to_string(n) + " rows of " + std::to_string(m) + " numbers");
    auto work = std::make_shared<std::optional<Orthonormalization>>(std::in_place, n, m);
    const auto step = [work, n, m](const Napi::CallbackInfo& call) -> Napi::Value {
      return guard(call.Env(), [&]() -> Napi::Value {
        const bool is_array = call.Length() == 1 && call[0].IsTypedArray();
        if (!is_array || call[0].As<Napi::TypedArray>().TypedArrayType() != napi_float64_array)
          fail(Code::kOption, "orthonormalization", "q", "a Float64Array", "something else");
        Napi::Float64Array q = call[0].As<Napi::Float64Array>();
        if (static_cast<int64_t>(q.ElementLength()) != n * m)
          fail(Code::kShape, "orthonormalization", "q", std::to_string(n * m) + " numbers",
               std::to_string(q.ElementLength()));
        if (*work && !(*work)->step(q.Data())) work->reset();  // frees its memory now
        return Napi::Boolean::New(call.Env(), work->has_value());
      });
    };
    return Napi::Function::New(info.Env(), step, "orthonormalize");
  });
}

void set_error_classes(const Napi::CallbackInfo& info) {
  guard(info.Env(), [&] {
    if (info.Length() < 1 || !info[0].IsFunction())
      fail(Code::kOption, "setErrorClasses", "make", "a function", "something else");
    Environment::of(info.Env()).make_error = Napi::Persistent(info[0].As<Napi::Function>());
  });
}

}  // namespace

Napi::Object init(Napi::Env env, Napi::Object exports) {
  auto environment = std::make_unique<Environment>(env);
  PlanObject::define(env, *environment);
  DataObject::define(env, *environment);
  WorldObject::define(env, *environment);
  env.SetInstanceData(environment.release());
  guard(env, [] { pin_library(); });
  exports.Set("describe", Napi::Function::New<describe>(env, "describe"));
  exports.Set("compile", Napi::Function::New<compile_spec>(env, "compile"));
  exports.Set("setThreads", Napi::Function::New<set_thread_count>(env, "setThreads"));
  exports.Set("info", Napi::Function::New<info_object>(env, "info"));
#if HS_WITH_CUDA
  exports.Set("cards", Napi::Function::New<cards>(env, "cards"));
  exports.Set("setKernels", Napi::Function::New<set_kernels>(env, "setKernels"));
#endif
  exports.Set("orthonormalization",
              Napi::Function::New<orthonormalization>(env, "orthonormalization"));
  exports.Set("ctcCost", Napi::Function::New<ctc_cost>(env, "ctcCost"));
  exports.Set("ctcDecoder", Napi::Function::New<ctc_decoder>(env, "ctcDecoder"));
  exports.Set("launcher", Napi::Function::New<WorldObject::launcher>(env, "launcher"));
  exports.Set("joinWorld", Napi::Function::New<WorldObject::join>(env, "joinWorld"));
  exports.Set("setErrorClasses", Napi::Function::New<set_error_classes>(env, "setErrorClasses"));
  return exports;
}

}  // namespace hs

static Napi::Object hs_init(Napi::Env env, Napi::Object exports) { return hs::init(env, exports); }
NODE_API_MODULE(hiddenstate, hs_init)
