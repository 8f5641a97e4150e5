// What the addon keeps for one JS environment (the main thread or one worker): constructors, the error factory, and the way
// back from the engine thread. No static holds anything of JavaScript's.
#pragma once
#include <napi.h>

#include <deque>
#include <functional>
#include <memory>
#include <mutex>

namespace hs {

// Completions on their way from the engine thread to the JS thread. Outlives the environment for as long as a job holds it.
class Mailbox {
 public:
  using Letter = std::function<void(Napi::Env)>;  // runs on the JS thread

  static std::shared_ptr<Mailbox> make(Napi::Env env);
  void post(Letter letter) noexcept;  // any thread; dropped when the environment is gone
  void expect();                      // JS thread: a letter will come, keep the process alive
  void close();  // JS thread: the environment ends; nothing is delivered any more

 private:
  explicit Mailbox(Napi::Env env) : env_(env) {}
  static void deliver(napi_env env, napi_value, void* context, void*);
  static void finalize(napi_env, void*, void* context);

  std::mutex mutex_;
  std::deque<Letter> letters_;
  napi_threadsafe_function signal_ =
      nullptr;  // wakes the JS thread; unref'ed while nothing is expected
  napi_env env_;
  int expected_ = 0;  // JS thread only
};

struct Environment {
  explicit Environment(Napi::Env env);
  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

  Napi::FunctionReference plan_class, data_class, make_error;
  void* constructing =
      nullptr;  // what the next constructor call wraps; JS cannot construct by itself
  std::shared_ptr<Mailbox> mailbox;
};

}  // namespace hs
