#include "device/param.h"

#include <vector>

#include "base/error.h"

namespace hs {
namespace {

const char* const kNames[] = {"maxnorm", "nonneg", "unitnorm", "minmaxnorm", nullptr};

}  // namespace

Penalty Penalty::from(const Config* config) {
  Penalty p;
  if (!config || config->kind == Config::Kind::kNull) return p;
  p.l1 = config->num("l1", 0);
  p.l2 = config->num("l2", 0);
  p.eigenvalue = config->num("eigenvalue", 0);
  return p;
}

const char* const* constraint_names() { return kNames; }

Constraint Constraint::from(const Config* config, const Dims& dims, const std::string& where) {
  Constraint c;
  if (!config || config->kind == Config::Kind::kNull) return c;
  const std::string& name = config->str("name");
  int kind = 0;
  while (kNames[kind] && name != kNames[kind]) kind++;
  if (!kNames[kind])
    throw Error(Code::kUnknownName, where, "there is no constraint named '" + name + "'.");
  c.kind = static_cast<Kind>(kind + 1);
  c.m = config->num("m", 2);
  c.low = config->num("low", 0);
  c.high = config->num("high", 1);
  c.rate = config->num("rate", 1);
  Dims axes = {0};
  if (config->has("axis")) {
    axes = config->at("axis").kind == Config::Kind::kList ? config->dims("axis")
                                                          : Dims{config->integer("axis")};
  }
  const int64_t rank = static_cast<int64_t>(dims.size());
  std::vector<char> summed(dims.size(), 0);
  for (int64_t axis : axes) {
    const int64_t from_start = axis < 0 ? axis + rank : axis;
    if (c.kind != Kind::kNonNeg && (from_start < 0 || from_start >= rank)) {
      fail(Code::kOption, where, "axis of the constraint " + name, "an axis of " + to_string(dims),
           std::to_string(axis));
    }
    if (c.kind != Kind::kNonNeg) summed[size_t(from_start)] = 1;
  }
  if (c.kind == Kind::kNonNeg) return c;
  c.stride.assign(dims.size(), 0);
  c.groups = 1;
  for (size_t d = dims.size(); d-- > 0;) {
    if (summed[d]) continue;
    c.stride[d] = c.groups;
    c.groups *= dims[d];
  }
  return c;
}

}  // namespace hs
