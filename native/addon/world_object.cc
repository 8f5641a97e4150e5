#include "addon/world_object.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "addon/js_errors.h"
#include "addon/js_values.h"
#include "addon/promise_letter.h"
#include "addon/promised_work.h"
#include "world/timeline.h"

namespace hs {
namespace {

constexpr napi_type_tag kWorldTag = {0x6869646465e57a7eULL, 0x776f726c64776f72ULL};

// What ranks do together, as a promise of JavaScript's: on MPI's thread.
class PromisedMeeting final : public Task, public PromiseLetter {
 public:
  PromisedMeeting(Napi::Env env, std::function<void()> meet,
                  std::function<Napi::Value(Napi::Env)> result)
      : PromiseLetter(env), meet_(std::move(meet)), result_(std::move(result)) {}

  void run() override { meet_(); }
  void finished(std::exception_ptr error) noexcept override { send(std::move(error)); }

 private:
  Napi::Value value(Napi::Env env) override { return result_(env); }

  const std::function<void()> meet_;
  const std::function<Napi::Value(Napi::Env)> result_;
};

Napi::Value promised(Napi::Env env, World& world, std::function<void()> meet,
                     std::function<Napi::Value(Napi::Env)> result) {
  const std::shared_ptr<Mailbox>& mailbox = Environment::of(env).mailbox;
  mailbox->collect_unheard(env);
  auto task = std::make_shared<PromisedMeeting>(env, std::move(meet), std::move(result));
  const Napi::Promise promise = task->promise();
  if (world.mpi()) {
    world.mpi()->post(task);
  } else {
    task->finished(nullptr);
  }
  mailbox->expect();
  return promise;
}

std::string text_of(const Napi::Value& value, const char* what) {
  if (!value.IsString()) hs::fail(Code::kOption, "world", what, "text", "something else");
  return value.As<Napi::String>().Utf8Value();
}

class Joining final : public SlicedWork {
 public:
  explicit Joining(std::function<Napi::Object(Napi::Env, std::shared_ptr<World>)> create)
      : create_(std::move(create)) {}
  bool step(const std::atomic<bool>&) override {
    const Launcher by = launcher();
    if (by.family == Launcher::Family::kNone) {
      world_ = std::make_shared<World>(nullptr);
      return true;
    }
    Mpi& mpi = Mpi::start(by);
    if (by.size > 0 && mpi.size() != by.size) {
      hs::fail(Code::kOption, "distribute", "the MPI library",
               "that of " + by.name + ", which has started " + std::to_string(by.size) + " ranks",
               mpi.version() + ", which knows of " + std::to_string(mpi.size()),
               "HIDDENSTATE_LIBMPI names the file of the right one.");
    }
    Timeline::open(mpi.rank());
    world_ = std::make_shared<World>(&mpi);
    return true;
  }
  Napi::Value result(Napi::Env env) override { return create_(env, world_); }

 private:
  const std::function<Napi::Object(Napi::Env, std::shared_ptr<World>)> create_;
  std::shared_ptr<World> world_;
};

}  // namespace

void WorldObject::define(Napi::Env env, Environment& environment) {
  environment.world_class = Napi::Persistent(DefineClass(
      env, "NativeWorld",
      {InstanceAccessor<&WorldObject::rank>("rank", napi_enumerable),
       InstanceAccessor<&WorldObject::size>("size", napi_enumerable),
       InstanceAccessor<&WorldObject::library>("mpi", napi_enumerable),
       InstanceMethod<&WorldObject::part>("part"), InstanceMethod<&WorldObject::gather>("gather"),
       InstanceMethod<&WorldObject::spread>("spread"), InstanceMethod<&WorldObject::fail>("fail"),
       InstanceMethod<&WorldObject::leave>("leave"),
       InstanceMethod<&WorldObject::abort>("abort")}));
}

WorldObject::WorldObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<WorldObject>(info) {
  void*& given = Environment::of(info.Env()).constructing;
  if (given) world_ = *static_cast<std::shared_ptr<World>*>(given);
  given = nullptr;
}

Napi::Object WorldObject::create(Napi::Env env, std::shared_ptr<World> world) {
  Environment& environment = Environment::of(env);
  const Constructing given(environment, &world);
  const Napi::Object object = environment.world_class.New({});
  if (napi_type_tag_object(env, object, &kWorldTag) != napi_ok) throw Napi::Error::New(env);
  return object;
}

World& WorldObject::world() const {
  if (!world_) throw Error(Code::kInternal, "NativeWorld", "it is made by joinWorld() alone.");
  return *world_;
}

Napi::Value WorldObject::launcher(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    const Launcher by = hs::launcher();
    if (by.family == Launcher::Family::kNone) return info.Env().Null();
    Napi::Object object = Napi::Object::New(info.Env());
    object.Set("name", Napi::String::New(info.Env(), by.name));
    object.Set("size", Napi::Number::New(info.Env(), by.size));
    return object;
  });
}

Napi::Value WorldObject::join(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    return submit(info.Env(), std::make_shared<Joining>(&WorldObject::create));
  });
}

void WorldObject::read_team(const Napi::Object& object, RunRequest& request) {
  const Napi::Value given = get(object, "team");
  if (!given.IsObject()) return;
  const Napi::Object team = given.As<Napi::Object>();
  const Napi::Value world = get(team, "world");
  bool ours = false;
  if (!world.IsObject() ||
      napi_check_object_type_tag(object.Env(), world, &kWorldTag, &ours) != napi_ok || !ours)
    hs::fail(Code::kOption, "run", "world", "one of joinWorld()", "something else");
  WorldObject& own = *Unwrap(world.As<Napi::Object>());
  const int size = own.world().size();
  const auto number = [&](const char* name) {
    const Napi::Value value = get(team, name);
    return value.IsNumber() ? value.As<Napi::Number>().Int64Value() : 0;
  };
  const int shards = int(number("shards"));
  if (shards < size)
    hs::fail(Code::kOption, "run", "shards", "at least " + std::to_string(size),
             std::to_string(shards));
  const std::string call = text_of(get(team, "call"), "call");
  const bool rounds = get(team, "rounds").ToBoolean();
  if (!own.team_ || !own.team_->is(shards, call, rounds))
    own.team_ = std::make_shared<WorldTeam>(own.world_, shards, call, rounds);
  request.team = own.team_;
  request.mark = uint32_t(number("mark"));
  request.whole = number("whole"), request.before = number("before");
}

Napi::Value WorldObject::rank(const Napi::CallbackInfo& info) {
  return guard(info.Env(),
               [&]() -> Napi::Value { return Napi::Number::New(info.Env(), world().rank()); });
}

Napi::Value WorldObject::size(const Napi::CallbackInfo& info) {
  return guard(info.Env(),
               [&]() -> Napi::Value { return Napi::Number::New(info.Env(), world().size()); });
}

Napi::Value WorldObject::library(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    const Mpi* const mpi = world().mpi();
    return mpi ? Napi::Value(Napi::String::New(info.Env(), mpi->version())) : info.Env().Null();
  });
}

Napi::Value WorldObject::part(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    World& all = world();
    std::vector<int> members;
    const Napi::Value list = info[0];
    for (uint32_t i = 0; list.IsArray() && i < list.As<Napi::Array>().Length(); i++) {
      const Napi::Value rank = get(list.As<Napi::Array>(), i);
      const int r = rank.IsNumber() ? rank.As<Napi::Number>().Int32Value() : -1;
      if (r < 0 || r >= all.size())
        hs::fail(Code::kOption, "world", "a rank of a part", "one of the world", "another");
      members.push_back(all.members()[size_t(r)]);
    }
    const int id = info[1].IsNumber() ? info[1].As<Napi::Number>().Int32Value() : 0;
    if (id < 1 || id > 30000)
      hs::fail(Code::kOption, "world", "the number of parts", "at most 30000", std::to_string(id));
    if (!all.mpi()) return create(info.Env(), std::make_shared<World>(nullptr));
    return create(info.Env(), std::make_shared<World>(*all.mpi(), members, id));
  });
}

Napi::Value WorldObject::gather(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    World& all = world();
    const std::string call = text_of(info[0], "call"), own = text_of(info[1], "text");
    auto each = std::make_shared<std::vector<std::string>>(1, own);
    const auto meet = [w = world_, each, call, own] {
      w->meet({call});
      *each = w->gather(own);
    };
    return promised(info.Env(), all, meet,
                    [each](Napi::Env env) -> Napi::Value { return to_js(env, *each); });
  });
}

Napi::Value WorldObject::spread(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    World& all = world();
    const std::string call = text_of(info[0], "call");
    if (!info[1].IsTypedArray() ||
        info[1].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
      hs::fail(Code::kOption, "world", "bytes", "a Uint8Array", "something else");
    const Napi::Uint8Array given = info[1].As<Napi::Uint8Array>();
    auto bytes =
        std::make_shared<std::vector<uint8_t>>(given.Data(), given.Data() + given.ElementLength());
    const auto meet = [w = world_, bytes, call] {
      w->meet({call, bytes->size()});
      w->spread(bytes->data(), int64_t(bytes->size()));
    };
    return promised(info.Env(), all, meet, [bytes](Napi::Env env) -> Napi::Value {
      Napi::Uint8Array result = Napi::Uint8Array::New(env, bytes->size());
      std::copy(bytes->begin(), bytes->end(), result.Data());
      return result;
    });
  });
}

void WorldObject::fail(const Napi::CallbackInfo& info) {
  guard(info.Env(), [&] {
    World& all = world();
    const std::string call = text_of(info[0], "call"), why = text_of(info[1], "why");
    struct Failing final : Task {
      std::shared_ptr<World> world;
      std::string call, why;
      void run() override { world->fail({call}, why); }
      void finished(std::exception_ptr) noexcept override {}
    };
    if (!all.mpi()) return;
    auto task = std::make_shared<Failing>();
    task->world = world_, task->call = call, task->why = why;
    all.mpi()->post(task);
  });
}

Napi::Value WorldObject::leave(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    World& all = world();
    if (all.mpi() && Mpi::running()) {
      all.together([&] { all.meet({"the end"}); });
      all.mpi()->leave();
    }
    return info.Env().Undefined();
  });
}

void WorldObject::abort(const Napi::CallbackInfo& info) {
  guard(info.Env(), [&] {
    World& all = world();
    if (!all.mpi() || !Mpi::running()) return;
    last_words(text_of(info[1], "sentence"));
    const int code = info[0].IsNumber() ? info[0].As<Napi::Number>().Int32Value() : 1;
    all.mpi()->abort(code);
  });
}

}  // namespace hs
