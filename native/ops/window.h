// A window over rows and columns: which positions look at what.
#pragma once
#include <algorithm>
#include <string>

#include "base/arena.h"
#include "base/error.h"
#include "base/shape.h"

namespace hs {

// One axis of a window over a value.
struct Axis {
  int64_t in = 1, out = 1;  // extents of what is looked at, and of the positions that look
  int64_t taps = 1, stride = 1, step = 1, offset = 0, zoom = 1;

  // What tap i of position q looks at; -1: nothing (beyond the border, or between the strides).
  int64_t at(int64_t q, int64_t i) const {
    const int64_t p = q * stride + i * step + offset;
    if (p < 0 || (zoom > 1 && p % zoom != 0)) return -1;
    return p / zoom < in ? p / zoom : -1;
  }
  // The same axis seen by what was looked at.
  Axis turned() const { return {out, in, taps, 1, -step, -offset, stride}; }
};

// Elements from the first to the last tap.
inline int64_t reach(int64_t taps, int64_t dilation) {
  return checked_count({taps - 1, dilation}, "convolution") + 1;
}

// Elements that TensorFlow's 'SAME' pads on the left, so that ceil(in / stride) windows fit: half
// of all, the larger half right.
inline int64_t pad_as_tensorflow(int64_t in, int64_t span, int64_t stride) {
  const int64_t out = (in + stride - 1) / stride;
  return std::max<int64_t>(0, (out - 1) * stride + span - in) / 2;
}

// The axis of a convolution. As on Theano the kernel is flipped: tap i stands for the kernel's
// element taps - 1 - i seen from the left; 'same' pads reach/2 on the left. Keras 1.2.2
// theano_backend.py:1366-1376, :1447-1456, np_utils.py conv_output_length. 'same_tf' pads as
// TensorFlow does; 'causal' on the left alone, so that no position looks ahead. out < 1: the window
// does not fit.
inline Axis convolution_axis(int64_t in, int64_t taps, int64_t stride, int64_t dilation,
                             const std::string& border) {
  const int64_t span = reach(taps, dilation);
  int64_t pad = 0, length = in - span + 1;
  if (border == "same") {
    pad = span / 2, length = in;
  } else if (border == "same_tf") {
    pad = pad_as_tensorflow(in, span, stride), length = in;
  } else if (border == "causal") {
    pad = span - 1, length = in;
  } else if (border == "full") {
    pad = span - 1, length = in + span - 1;
  } else if (border != "valid") {
    throw Error(Code::kUnknownName, "convolution",
                "there is no border mode named '" + border + "'.");
  }
  return {
      in, length < 1 ? 0 : (length + stride - 1) / stride, taps, stride, -dilation, span - 1 - pad,
      1};
}

// A window over values that lie as [outer, rows, inner, columns, channels]: time-major ones have
// outer 1 and inner B, samples that lie one after the other outer B and inner 1. Positions are
// numbered in the same order.
struct Window {
  int64_t outer = 1, inner = 1;
  Axis rows, columns;

  int64_t taps() const { return rows.taps * columns.taps; }
  int64_t positions() const { return outer * inner * rows.out * columns.out; }
  Window turned() const { return {outer, inner, rows.turned(), columns.turned()}; }
};

// Keras' two orders of a kernel's axes. `th`: [N, D, rows, columns]; else [rows, columns, D, N].
inline Dims kernel_dims(bool th, int64_t rows, int64_t columns, int64_t D, int64_t N) {
  return th ? Dims{N, D, rows, columns} : Dims{rows, columns, D, N};
}

}  // namespace hs
