#include "base/config.h"

#include <cmath>

namespace hs {
namespace {

const char* const kKinds[] = {"null", "a number", "text", "true or false", "a list", "a tree"};

// The owner names itself in `layer` or `name`, if it has one.
std::string owner(const Config& config) {
  for (const char* key : {"layer", "name", "op"}) {
    const auto it = config.tree.find(key);
    if (it != config.tree.end() && it->second.kind == Config::Kind::kText) return it->second.text;
  }
  return "spec";
}

const Config& typed(const Config& config, const std::string& key, Config::Kind kind) {
  const Config& value = config.at(key);
  if (value.kind != kind) {
    fail(Code::kInternal, owner(config), "'" + key + "'", kKinds[static_cast<int>(kind)],
         kKinds[static_cast<int>(value.kind)]);
  }
  return value;
}

int64_t whole(double number, const std::string& where, const std::string& key) {
  if (!(std::fabs(number) <= 9007199254740992.0) || number != std::floor(number)) {
    fail(Code::kInternal, where, "'" + key + "'", "a whole number", std::to_string(number));
  }
  return static_cast<int64_t>(number);
}

}  // namespace

bool Config::has(const std::string& key) const {
  const auto it = tree.find(key);
  return it != tree.end() && it->second.kind != Kind::kNull;
}

const Config& Config::at(const std::string& key) const {
  const auto it = tree.find(key);
  if (it == tree.end()) fail(Code::kInternal, owner(*this), "'" + key + "'", "given", "nothing");
  return it->second;
}

double Config::num(const std::string& key) const { return typed(*this, key, Kind::kNumber).number; }

double Config::num(const std::string& key, double otherwise) const {
  return has(key) ? num(key) : otherwise;
}

int64_t Config::integer(const std::string& key) const { return whole(num(key), owner(*this), key); }

int64_t Config::integer(const std::string& key, int64_t otherwise) const {
  return has(key) ? integer(key) : otherwise;
}

const std::string& Config::str(const std::string& key) const {
  return typed(*this, key, Kind::kText).text;
}

std::string Config::str(const std::string& key, const std::string& otherwise) const {
  return has(key) ? str(key) : otherwise;
}

bool Config::on(const std::string& key, bool otherwise) const {
  return has(key) ? typed(*this, key, Kind::kFlag).flag : otherwise;
}

Dims Config::dims(const std::string& key) const {
  Dims dims;
  for (const Config& entry : typed(*this, key, Kind::kList).list) {
    if (entry.kind == Kind::kNull) {
      dims.push_back(-1);
    } else if (entry.kind == Kind::kNumber) {
      dims.push_back(whole(entry.number, owner(*this), key));
    } else {
      fail(Code::kInternal, owner(*this), "'" + key + "'", "a list of numbers",
           kKinds[static_cast<int>(entry.kind)]);
    }
  }
  return dims;
}

std::vector<std::string> Config::strings(const std::string& key) const {
  std::vector<std::string> strings;
  for (const Config& entry : typed(*this, key, Kind::kList).list) {
    if (entry.kind != Kind::kText) {
      fail(Code::kInternal, owner(*this), "'" + key + "'", "a list of texts",
           kKinds[static_cast<int>(entry.kind)]);
    }
    strings.push_back(entry.text);
  }
  return strings;
}

}  // namespace hs
