#include "addon/js_errors.h"
#include "addon/js_values.h"
#include "addon/plan_object.h"

namespace hs {
namespace {

// Marks the objects that this class has made; no other object in the process has the tag.
constexpr napi_type_tag kDataTag = {0x6869646465e57a7eULL, 0x7374617465646174ULL};

int64_t bytes_of(const DataSet& data) {
  const auto bytes = [](const Array& a) {
    return static_cast<int64_t>(a.f32.size() * sizeof(float) + a.f64.size() * sizeof(double));
  };
  int64_t n = 0;
  for (const std::vector<Array>* list : {&data.x, &data.y, &data.weights}) {
    for (const Array& array : *list) n += bytes(array);
  }
  return n;
}

}  // namespace

void DataObject::define(Napi::Env env, Environment& environment) {
  environment.data_class = Napi::Persistent(
      DefineClass(env, "NativeData",
                  {InstanceAccessor<&DataObject::samples>("samples", napi_enumerable),
                   InstanceMethod<&DataObject::dispose>("dispose")}));
}

Napi::Object DataObject::create(Napi::Env env, std::shared_ptr<const DataSet> data) {
  Environment& environment = Environment::of(env);
  const Constructing given(environment, &data);
  const Napi::Object object = environment.data_class.New({});
  if (napi_type_tag_object(env, object, &kDataTag) != napi_ok) throw Napi::Error::New(env);
  DataObject& made = *Napi::ObjectWrap<DataObject>::Unwrap(object);
  made.reported_ = bytes_of(*data);
  Napi::MemoryManagement::AdjustExternalMemory(env, made.reported_);
  return object;
}

DataObject::DataObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<DataObject>(info) {
  void*& given = Environment::of(info.Env()).constructing;
  if (!given) return;  // called by JavaScript itself: the object has no tag and holds nothing
  data_ = *static_cast<std::shared_ptr<const DataSet>*>(given);
  given = nullptr;
  samples_ = data_->samples;
}

void DataObject::Finalize(Napi::Env env) {
  if (reported_) Napi::MemoryManagement::AdjustExternalMemory(env, -reported_);
}

std::shared_ptr<const DataSet> DataObject::unwrap(const Napi::Value& value) {
  bool ours = false;
  if (value.IsObject() &&
      napi_check_object_type_tag(value.Env(), value, &kDataTag, &ours) == napi_ok && ours) {
    auto data = Napi::ObjectWrap<DataObject>::Unwrap(value.As<Napi::Object>())->data_;
    if (!data) throw Error(Code::kDisposed, "data", "it has been disposed and can be run no more.");
    return data;
  }
  fail(Code::kOption, "run", "data", "the result of plan.load()", "something else");
}

Napi::Value DataObject::samples(const Napi::CallbackInfo& info) {
  return to_js(info.Env(), samples_);
}

void DataObject::dispose(const Napi::CallbackInfo& info) {
  data_.reset();  // runs under way keep it until they end
  if (reported_) Napi::MemoryManagement::AdjustExternalMemory(info.Env(), -reported_);
  reported_ = 0;
}

}  // namespace hs
