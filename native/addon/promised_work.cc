#include "addon/promised_work.h"

#include <utility>

#include "addon/promise_letter.h"
#include "engine/engine.h"

namespace hs {
namespace {

class PromisedWork final : public Job, public PromiseLetter {
 public:
  PromisedWork(Napi::Env env, std::shared_ptr<SlicedWork> work)
      : PromiseLetter(env), work_(std::move(work)) {
    owner = mailbox();
  }

  bool step() override { return work_->step(cancelled); }
  void finished(std::exception_ptr error) noexcept override { send(std::move(error)); }

 private:
  Napi::Value value(Napi::Env env) override { return work_->result(env); }

  std::shared_ptr<SlicedWork> work_;
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
