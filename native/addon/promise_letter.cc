#include "addon/promise_letter.h"

#include "addon/js_errors.h"

namespace hs {

void reject(Napi::Env env, const Napi::Promise::Deferred& deferred,
            std::exception_ptr error) noexcept {
  try {
    deferred.Reject(to_js_error(env, std::move(error)));
  } catch (...) {  // JavaScript is being terminated: there is nobody to tell
  }
}

void PromiseLetter::open(Napi::Env env) noexcept {
  // An error may refer to JavaScript, so it must not stay here: the last owner may be another
  // thread.
  std::exception_ptr error = std::move(error_);
  try {
    ended(env);
    if (!error) return deferred_.Resolve(value(env));
  } catch (...) {  // the value could not be made for JavaScript: the promise says why
    error = std::current_exception();
  }
  reject(env, deferred_, std::move(error));
}

}  // namespace hs
