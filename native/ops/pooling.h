// The shape of `pooling`; its formulas stand in device/cpu/ops/pooling.cc.
#pragma once
#include <initializer_list>
#include <string>

#include "base/error.h"
#include "ops/op.h"
#include "ops/window.h"

namespace hs {

enum class PoolBorder { kValid, kSame, kSameTf };

// asked: of the window; 0: the whole axis. out < 1: it does not fit.
inline PoolAxis pool_axis(int64_t extent, int64_t asked, int64_t stride, PoolBorder border) {
  const int64_t size = asked > 0 ? asked : extent;
  if (border == PoolBorder::kValid)
    return {extent, extent >= size ? (extent - size) / stride + 1 : 0, size, stride, 0};
  const int64_t pad = border == PoolBorder::kSameTf ? pad_as_tensorflow(extent, size, stride)
                      : size > 2 && size % 2 == 1   ? size - 2
                                                    : size - 1;
  return {extent, (extent + stride - 1) / stride, size, stride, pad};
}

// The place of an option's value in the list of those there are.
inline int pooling_one_of(const Config& options, const char* key,
                          std::initializer_list<const char*> all) {
  const std::string& value = options.str(key);
  int i = 0;
  for (const char* one : all) {
    if (value == one) return i;
    i++;
  }
  throw Error(Code::kUnknownName, "pooling",
              std::string("there is no ") + key + " named '" + value + "'.");
}

class PoolingShape : public OpShape {
 public:
  Extent output(const std::vector<Extent>& x) const override {
    const size_t axes = x[0].dims.size();
    if (axes != 2 && axes != 3) {
      fail(Code::kShape, where(), "input", "[B, T, D] or [B, rows, columns, D]", x[0].text());
    }
    const PoolAxis rows = axis(x[0], 0), columns = axis(x[0], 1);
    if (rows.out < 1 || columns.out < 1) {
      fail(Code::kShape, where(), "input",
           "at least as long as the window, " + to_string({rows.size, columns.size}), x[0].text());
    }
    if (axes == 2) return {x[0].rows, {rows.out, x[0].dims[1]}};
    return {x[0].rows, {rows.out, columns.out, x[0].dims[2]}};
  }

 protected:
  PoolingShape(const Config& options, const OpContext& context)
      : OpShape(context),
        size_(options.dims("size")),
        strides_(options.dims("strides")),
        border_(static_cast<PoolBorder>(
            pooling_one_of(options, "border", {"valid", "same", "same_tf"}))),
        max_(pooling_one_of(options, "mode", {"ave", "max"}) == 1) {}

  PoolAxis axis(const Extent& x, size_t i) const {
    const int64_t extent = i == 0 ? x.dims[0] : x.dims.size() == 3 ? x.dims[1] : 1;
    return pool_axis(extent, size_[i], strides_[i], border_);
  }

  Dims size_, strides_;  // along rows and columns
  PoolBorder border_;
  bool max_;
};

}  // namespace hs
