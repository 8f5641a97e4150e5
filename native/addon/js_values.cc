#include "addon/js_values.h"

#include <algorithm>
#include <cmath>

#include "addon/js_errors.h"
#include "base/arena.h"
#include "base/error.h"
#include "device/cpu/pages.h"

namespace hs {
namespace {

constexpr int64_t kMostExact = int64_t{1} << 53;  // a double holds every whole number up to here

Dims to_dims(const Napi::Value& value, const std::string& where) {
  if (!value.IsArray())
    fail(Code::kOption, where, "shape", "an array of numbers", "something else");
  const Napi::Array array = value.As<Napi::Array>();
  if (array.Length() > 32)
    fail(Code::kShape, where, "shape", "of at most 32 axes",
         std::to_string(array.Length()) + " axes");
  Dims dims;
  for (uint32_t i = 0; i < array.Length(); i++) {
    const Napi::Value entry = get(array, i);
    const double d = entry.IsNumber() ? entry.As<Napi::Number>().DoubleValue() : -1;
    if (!(d >= 0 && d <= double(kMostExact)) || d != std::floor(d)) {
      fail(Code::kShape, where, "an extent of shape", "a whole number from 0",
           entry.ToString().Utf8Value());
    }
    dims.push_back(static_cast<int64_t>(d));
  }
  return dims;
}

// The JS thread waits for this copy, and most of the time goes into the first touch of new memory:
// so the memory has large pages, and each number is written once.
template <typename real, typename From>
void copy_to(std::vector<real>& to, const From* from, size_t n) {
  to.reserve(n);
  prefer_large_pages(to.data(), static_cast<int64_t>(n * sizeof(real)));
  to.assign(from, from + n);
}

template <typename From>
void convert(Array& to, const void* data, size_t n, bool float64) {
  const From* from = static_cast<const From*>(data);
  float64 ? copy_to(to.f64, from, n) : copy_to(to.f32, from, n);
}

template <typename real, typename JsArray>
Napi::Value floats(Napi::Env env, const std::vector<real>& data) {
  JsArray array = JsArray::New(env, data.size());
  if (!data.empty()) std::copy(data.begin(), data.end(), array.Data());
  return array;
}

Napi::Array numbers(Napi::Env env, const std::vector<double>& values) {
  const Napi::Array array = Napi::Array::New(env, values.size());
  for (size_t i = 0; i < values.size(); i++)
    array.Set(static_cast<uint32_t>(i), Napi::Number::New(env, values[i]));
  return array;
}

Napi::Array whole_numbers(Napi::Env env, const std::vector<int64_t>& values) {
  const Napi::Array array = Napi::Array::New(env, values.size());
  for (size_t i = 0; i < values.size(); i++)
    array.Set(static_cast<uint32_t>(i), to_js(env, values[i]));
  return array;
}

// The whole number of an optional key.
int64_t whole(const Napi::Object& object, const char* key, int64_t otherwise) {
  const Napi::Value value = get(object, key);
  if (value.IsUndefined() || value.IsNull()) return otherwise;
  const double d = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : std::nan("");
  if (!(d >= 0 && d <= double(kMostExact)) || d != std::floor(d)) {
    fail(Code::kOption, "run", key, "a whole number from 0", value.ToString().Utf8Value());
  }
  return static_cast<int64_t>(d);
}

}  // namespace

Array to_array(const Napi::Value& value, bool float64, const std::string& where) {
  if (!value.IsObject())
    fail(Code::kOption, where, "an array", "{ data, shape }", "something else");
  const Napi::Object object = value.As<Napi::Object>();
  Array array;
  array.dims = to_dims(get(object, "shape"), where);
  const Napi::Value source = get(object, "data");
  if (!source.IsTypedArray()) {
    fail(Code::kOption, where, "data", "a Float32Array, Float64Array, Int32Array or Uint8Array",
         "something else");
  }
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(value.Env(), source, &type, &length, &data, nullptr, nullptr) !=
      napi_ok) {
    fail(Code::kOption, where, "data", "a readable typed array", "one that is not");
  }
  const int64_t wanted = checked_count(array.dims, where);
  if (static_cast<int64_t>(length) != wanted ||
      (wanted > 0 && !data)) {  // a detached array has length 0
    fail(Code::kShape, where, "data",
         std::to_string(wanted) + " numbers, as shape " + to_string(array.dims) + " says",
         std::to_string(length) + " numbers",
         length == 0 && wanted > 0 ? "Was its buffer transferred?" : "");
  }
  switch (type) {
    case napi_float32_array: convert<float>(array, data, length, float64); break;
    case napi_float64_array: convert<double>(array, data, length, float64); break;
    case napi_int32_array: convert<int32_t>(array, data, length, float64); break;
    case napi_uint8_array: convert<uint8_t>(array, data, length, float64); break;
    default:
      fail(Code::kOption, where, "data", "a Float32Array, Float64Array, Int32Array or Uint8Array",
           "another typed array");
  }
  return array;
}

Napi::Object to_js(Napi::Env env, const Array& array) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("data", array.f64.empty() ? floats<float, Napi::Float32Array>(env, array.f32)
                                       : floats<double, Napi::Float64Array>(env, array.f64));
  object.Set("shape", whole_numbers(env, array.dims));
  return object;
}

Napi::Array to_js(Napi::Env env, const std::vector<Array>& arrays) {
  const Napi::Array list = Napi::Array::New(env, arrays.size());
  for (size_t i = 0; i < arrays.size(); i++)
    list.Set(static_cast<uint32_t>(i), to_js(env, arrays[i]));
  return list;
}

Napi::Number to_js(Napi::Env env, int64_t n) {
  if (n > kMostExact || n < -kMostExact)
    fail(Code::kInternal, "native code", "a number for JavaScript", "at most 2^53",
         std::to_string(n));
  return Napi::Number::New(env, static_cast<double>(n));
}

Napi::Object to_js(Napi::Env env, const RunResult& result) {
  Napi::Object object = Napi::Object::New(env);
  const auto number = [&](const char* key, int64_t n) { object.Set(key, to_js(env, n)); };
  number("batches", result.batches);
  number("samples", result.samples);
  object.Set("sums", numbers(env, result.sums));
  object.Set("counted", whole_numbers(env, result.counted));
  object.Set("last", numbers(env, result.last));
  if (!result.outputs.empty()) object.Set("outputs", to_js(env, result.outputs));
  number("badBatch", result.bad_batch);
  object.Set("badLayer", Napi::String::New(env, result.bad_layer));
  object.Set("badNothing", Napi::String::New(env, result.bad_nothing));
  const BadNumber& bad = result.bad_number;
  if (!bad.array.empty()) {
    const Napi::Object place = Napi::Object::New(env);
    place.Set("array", Napi::String::New(env, bad.array));
    place.Set("sample", to_js(env, bad.sample));
    place.Set("at", whole_numbers(env, bad.at));
    place.Set("value", Napi::Number::New(env, bad.value));
    object.Set("badNumber", place);
  }
  number("badBatches", result.bad_batches);
  return object;
}

bool flag(const Napi::Object& object, const char* key) {
  const Napi::Value value = get(object, key);
  return value.IsBoolean() && value.As<Napi::Boolean>().Value();
}

RunRequest to_request(const Napi::Object& object) {
  RunRequest request;
  const Napi::Value mode = get(object, "mode");
  const std::string name = mode.IsString() ? mode.As<Napi::String>().Utf8Value() : "";
  const char* const modes[] = {"train", "test", "predict", "gradient",
                               "call"};  // in the order of Mode
  const auto at = std::find(std::begin(modes), std::end(modes), name);
  if (at == std::end(modes))
    fail(Code::kOption, "run", "mode", "train, test, predict, gradient or call", "'" + name + "'");
  request.mode = static_cast<Mode>(at - std::begin(modes));
  request.training = flag(object, "training");

  const Napi::Value order = get(object, "order");
  if (!order.IsUndefined() && !order.IsNull()) {
    napi_typedarray_type type = napi_float32_array;
    size_t length = 0;
    void* data = nullptr;
    if (!order.IsTypedArray() ||
        napi_get_typedarray_info(object.Env(), order, &type, &length, &data, nullptr, nullptr) !=
            napi_ok ||
        type != napi_int32_array || length == 0) {
      fail(Code::kOption, "run", "order", "an Int32Array that is not empty", "something else");
    }
    const int32_t* from = static_cast<const int32_t*>(data);
    request.order.assign(from, from + length);
  }
  request.from = whole(object, "from", 0);
  request.batch_size = whole(object, "batchSize", 32);
  request.max_batches = whole(object, "maxBatches", -1);
  const Napi::Value sums = get(object, "sums");
  if (sums.IsArray()) {
    const Napi::Array list = sums.As<Napi::Array>();
    for (uint32_t i = 0; i < std::min(list.Length(), uint32_t{1000}); i++)
      request.sums.push_back(get(list, i).ToNumber().DoubleValue());
  }
  const Napi::Value ms = get(object, "maxMs");
  if (ms.IsNumber()) request.max_ms = std::max(0.0, ms.As<Napi::Number>().DoubleValue());
  return request;
}

Napi::Array to_js(Napi::Env env, const std::vector<std::string>& texts) {
  const Napi::Array array = Napi::Array::New(env, texts.size());
  for (size_t i = 0; i < texts.size(); i++)
    array.Set(static_cast<uint32_t>(i), Napi::String::New(env, texts[i]));
  return array;
}

}  // namespace hs
