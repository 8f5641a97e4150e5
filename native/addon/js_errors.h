// C++ errors to JS errors. Every entry from JS goes through guard(), so that no C++ exception ever crosses the boundary raw.
#pragma once
#include <napi.h>

#include <exception>

#include "base/error.h"

namespace hs {

const char* code_name(Code code);  // "ERR_SHAPE"

// The JS error for what was thrown: made by the factory of setErrorClasses, else a plain Error with `code`.
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
