// Arrays and requests across the boundary.
#pragma once
#include <napi.h>

#include <string>

#include "plan/plan.h"

namespace hs {

// A copy of { data: Float32Array | Float64Array | Int32Array | Uint8Array, shape: number[] }, with
// the numbers in f64 or else in f32. where: what messages call it. Throws Error(kShape, kOption).
Array to_array(const Napi::Value& value, bool float64, const std::string& where);

// { data, shape }: a Float64Array or a Float32Array, whichever of the two is filled.
Napi::Object to_js(Napi::Env env, const Array& array);

Napi::Array to_js(Napi::Env env, const std::vector<Array>& arrays);

// Throws Error(kInternal) for what a Number does not hold exactly: beyond 2^53.
Napi::Number to_js(Napi::Env env, int64_t n);

// RunResult of lib/native.ts
Napi::Object to_js(Napi::Env env, const RunResult& result);

// Whether the key is there and true.
bool flag(const Napi::Object& object, const char* key);

// RunRequest of lib/native.ts, without its data. Throws Error(kOption).
RunRequest to_request(const Napi::Object& object);

Napi::Array to_js(Napi::Env env, const std::vector<std::string>& texts);

}  // namespace hs
