// C++ errors to JS errors. Every entry from JS goes through guard(), so that no C++ exception ever
// crosses the boundary raw.
#pragma once
#include <napi.h>

#include <exception>

#include "base/error.h"

namespace hs {

const char* code_name(Code code);  // "ERR_SHAPE"

// A property, which a getter may compute. Throws what the getter throws. Error(kInternal) where
// that is null: so Node-API reports a getter in which JavaScript was terminated. (Napi::Object::Get
// would make a Napi::Error of the null, which ends the process: null cannot be referenced.)
Napi::Value get(const Napi::Object& object, napi_value key);
Napi::Value get(const Napi::Object& object, const char* key);
Napi::Value get(const Napi::Array& array, uint32_t i);

// The JS error for what was thrown: made by the factory of setErrorClasses, else a plain Error with
// `code`.
Napi::Value to_js_error(Napi::Env env, std::exception_ptr thrown);

// fn(), with any C++ exception turned into a JS one.
template <typename Fn>
auto guard(Napi::Env env, const Fn& fn) -> decltype(fn()) {
  try {
    return fn();
  } catch (const Napi::Error&) {
    throw;  // a JS exception already
  } catch (...) {
    throw Napi::Error(env, to_js_error(env, std::current_exception()));
  }
}

}  // namespace hs
