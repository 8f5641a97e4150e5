// Work on the rows of a gradient that a batch has written (grad_rows.h), over the threads.
#pragma once
#include <algorithm>

#include "device/cpu/threads/chunks.h"
#include "ops/grad_rows.h"

namespace hs {

// fn(v0, v1) for each run of rows with wanted(v); the width counts as work.
template <typename Wanted, typename Fn>
void each_row_run(const GradRows& rows, const Wanted& wanted, const Fn& fn) {
  for_rows(rows.rows, rows.width,
           [&](int64_t begin, int64_t end) { each_run(begin, end, wanted, fn); });
}

// The same for the rows that are written.
template <typename Fn>
void each_written_run(const GradRows& rows, const Fn& fn) {
  each_row_run(rows, [&](int64_t v) { return rows.written[size_t(v)]; }, fn);
}

}  // namespace hs
