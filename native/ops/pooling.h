// The shape of `pooling`; its formulas stand in device/cpu/ops/pooling.cc.
#pragma once
#include <algorithm>
#include <initializer_list>
#include <string>

#include "base/error.h"
#include "ops/op.h"
#include "ops/window.h"

namespace hs {

struct Span {
  int64_t from, to;
  int64_t size() const { return to - from; }
};

enum class PoolBorder { kValid, kSame, kSameTf };

struct PoolAxis {
  int64_t in, out, size, stride, pad;

  PoolAxis(int64_t extent, int64_t asked, int64_t step, PoolBorder border)
      : in(extent), out(0), size(asked > 0 ? asked : extent), stride(step), pad(0) {
    if (border != PoolBorder::kValid) {
      pad = border == PoolBorder::kSameTf ? pad_as_tensorflow(in, size, stride)
            : size > 2 && size % 2 == 1   ? size - 2
                                          : size - 1;
      out = (in + stride - 1) / stride;
    } else if (in >= size) {
      out = (in - size) / stride + 1;
    }
  }
  Span window(int64_t q) const {  // what position q looks at
    const int64_t start = q * stride - pad;
    return {std::max<int64_t>(0, start), std::min(in, start + size)};
  }
  Span seers(int64_t p) const {  // which positions look at p
    const int64_t first = p + pad - size + 1;
    return {first > 0 ? (first + stride - 1) / stride : 0, std::min(out, (p + pad) / stride + 1)};
  }
};

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
    return {extent, size_[i], strides_[i], border_};
  }

  Dims size_, strides_;  // along rows and columns
  PoolBorder border_;
  bool max_;
};

}  // namespace hs
