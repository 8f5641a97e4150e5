// What the addon keeps for one JS environment (the main thread or one worker): constructors, the
// error factory, and the way back from the engine thread. No static holds anything of JavaScript's.
#pragma once
#include <napi.h>

#include <memory>
#include <mutex>

#include "base/chain.h"

namespace hs {

// The news that a job is done. It is made together with the job, so that sending it needs no memory
// and cannot fail.
class Letter {
 public:
  virtual ~Letter() = default;
  virtual void open(Napi::Env) noexcept = 0;  // on the JS thread, once
  std::shared_ptr<Letter> next;               // the one after it in the mailbox (Chain)
};

// The letters from the engine thread to the JS thread of one environment. A job that holds it keeps
// it alive, also when the environment is gone.
class Mailbox {
 public:
  static std::shared_ptr<Mailbox> make(Napi::Env env);
  void post(std::shared_ptr<Letter>) noexcept;  // any thread; dropped when the environment is gone
  void expect();  // JS thread: a letter will come, keep the process alive
  // JS thread: opens the letters here, if a signal for one of them could not be given.
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
  bool unheard_ = false;  // a signal could not be given
  napi_env env_;
  int expected_ = 0;  // JS thread only
};

struct Environment {
  explicit Environment(Napi::Env env);
  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

  Napi::FunctionReference plan_class, data_class, world_class, make_error;
  // What the constructor of one of those classes wraps: see Constructing. nullptr: JavaScript
  // has called it, which makes an object without content.
  void* constructing = nullptr;
  std::shared_ptr<Mailbox> mailbox;
};

// While it lives, the constructor of a class of the addon wraps `what`.
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
