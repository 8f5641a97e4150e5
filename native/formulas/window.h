// Which places a position of a window looks at, and the other way round: integers alone, for all
// devices. What options make of them stands in ops/{window,pooling,resize}.h.
#pragma once
#include <stdint.h>

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

struct Span {
  int64_t from, to;
  int64_t size() const { return to - from; }
};

// One axis of a pooling window.
struct PoolAxis {
  int64_t in, out, size, stride, pad;

  Span window(int64_t q) const {  // what position q looks at
    const int64_t start = q * stride - pad, end = start + size;
    return {start > 0 ? start : 0, end < in ? end : in};
  }
  Span seers(int64_t p) const {  // which positions look at p
    const int64_t first = p + pad - size + 1, end = (p + pad) / stride + 1;
    return {first > 0 ? (first + stride - 1) / stride : 0, end < out ? end : out};
  }
};

// One axis that gets longer or shorter: place i of the result shows source(i).
struct ResizeAxis {
  int64_t in, before, repeat, out;

  int64_t source(int64_t i) const {  // -1: none
    const int64_t j = i - before;
    return j >= 0 && j < in * repeat ? j / repeat : -1;
  }
  int64_t first(int64_t j) const {  // of the places that show j
    const int64_t i = j * repeat + before;
    return i > 0 ? i : 0;
  }
  int64_t end(int64_t j) const {
    const int64_t i = (j + 1) * repeat + before;
    return i < out ? i : out;
  }
};

}  // namespace hs
