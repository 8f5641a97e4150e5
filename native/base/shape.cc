#include "base/shape.h"

namespace hs {

std::string to_string(const Dims& dims) {
  std::string s = "[";
  for (size_t i = 0; i < dims.size(); i++)
    s += (i ? ", " : "") + (dims[i] < 0 ? std::string("null") : std::to_string(dims[i]));
  return s + "]";
}

std::string Extent::text() const {
  Dims all = dims;
  all.insert(all.begin(), rows);
  return to_string(all);
}

}  // namespace hs
