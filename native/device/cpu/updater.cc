// Keras 1.2.2 optimizers.py, what all of them share.
//   clipnorm c > 0:  n = sqrt(sum of squares of all gradients);  g *= c / n where n >= c
//     (one global norm)
//   clipvalue v > 0: g = min(max(g, -v), v), after that
// Gradients come in with the regularizers' already added; constraints are applied to the new
// parameter.
//
// The norm is summed chunk by chunk; of a parameter by rows (an embedding), over the rows that have
// a gradient: zeros change no bit of it.
//
// An update skips the rows of such a parameter that it would not change, to the same bits: rows
// without a gradient that never had one; and with SGD without momentum, RMSprop, Adagrad and
// Adadelta all rows without a gradient. The moments of a skipped row catch up before its next
// gradient, or before they are read.
#include "device/cpu/updater.h"

#include <algorithm>
#include <cmath>

#include "base/float_mode.h"
#include "device/cpu/constraints.h"
#include "device/cpu/threads/chunks.h"
#include "device/cpu/written_rows.h"

namespace hs {

template <typename real>
void CpuUpdater<real>::prepare(const std::vector<Param>& params, bool begun) {
  for (size_t i = 0; i < params.size(); i++) {
    const Param& p = params[i];
    const int param = static_cast<int>(i);
    if (!p.trainable || !p.rows) continue;
    const auto same = [&](const Rows& rows) { return rows.param == param; };
    if (std::any_of(rows_.begin(), rows_.end(), same)) continue;
    const int64_t last = begun ? steps_ : kUntouched;
    rows_.push_back({param, p.offset, p.rows->width,
                     std::vector<int64_t>(static_cast<size_t>(p.rows->rows), last)});
  }
  if (!chunks_.empty()) return;
  std::vector<Chunk> chunks;
  int64_t groups = 0;
  for (size_t i = 0; i < params.size(); i++) {
    const Param& p = params[i];
    if (!p.trainable) continue;
    groups = std::max(groups, p.constraint.groups);
    for (int64_t begin = 0; begin < p.size; begin += kChunk) {
      chunks.push_back({static_cast<int>(i), begin, std::min(kChunk, p.size - begin)});
    }
  }
  parts_.resize(chunks.size());
  norms_.resize(static_cast<size_t>(groups));
  chunks_ = std::move(chunks);
}

// fn(chunk) for every chunk of every trainable parameter, over the threads when there are several.
template <typename real>
template <typename Fn>
void CpuUpdater<real>::each_chunk(const Fn& fn) const {
  for_chunks(static_cast<int64_t>(chunks_.size()), 1, kChunk, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) fn(chunks_[static_cast<size_t>(i)]);
  });
}

template <typename real>
void CpuUpdater<real>::clip(const std::vector<Param>& params, const Weights<real>& w,
                            const Clipping& clipping) {
  if (clipping.norm > 0) {
    each_chunk([&](const Chunk& c) {
      const Param& p = params[size_t(c.param)];
      double partial[kPartialSums] = {};
      each_gradient(p, c, [&](int64_t begin, int64_t n) {
        k_->add_squares(partial, w.grads + p.offset + begin, begin - c.begin, n);
      });
      parts_[static_cast<size_t>(&c - chunks_.data())] = k_->fold(partial);
    });
    double squares = 0;
    for (double part : parts_) squares += part;
    const double norm = std::sqrt(squares);
    if (norm >= clipping.norm) {
      const real factor = static_cast<real>(clipping.norm / norm);
      each_chunk([&](const Chunk& c) {
        const Param& p = params[size_t(c.param)];
        each_gradient(p, c, [&](int64_t begin, int64_t n) {
          k_->scale(w.grads + p.offset + begin, factor, n);
        });
      });
    }
  }
  if (clipping.value > 0) {
    const real v = static_cast<real>(clipping.value);
    each_chunk([&](const Chunk& c) {
      const Param& p = params[size_t(c.param)];
      each_gradient(
          p, c, [&](int64_t begin, int64_t n) { k_->clip(w.grads + p.offset + begin, -v, v, n); });
    });
  }
}

// fn(begin, n) for the parts of a chunk that have a gradient: of a parameter by rows, other rows
// are zero.
template <typename real>
template <typename Fn>
void CpuUpdater<real>::each_gradient(const Param& p, const Chunk& c, const Fn& fn) const {
  if (!p.rows) return fn(c.begin, c.n);
  const GradRows& rows = *p.rows;
  const int64_t end = c.begin + c.n;
  hs::each_run(
      c.begin / rows.width, tiles_of(end, rows.width),
      [&](int64_t v) { return rows.written[size_t(v)]; },
      [&](int64_t v0, int64_t v1) {
        const int64_t begin = std::max(c.begin, v0 * rows.width);
        fn(begin, std::min(end, v1 * rows.width) - begin);
      });
}

template <typename real>
void CpuUpdater<real>::apply(const std::vector<Param>& params, const Weights<real>& w,
                             const Hyper& h, const Clipping& clipping, const double* finite) {
  if (*finite == 0) return;
  clip(params, w, clipping);
  each_chunk([&](const Chunk& c) {
    const Param& p = params[size_t(c.param)];
    if (!p.rows) update(w, p, c.begin, c.n, h);
  });
  for (Rows& rows : rows_) update_rows(rows, params[size_t(rows.param)], w, h);
  steps_ += 1;
  for (const Param& p : params) {
    if (p.trainable) constrain(p.constraint, w.values + p.offset, p.dims, norms_.data());
  }
}

template <typename real>
void CpuUpdater<real>::update(const Weights<real>& w, const Param& p, int64_t begin, int64_t n,
                              const Hyper& h) const {
  const int64_t at = p.offset + begin;
  kernels_->update(w.values + at, w.grads + at, moments_at(w, at).data(), n, h);
}

template <typename real>
typename CpuUpdater<real>::Moments CpuUpdater<real>::moments_at(const Weights<real>& w,
                                                                int64_t offset) const {
  Moments moments = {};
  for (size_t m = 0; m < moments.size() && int(m) < kernels_->moments; m++)
    moments[m] = w.moments + int64_t(m) * w.stride + offset;
  return moments;
}

// Whether rows without a gradient stay as they are, but for their moments.
template <typename real>
bool CpuUpdater<real>::can_wait(const Hyper& h) const {
  real* const none[4] = {};
  return kernels_->skip && kernels_->skip(none, 0, 0, h);
}

template <typename real>
void CpuUpdater<real>::update_rows(Rows& rows, const Param& p, const Weights<real>& w,
                                   const Hyper& h) {
  const GradRows& gradient = *p.rows;
  const bool zero_is_still = h.epsilon > 0;  // else 0 / 0
  const bool wait = zero_is_still && can_wait(h);
  const auto due = [&](int64_t v) {
    if (gradient.written[size_t(v)]) return true;
    return rows.last[size_t(v)] == kUntouched ? !zero_is_still : !wait;
  };
  each_row_run(gradient, due, [&](int64_t v0, int64_t v1) {
    for (int64_t v = v0; v < v1; v++) {
      catch_up(rows, v, w, h);
      rows.last[size_t(v)] = steps_ + 1;
    }
    update(w, p, v0 * rows.width, (v1 - v0) * rows.width, h);
  });
}

template <typename real>
void CpuUpdater<real>::catch_up(Rows& rows, int64_t v, const Weights<real>& w,
                                const Hyper& h) const {
  int64_t& last = rows.last[size_t(v)];
  if (last == kUntouched || last == steps_) return;
  kernels_->skip(moments_at(w, rows.offset + v * rows.width).data(), rows.width, steps_ - last, h);
  last = steps_;
}

template <typename real>
void CpuUpdater<real>::settle(const Weights<real>& w, const Hyper& h) {
  const FlushDenormals as_in_updates;
  for (Rows& rows : rows_)
    for (int64_t v = 0; v < static_cast<int64_t>(rows.last.size()); v++) catch_up(rows, v, w, h);
}

template <typename real>
void CpuUpdater<real>::moment_written(int param) {
  for (Rows& rows : rows_)
    if (rows.param == param) std::fill(rows.last.begin(), rows.last.end(), steps_);
}

template class CpuUpdater<float>;
template class CpuUpdater<double>;

}  // namespace hs
