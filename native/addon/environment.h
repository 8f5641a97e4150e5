// What the addon keeps for one JS environment (the main thread or one worker): constructors, the
// error factory, and the way back from the engine thread. No static holds anything of JavaScript's.
#pragma once
#include <napi.h>

#include <memory>
#include <mutex>

#include "base/chain.h"

namespace hs {

// A completion: made beforehand, with the job that it tells of, so that nothing on its way can
// fail.
class Letter {
 public:
  virtual ~Letter() = default;
  virtual void open(Napi::Env) noexcept = 0;  // on the JS thread, once
  std::shared_ptr<Letter> next;               // of Chain: in the mailbox
};

// Completions on their way from the engine thread to the JS thread. Outlives the environment for as
// long as a job holds it.
class Mailbox {
 public:
  static std::shared_ptr<Mailbox> make(Napi::Env env);
  void post(std::shared_ptr<Letter>) noexcept;  // any thread; dropped when the environment is gone
  void expect();  // JS thread: a letter will come, keep the process alive
  // JS thread: opens what lies here, if the JS thread could not be told of it.
  void collect_unheard(Napi::Env env) noexcept;
  void close();  // JS thread: the environment ends; nothing is delivered any more

 private:
  explicit Mailbox(Napi::Env env) : env_(env) {}
  static void deliver(napi_env env, napi_value, void* context, void*);
  static void finalize(napi_env, void*, void* context);
  void open_all(Napi::Env env) noexcept;

  std::mutex mutex_;
  Chain<Letter> letters_;
  // wakes the JS thread; unref'ed while nothing is expected
  napi_threadsafe_function signal_ = nullptr;
  bool unheard_ = false;  // the signal could not be given
  napi_env env_;
  int expected_ = 0;  // JS thread only
};

struct Environment {
  explicit Environment(Napi::Env env);
  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

  Napi::FunctionReference plan_class, data_class, make_error;
  // what the next constructor call wraps; JS cannot construct by itself
  void* constructing = nullptr;
  std::shared_ptr<Mailbox> mailbox;
};

// Gives `what` to the constructor call that is made while it lives, whether that succeeds or not.
class Constructing {
 public:
  Constructing(Environment& environment, void* what) : environment_(environment) {
    environment.constructing = what;
  }
  ~Constructing() { environment_.constructing = nullptr; }
  Constructing(const Constructing&) = delete;
  Constructing& operator=(const Constructing&) = delete;

 private:
  Environment& environment_;
};

}  // namespace hs
