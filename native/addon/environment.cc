#include "addon/environment.h"

#include "addon/js_errors.h"
#include "plan/engine.h"

namespace hs {
namespace {

void check(napi_env env, napi_status status) {
  if (status != napi_ok)
    throw Napi::Error::New(Napi::Env(env), "hiddenstate: a Node-API call failed.");
}

}  // namespace

std::shared_ptr<Mailbox> Mailbox::make(Napi::Env env) {
  std::shared_ptr<Mailbox> box(new Mailbox(env));
  const Napi::String name = Napi::String::New(env, "hiddenstate");
  auto context =
      std::make_unique<std::shared_ptr<Mailbox>>(box);  // alive until the function is finalized
  check(env, napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr,
                                             &Mailbox::finalize, context.get(), &Mailbox::deliver,
                                             &box->signal_));
  context.release();
  check(env, napi_unref_threadsafe_function(env, box->signal_));
  return box;
}

void Mailbox::post(Letter letter) noexcept {
  try {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!signal_) return;
    letters_.push_back(std::move(letter));
    napi_call_threadsafe_function(signal_, nullptr, napi_tsfn_nonblocking);
  } catch (...) {  // no memory for a list node: the promise stays pending, nothing else is harmed
  }
}

void Mailbox::expect() {
  if (expected_++ == 0) napi_ref_threadsafe_function(env_, signal_);
}

void Mailbox::close() {
  std::deque<Letter> unread;
  std::lock_guard<std::mutex> lock(mutex_);
  unread.swap(letters_);
  signal_ = nullptr;
}

void Mailbox::finalize(napi_env, void*, void* context) {
  auto* box = static_cast<std::shared_ptr<Mailbox>*>(context);
  (*box)->close();
  delete box;
}

void Mailbox::deliver(napi_env raw, napi_value, void* context, void*) {
  const std::shared_ptr<Mailbox> self = *static_cast<std::shared_ptr<Mailbox>*>(context);
  if (!raw) return;  // the environment is being torn down
  const Napi::Env env(raw);
  for (;;) {
    Letter letter;
    {
      std::lock_guard<std::mutex> lock(self->mutex_);
      if (self->letters_.empty()) return;
      letter = std::move(self->letters_.front());
      self->letters_.pop_front();
      if (--self->expected_ == 0 && self->signal_)
        napi_unref_threadsafe_function(raw, self->signal_);
    }
    const Napi::HandleScope scope(env);
    try {
      letter(env);
    } catch (const Napi::Error&
                 error) {  // no letter lets one out; if JS is terminating, there is nobody to tell
    } catch (...) {
    }
  }
}

Environment::Environment(Napi::Env env) : mailbox(Mailbox::make(env)) {
  // Runs before the instance data, the thread-safe function and the wrapped objects go (hooks run in reverse).
  env.AddCleanupHook(
      [](std::shared_ptr<Mailbox>* box) {
        Engine::get().drop(box->get());
        (*box)->close();
        delete box;
      },
      new std::shared_ptr<Mailbox>(mailbox));
}

}  // namespace hs
