// The JS class World (NativeWorld of lib/native.ts): ranks that train together.
#pragma once
#include <napi.h>

#include <memory>
#include <string>

#include "addon/environment.h"
#include "plan/plan.h"
#include "world/world_team.h"

namespace hs {

class WorldObject : public Napi::ObjectWrap<WorldObject> {
 public:
  static void define(Napi::Env env, Environment& environment);
  // launcher(): { name, size }, or null where the process has none.
  static Napi::Value launcher(const Napi::CallbackInfo& info);
  // joinWorld(): { done: the promise of the world of all ranks }; of one rank without a launcher.
  static Napi::Value join(const Napi::CallbackInfo& info);
  // What { team: { world, shards, call, rounds, mark, whole, before } } of an object says of a
  // request.
  static void read_team(const Napi::Object&, RunRequest&);

  explicit WorldObject(const Napi::CallbackInfo& info);

 private:
  static Napi::Object create(Napi::Env env, std::shared_ptr<World> world);
  World& world() const;  // Throws Error(kInternal) for what join() has not made.
  Napi::Value rank(const Napi::CallbackInfo& info);
  Napi::Value size(const Napi::CallbackInfo& info);
  Napi::Value library(const Napi::CallbackInfo& info);
  Napi::Value part(const Napi::CallbackInfo& info);
  Napi::Value gather(const Napi::CallbackInfo& info);
  Napi::Value spread(const Napi::CallbackInfo& info);
  void fail(const Napi::CallbackInfo& info);
  Napi::Value leave(const Napi::CallbackInfo& info);
  void abort(const Napi::CallbackInfo& info);

  std::shared_ptr<World> world_;
  // The last one: it has memory that the next run can use.
  std::shared_ptr<WorldTeam> team_;
};

}  // namespace hs
