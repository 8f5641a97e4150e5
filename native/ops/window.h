// The window of a convolution over rows and columns (formulas/window.h), from its options.
#pragma once
#include <algorithm>
#include <string>

#include "base/arena.h"
#include "base/error.h"
#include "base/shape.h"
#include "formulas/window.h"

namespace hs {

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

// Keras' two orders of a kernel's axes. `th`: [N, D, rows, columns]; else [rows, columns, D, N].
inline Dims kernel_dims(bool th, int64_t rows, int64_t columns, int64_t D, int64_t N) {
  return th ? Dims{N, D, rows, columns} : Dims{rows, columns, D, N};
}

}  // namespace hs
