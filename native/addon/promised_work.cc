#include "addon/promised_work.h"

#include <utility>

#include "addon/environment.h"
#include "addon/js_errors.h"
#include "engine/engine.h"

namespace hs {
namespace {

class PromisedWork final : public Job,
                           public Letter,
                           public std::enable_shared_from_this<PromisedWork> {
 public:
  PromisedWork(Napi::Env env, std::shared_ptr<SlicedWork> work)
      : deferred_(Napi::Promise::Deferred::New(env)),
        work_(std::move(work)),
        mailbox_(Environment::of(env).mailbox) {
    owner = mailbox_.get();
  }
  Napi::Promise promise() const { return deferred_.Promise(); }

  bool step() override { return work_->step(cancelled); }

  void finished(std::exception_ptr error) noexcept override {
    error_ = std::move(error);
    mailbox_->post(shared_from_this());
  }

  void open(Napi::Env env) noexcept override {
    // An error may refer to JavaScript, so it must not stay in the job, whose last owner may be the
    // engine thread.
    std::exception_ptr error = std::move(error_);
    try {
      if (!error) return deferred_.Resolve(work_->result(env));
    } catch (...) {  // the result could not be made for JavaScript: the promise says why
      error = std::current_exception();
    }
    try {
      deferred_.Reject(to_js_error(env, std::move(error)));
    } catch (...) {  // JavaScript is being terminated: there is nobody to tell
    }
  }

 private:
  Napi::Promise::Deferred deferred_;
  std::exception_ptr error_;
  std::shared_ptr<SlicedWork> work_;
  std::shared_ptr<Mailbox> mailbox_;
};

}  // namespace

Napi::Object submit(Napi::Env env, std::shared_ptr<SlicedWork> work) {
  const std::shared_ptr<Mailbox>& mailbox = Environment::of(env).mailbox;
  mailbox->collect_unheard(env);
  auto job = std::make_shared<PromisedWork>(env, std::move(work));
  Napi::Object object = Napi::Object::New(env);
  object.Set("done", job->promise());
  const std::weak_ptr<Job> weak = job;
  object.Set("cancel", Napi::Function::New(env, [weak](const Napi::CallbackInfo&) {
               if (const std::shared_ptr<Job> alive = weak.lock()) alive->cancelled = true;
             }));
  Engine::get().submit(job);
  mailbox->expect();
  return object;
}

}  // namespace hs
