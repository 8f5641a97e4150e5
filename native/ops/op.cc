#include "ops/op.h"

namespace hs {

std::string OpContext::where() const { return name + " (" + class_name + ")"; }

Tensor Declaration::param(const char* name, Sizes sizes) { return param(name, Dims(sizes)); }
Tensor Declaration::saved(const char* name, Sizes sizes) { return saved(name, Dims(sizes)); }
Tensor Declaration::scratch(const char* name, Sizes sizes) { return scratch(name, Dims(sizes)); }
Tensor Declaration::carry(const char* name, Sizes sizes) { return carry(name, Dims(sizes)); }
Tensor Declaration::packed(const char* name, Sizes sizes) { return packed(name, Dims(sizes)); }
Tensor Declaration::next(const char* param, Sizes sizes) { return next(param, Dims(sizes)); }

OpShape::OpShape(const OpContext& context) : context_(context) {}
OpShape::~OpShape() = default;

}  // namespace hs
