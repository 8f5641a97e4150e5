// A promise of JavaScript's that another thread keeps.
#pragma once
#include <napi.h>

#include <exception>
#include <memory>
#include <utility>

#include "addon/environment.h"

namespace hs {

// Rejects. JavaScript that is being terminated hears nothing of it.
void reject(Napi::Env env, const Napi::Promise::Deferred& deferred,
            std::exception_ptr error) noexcept;

class PromiseLetter : public Letter, public std::enable_shared_from_this<PromiseLetter> {
 public:
  explicit PromiseLetter(Napi::Env env) : PromiseLetter(env, Napi::Promise::Deferred::New(env)) {}
  PromiseLetter(Napi::Env env, const Napi::Promise::Deferred& deferred)
      : deferred_(deferred), mailbox_(Environment::of(env).mailbox) {}
  Napi::Promise promise() const { return deferred_.Promise(); }
  // Any thread, once: what it promised has ended. error: nullptr, or why it has failed.
  void send(std::exception_ptr error) noexcept {
    error_ = std::move(error);
    mailbox_->post(shared_from_this());
  }
  void open(Napi::Env env) noexcept final;

 protected:
  const Mailbox* mailbox() const { return mailbox_.get(); }
  // Both on the JS thread, whatever they throw becomes the error.
  virtual void ended(Napi::Env) {}  // also of what has failed
  virtual Napi::Value value(Napi::Env env) = 0;

 private:
  Napi::Promise::Deferred deferred_;
  std::exception_ptr error_;
  std::shared_ptr<Mailbox> mailbox_;
};

}  // namespace hs
