#include "addon/js_config.h"

#include "addon/js_errors.h"

namespace hs {
namespace {

constexpr int kMostLevels = 32;
constexpr int64_t kMostEntries = 1000000;
constexpr size_t kLongestText = 1 << 20;

class Converter {
 public:
  Config convert(const Napi::Value& value, int level) {
    if (level > kMostLevels)
      fail(Code::kInternal, "spec", "nesting", "at most 32 levels", "more (a cycle?)");
    if (++entries_ > kMostEntries)
      fail(Code::kInternal, "spec", "size", "at most a million entries", "more");
    Config config;
    switch (value.Type()) {
      case napi_undefined:
      case napi_null: return config;
      case napi_number:
        config.kind = Config::Kind::kNumber;
        config.number = value.As<Napi::Number>().DoubleValue();
        return config;
      case napi_boolean:
        config.kind = Config::Kind::kFlag;
        config.flag = value.As<Napi::Boolean>().Value();
        return config;
      case napi_string:
        config.kind = Config::Kind::kText;
        config.text = text(value);
        return config;
      case napi_object:
        if (value.IsArray()) return list(value.As<Napi::Array>(), level);
        if (!value.IsTypedArray() && !value.IsArrayBuffer() && !value.IsDataView() &&
            !value.IsPromise()) {
          return tree(value.As<Napi::Object>(), level);
        }
        [[fallthrough]];
      default: fail(Code::kInternal, "spec", "an entry", "plain data", "something else");
    }
  }

 private:
  static std::string text(const Napi::Value& value) {
    size_t length = 0;
    if (napi_get_value_string_utf8(value.Env(), value, nullptr, 0, &length) != napi_ok ||
        length > kLongestText) {
      fail(Code::kInternal, "spec", "a text", "at most a million characters", "more");
    }
    return value.As<Napi::String>().Utf8Value();
  }

  Config list(const Napi::Array& array, int level) {
    Config config;
    config.kind = Config::Kind::kList;
    const uint32_t n = array.Length();
    if (n > kMostEntries)
      fail(Code::kInternal, "spec", "a list", "at most a million entries", std::to_string(n));
    for (uint32_t i = 0; i < n; i++) {
      const Napi::HandleScope scope(array.Env());
      config.list.push_back(convert(get(array, i), level + 1));
    }
    return config;
  }

  Config tree(const Napi::Object& object, int level) {
    Config config;
    config.kind = Config::Kind::kTree;
    // its own, not what somebody has hung on Object.prototype
    napi_value names = nullptr;
    if (napi_get_all_property_names(
            object.Env(), object, napi_key_own_only,
            static_cast<napi_key_filter>(napi_key_enumerable | napi_key_skip_symbols),
            napi_key_numbers_to_strings, &names) != napi_ok) {
      throw Napi::Error::New(object.Env());
    }
    const Napi::Array keys(object.Env(), names);
    const uint32_t n = keys.Length();
    for (uint32_t i = 0; i < n; i++) {
      const Napi::HandleScope scope(object.Env());
      const Napi::Value key = get(keys, i);
      const Napi::Value value = get(object, key);
      if (!value.IsUndefined())
        config.tree.emplace(text(key.ToString()), convert(value, level + 1));
    }
    return config;
  }

  int64_t entries_ = 0;
};

}  // namespace

Config to_config(const Napi::Value& value) { return Converter().convert(value, 0); }

}  // namespace hs
