#include "addon/js_errors.h"

#include <new>

#include "addon/environment.h"

namespace hs {

const char* code_name(Code code) {
  switch (code) {
    case Code::kShape: return "ERR_SHAPE";
    case Code::kOption: return "ERR_OPTION";
    case Code::kUnknownName: return "ERR_UNKNOWN_NAME";
    case Code::kNotCompiled: return "ERR_NOT_COMPILED";
    case Code::kBusy: return "ERR_BUSY";
    case Code::kDisposed: return "ERR_DISPOSED";
    case Code::kInternal: return "ERR_INTERNAL";
    case Code::kOutOfMemory: return "ERR_OUT_OF_MEMORY";
  }
  return "ERR_INTERNAL";
}

namespace {

Napi::Value make(Napi::Env env, const char* code, const std::string& message,
                 const std::string& where, const std::string& expected, const std::string& actual) {
  Environment& environment = Environment::of(env);
  if (!environment.make_error.IsEmpty()) {
    const auto text = [&](const std::string& s) { return Napi::String::New(env, s); };
    const Napi::Value made = environment.make_error.Call(
        {text(code), text(message), text(where), text(expected), text(actual)});
    if (made.IsObject()) return made;
  }
  const Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  return error.Value();
}

Napi::Value describe(Napi::Env env, std::exception_ptr thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const Napi::Error& error) {
    return error.Value();
  } catch (const Error& error) {
    return make(env, code_name(error.code), error.message, error.where, error.expected,
                error.actual);
  } catch (const std::bad_alloc&) {
    return make(
        env, "ERR_OUT_OF_MEMORY",
        "native memory: there is not enough of it. A smaller batch or a smaller model needs less.",
        "native memory", "enough memory", "an allocation that failed");
  } catch (const std::exception& error) {
    return make(env, "ERR_INTERNAL", std::string("native code: ") + error.what(), "native code", "",
                "");
  } catch (...) {
    return make(env, "ERR_INTERNAL", "native code: something unknown was thrown.", "native code",
                "", "");
  }
}

}  // namespace

Napi::Value to_js_error(Napi::Env env, std::exception_ptr thrown) {
  try {
    return describe(env, std::move(thrown));
  } catch (const Napi::Error& error) {  // the factory has thrown
    return error.Value();
  }
}

}  // namespace hs
