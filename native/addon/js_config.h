// Any JS object made of plain data -> Config.
#pragma once
#include <napi.h>

#include "base/config.h"

namespace hs {

// Objects, arrays, numbers, texts, booleans, null; keys with undefined are left out. Throws
// Error(kInternal) for anything else (functions, symbols, BigInts, typed arrays), for nesting
// beyond 32 levels (cycles) and for more than a million entries.
Config to_config(const Napi::Value& value);

}  // namespace hs
