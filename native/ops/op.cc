#include "ops/op.h"

namespace hs {

std::string OpContext::where() const { return name + " (" + class_name + ")"; }

OpShape::OpShape(const OpContext& context) : context_(context) {}
OpShape::~OpShape() = default;

}  // namespace hs
