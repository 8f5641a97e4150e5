// A tree of names: what crosses from TypeScript. Typed getters fail with the owner's name.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/shape.h"

namespace hs {

struct Config {
  enum class Kind { kNull, kNumber, kText, kFlag, kList, kTree } kind = Kind::kNull;
  double number = 0;
  std::string text;
  bool flag = false;
  std::vector<Config> list;
  std::map<std::string, Config> tree;

  bool has(const std::string& key) const;          // present and not null
  const Config& at(const std::string& key) const;  // ERR_INTERNAL when missing
  double num(const std::string& key) const;
  double num(const std::string& key, double otherwise) const;
  int64_t integer(const std::string& key) const;
  int64_t integer(const std::string& key, int64_t otherwise) const;
  const std::string& str(const std::string& key) const;
  std::string str(const std::string& key, const std::string& otherwise) const;
  bool on(const std::string& key, bool otherwise = false) const;
  Dims dims(const std::string& key) const;  // null entries become -1
  std::vector<std::string> strings(const std::string& key) const;
};

}  // namespace hs
