#include "addon/js_errors.h"

#include <iterator>
#include <new>
#include <string_view>

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
    case Code::kDevice: return "ERR_DEVICE";
    case Code::kRank: return "ERR_RANK";
  }
  return "ERR_INTERNAL";
}

namespace {

using Text = std::string_view;  // no copies: this must work without memory

Napi::Value text(Napi::Env env, Text s) { return Napi::String::New(env, s.data(), s.size()); }

Napi::Value make(Napi::Env env, Text code, Text message, Text where, Text expected, Text actual) {
  Environment& environment = Environment::of(env);
  if (!environment.make_error.IsEmpty()) {
    const napi_value arguments[] = {text(env, code), text(env, message), text(env, where),
                                    text(env, expected), text(env, actual)};
    napi_value made = nullptr;
    // Not by FunctionReference::Call: where JavaScript is terminated in the function, that catches
    // what is no object, and a Napi::Error of it ends the process.
    const napi_status status = napi_call_function(env, env.Global(), environment.make_error.Value(),
                                                  std::size(arguments), arguments, &made);
    if (status == napi_ok && Napi::Value(env, made).IsObject()) return Napi::Value(env, made);
    bool thrown = false;
    napi_value nobody = nullptr;
    if (napi_is_exception_pending(env, &thrown) == napi_ok && thrown)
      napi_get_and_clear_last_exception(env, &nobody);
  }
  napi_value error = nullptr;
  if (napi_create_error(env, text(env, code), text(env, message), &error) != napi_ok)
    throw Napi::Error::New(env);
  return Napi::Value(env, error);
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
    return make(env, "ERR_INTERNAL", error.what(), "native code", "", "");
  } catch (...) {
    return make(env, "ERR_INTERNAL", "native code: something unknown was thrown.", "native code",
                "", "");
  }
}

}  // namespace

Napi::Value get(const Napi::Object& object, napi_value key) {
  const napi_env env = object.Env();
  napi_value value = nullptr;
  if (napi_get_property(env, object, key, &value) == napi_ok) return Napi::Value(env, value);
  bool is_thrown = false;
  napi_value thrown = nullptr;
  napi_valuetype type = napi_null;
  if (napi_is_exception_pending(env, &is_thrown) == napi_ok && is_thrown &&
      napi_get_and_clear_last_exception(env, &thrown) == napi_ok &&
      napi_typeof(env, thrown, &type) == napi_ok && type != napi_null) {
    throw Napi::Error(env, thrown);
  }
  throw Error(Code::kInternal, "native code", "a property could not be read.");
}

Napi::Value get(const Napi::Object& object, const char* key) {
  return get(object, Napi::String::New(object.Env(), key));
}

Napi::Value get(const Napi::Array& array, uint32_t i) {
  const napi_value key = Napi::Number::New(array.Env(), i);
  return get(static_cast<const Napi::Object&>(array), key);
}

Napi::Value to_js_error(Napi::Env env, std::exception_ptr thrown) {
  try {
    return describe(env, std::move(thrown));
  } catch (const Napi::Error& error) {  // the factory has thrown
    return error.Value();
  }
}

}  // namespace hs
