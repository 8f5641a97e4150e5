// Exports of the addon: `Native` of lib/native.ts.
#include <napi.h>

#include "addon/environment.h"
#include "addon/js_config.h"
#include "addon/js_errors.h"
#include "addon/js_values.h"
#include "addon/plan_object.h"
#include "base/parallel.h"
#include "cells/cell.h"
#include "layers/activation_name.h"
#include "objectives/objective.h"
#include "optimizers/optimizer.h"
#include "plan/penalties.h"
#include "registry.inc"

#if !NODE_ADDON_API_CPP_EXCEPTIONS_ALL && !defined(NODE_ADDON_API_CPP_EXCEPTIONS_ALL)
#error "without NODE_ADDON_API_CPP_EXCEPTIONS_ALL a std::bad_alloc in a callback ends the process"
#endif
#ifndef HS_VERSION
#error "HS_VERSION comes from CMakeLists.txt, which reads package.json"
#endif

namespace hs {
namespace {

template <typename Names>
std::vector<std::string> texts(const Names& names) {  // an array of texts
  return std::vector<std::string>(std::begin(names), std::end(names));
}

std::vector<std::string> texts(const char* const* names) {  // ended by nullptr
  std::vector<std::string> list;
  for (; *names; names++) list.push_back(*names);
  return list;
}

#define HS_NAME(name) #name,
const char* const kLayers[] = {HS_LAYERS(HS_NAME)};
const char* const kCells[] = {HS_CELLS(HS_NAME)};
const char* const kOptimizers[] = {HS_OPTIMIZERS(HS_NAME)};
#undef HS_NAME

Napi::Value describe(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    const Table<float>& k = kernels<float>();
    Napi::Array cells = Napi::Array::New(env);
    for (const char* name : kCells) {
      const CellKernels<float>* cell = k.cell(name);
      if (!cell) throw Error(Code::kInternal, name, "this cell has no kernels.");
      Napi::Object entry = Napi::Object::New(env);
      std::vector<std::string> states;
      for (const char* s = cell->states; *s; s++) states.emplace_back(1, *s);
      entry.Set("name", Napi::String::New(env, name));
      entry.Set("gates", Napi::String::New(env, cell->gates));
      entry.Set("states", to_js(env, states));
      cells.Set(cells.Length(), entry);
    }
    Napi::Array optimizers = Napi::Array::New(env);
    for (const char* name : kOptimizers) {
      const OptimizerKernels<float>* optimizer = k.optimizer(name);
      if (!optimizer) throw Error(Code::kInternal, name, "this optimizer has no kernels.");
      Napi::Object entry = Napi::Object::New(env);
      entry.Set("name", Napi::String::New(env, name));
      entry.Set("moments", Napi::Number::New(env, optimizer->moments));
      entry.Set("savesIterations", Napi::Boolean::New(env, optimizer->saves_iterations));
      optimizers.Set(optimizers.Length(), entry);
    }
    Napi::Object all = Napi::Object::New(env);
    all.Set("layers", to_js(env, texts(kLayers)));
    all.Set("cells", cells);
    all.Set("optimizers", optimizers);
    all.Set("objectives", to_js(env, texts(objective_names())));
    all.Set("metrics", to_js(env, texts(metric_names())));
    all.Set("activations", to_js(env, texts(kActivationNames)));
    all.Set("constraints", to_js(env, texts(constraint_names())));
    return all;
  });
}

Napi::Value compile_spec(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    if (info.Length() < 1 || !info[0].IsObject()) fail(Code::kOption, "compile", "spec", "an object", "something else");
    return PlanObject::create(info.Env(), compile(to_config(info[0])));
  });
}

void set_thread_count(const Napi::CallbackInfo& info) {
  guard(info.Env(), [&] {
    const double n = info.Length() > 0 && info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : 0;
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
    object.Set("isas", to_js(env, texts(available_isas())));
    object.Set("threads", Napi::Number::New(env, threads()));
    object.Set("threading", Napi::String::New(env, threading()));
    return object;
  });
}

void set_error_classes(const Napi::CallbackInfo& info) {
  guard(info.Env(), [&] {
    if (info.Length() < 1 || !info[0].IsFunction()) fail(Code::kOption, "setErrorClasses", "make", "a function", "something else");
    Environment::of(info.Env()).make_error = Napi::Persistent(info[0].As<Napi::Function>());
  });
}

}  // namespace

Napi::Object init(Napi::Env env, Napi::Object exports) {
  auto environment = std::make_unique<Environment>(env);
  PlanObject::define(env, *environment);
  DataObject::define(env, *environment);
  env.SetInstanceData(environment.release());
  exports.Set("describe", Napi::Function::New<describe>(env, "describe"));
  exports.Set("compile", Napi::Function::New<compile_spec>(env, "compile"));
  exports.Set("setThreads", Napi::Function::New<set_thread_count>(env, "setThreads"));
  exports.Set("info", Napi::Function::New<info_object>(env, "info"));
  exports.Set("setErrorClasses", Napi::Function::New<set_error_classes>(env, "setErrorClasses"));
  return exports;
}

}  // namespace hs

static Napi::Object hs_init(Napi::Env env, Napi::Object exports) { return hs::init(env, exports); }
NODE_API_MODULE(hiddenstate, hs_init)
