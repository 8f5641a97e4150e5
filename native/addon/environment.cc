#include "addon/environment.h"

#include "addon/js_errors.h"
#include "engine/engine.h"

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
  // the function's own share of the mailbox: finalize() deletes it
  auto context = std::make_unique<std::shared_ptr<Mailbox>>(box);
  check(env, napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr,
                                             &Mailbox::finalize, context.get(), &Mailbox::deliver,
                                             &box->signal_));
  context.release();
  check(env, napi_unref_threadsafe_function(env, box->signal_));
  return box;
}

void Mailbox::post(std::shared_ptr<Letter> letter) noexcept {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!signal_) return;
  letters_.push(std::move(letter));
  if (napi_call_threadsafe_function(signal_, nullptr, napi_tsfn_nonblocking) != napi_ok)
    unheard_ = true;
}

void Mailbox::expect() {
  if (expected_++ == 0) napi_ref_threadsafe_function(env_, signal_);
}

void Mailbox::collect_unheard(Napi::Env env) noexcept {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!unheard_) return;
    unheard_ = false;
  }
  open_all(env);
}

void Mailbox::close() {
  Chain<Letter> unread;
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
  // Without an environment Node empties the queue of a function that is gone: it has called
  // finalize(), so there is no context.
  if (!raw) return;
  const std::shared_ptr<Mailbox> self = *static_cast<std::shared_ptr<Mailbox>*>(context);
  self->open_all(Napi::Env(raw));
}

void Mailbox::open_all(Napi::Env env) noexcept {
  for (;;) {
    std::shared_ptr<Letter> letter;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      letter = letters_.pop();
      if (!letter) return;
      if (--expected_ == 0 && signal_) napi_unref_threadsafe_function(env, signal_);
    }
    napi_handle_scope scope = nullptr;
    napi_open_handle_scope(env, &scope);
    letter->open(env);
    if (scope) napi_close_handle_scope(env, scope);
  }
}

Environment::Environment(Napi::Env env) : mailbox(Mailbox::make(env)) {
  // Hooks run in reverse order, so this one runs before those by which Node frees the instance
  // data, the thread-safe function and the wrapped objects.
  env.AddCleanupHook(
      [](std::shared_ptr<Mailbox>* box) {
        Engine::get().drop(box->get());
        (*box)->close();
        delete box;
      },
      new std::shared_ptr<Mailbox>(mailbox));
}

}  // namespace hs
