// Keras 1.2.2 optimizers.py, what all of them share.
//   lr_t = lr / (1 + decay * iterations), iterations before the increment; t = iterations + 1
//   clipnorm c > 0:  n = sqrt(sum of squares of all gradients);  g *= c / n where n >= c     (one global norm)
//   clipvalue v > 0: g = min(max(g, -v), v), after that
//   Nadam's schedule: mu_t = beta_1 * (1 - 0.5 * 0.96^(t * schedule_decay)),  m_schedule *= mu_t
// Gradients come in with the regularizers' already added; constraints are applied to the new parameter.
//
// The norm is summed chunk by chunk; of a parameter by rows (an embedding), over the rows that have a gradient: zeros change no bit of it.
//
// Of such a parameter an update leaves out those it would not change, to the same bits: rows without a gradient that
// never had one; and with SGD without momentum, RMSprop, Adagrad and Adadelta all rows without a gradient. What those updates would
// have made of the moments is made up for before the row's next gradient, or when somebody looks.
#include "plan/update.h"

#include <algorithm>
#include <cmath>

#include "base/chunks.h"
#include "base/error.h"
#include "base/float_mode.h"

namespace hs {

double checked_number(const std::string& where, const std::string& name, double value) {
  const bool whole =
      name == "optimizer/iterations" || name == "random/seed" || name == "random/step";
  const bool from_0 = whole || name == "optimizer/m_schedule";
  const bool fits = std::isfinite(value) && (!from_0 || value >= 0) &&
                    (!whole || (value <= 9007199254740992.0 && value == std::floor(value)));
  if (!fits) {
    fail(Code::kOption, where, name,
         whole    ? "a whole number from 0"
         : from_0 ? "a finite number from 0"
                  : "a finite number",
         std::to_string(value));
  }
  return value;
}

template <typename real>
bool Update<real>::set(const std::string& key, double value) {
  checked_number("optimizer", key, value);
  if (key != "lr") current();  // what waits is from before
  if (key == "lr") return hyper_.lr = value, true;
  if (key == "momentum") return hyper_.momentum = value, true;
  if (key == "nesterov") return hyper_.nesterov = value != 0, true;
  if (key == "rho") return hyper_.rho = value, true;
  if (key == "beta1") return hyper_.beta_1 = value, true;
  if (key == "beta2") return hyper_.beta_2 = value, true;
  if (key == "epsilon") return hyper_.epsilon = value, true;
  if (key == "decay") return decay_ = value, true;
  if (key == "scheduleDecay") return hyper_.schedule_decay = value, true;
  if (key == "clipnorm") return clipnorm_ = value, true;
  if (key == "clipvalue") return clipvalue_ = value, true;
  return false;
}

template <typename real>
Update<real>::Update(const Config* optimizer, const Table<real>* k) : k_(k) {
  if (!optimizer || optimizer->kind == Config::Kind::kNull) return;
  const std::string& name = optimizer->str("name");
  kernels_ = k->optimizer(name.c_str());
  if (!kernels_)
    throw Error(Code::kUnknownName, "optimizer", "there is no optimizer named '" + name + "'.");
  for (const auto& [key, value] : optimizer->tree) {
    if (key == "name" || value.kind == Config::Kind::kNull) continue;
    if (value.kind != Config::Kind::kNumber && value.kind != Config::Kind::kFlag) {
      fail(Code::kInternal, name, "'" + key + "'", "a number", "something else");
    }
    const double number = value.kind == Config::Kind::kFlag ? (value.flag ? 1 : 0) : value.number;
    if (!set(key, number))
      throw Error(Code::kInternal, name, "there is no hyperparameter named '" + key + "'.");
  }
}

template <typename real>
void Update<real>::prepare(const Params<real>& params) {
  for (size_t i = 0; i < params.list().size(); i++) {
    const Param& p = params.list()[i];
    const int param = static_cast<int>(i);
    if (!p.trainable || !p.rows) continue;
    const auto same = [&](const Rows& rows) { return rows.param == param; };
    if (std::any_of(rows_.begin(), rows_.end(), same)) continue;
    const int64_t last = has_moments() ? steps_ : kUntouched;
    rows_.push_back({param, p.offset, p.rows->width,
                     std::vector<int64_t>(static_cast<size_t>(p.rows->rows), last)});
  }
  if (!chunks_.empty() || params.learning() == 0) return;
  std::vector<Chunk> chunks;
  int64_t groups = 0;
  for (size_t i = 0; i < params.list().size(); i++) {
    const Param& p = params.list()[i];
    if (!p.trainable) continue;
    groups = std::max(groups, p.constraint.groups);
    for (int64_t begin = 0; begin < p.size; begin += kChunk) {
      chunks.push_back({static_cast<int>(i), begin, std::min(kChunk, p.size - begin)});
    }
  }
  parts_.resize(chunks.size());
  norms_.resize(static_cast<size_t>(groups));
  moments_.make_zeros(kernels_->moments * params.learning());
  stride_ = params.learning();
  chunks_ = std::move(chunks);
}

// fn(chunk) for every chunk of every trainable parameter, over the threads when there are several.
template <typename real>
template <typename Fn>
void Update<real>::each_chunk(const Fn& fn) const {
  for_chunks(static_cast<int64_t>(chunks_.size()), 1, kChunk, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) fn(chunks_[static_cast<size_t>(i)]);
  });
}

template <typename real>
void Update<real>::clip(Params<real>& params) {
  if (clipnorm_ > 0) {
    each_chunk([&](const Chunk& c) {
      const Param& p = params[c.param];
      double partial[kPartialSums] = {};
      each_gradient(p, c, [&](int64_t begin, int64_t n) {
        k_->add_squares(partial, params.grad(p) + begin, begin - c.begin, n);
      });
      parts_[static_cast<size_t>(&c - chunks_.data())] = k_->fold(partial);
    });
    double squares = 0;
    for (double part : parts_) squares += part;
    const double norm = std::sqrt(squares);
    if (norm >= clipnorm_) {
      const real factor = static_cast<real>(clipnorm_ / norm);
      each_chunk([&](const Chunk& c) {
        const Param& p = params[c.param];
        each_gradient(
            p, c, [&](int64_t begin, int64_t n) { k_->scale(params.grad(p) + begin, factor, n); });
      });
    }
  }
  if (clipvalue_ > 0) {
    const real v = static_cast<real>(clipvalue_);
    each_chunk([&](const Chunk& c) {
      const Param& p = params[c.param];
      each_gradient(p, c,
                    [&](int64_t begin, int64_t n) { k_->clip(params.grad(p) + begin, -v, v, n); });
    });
  }
}

// fn(begin, n) for the parts of a chunk that have a gradient: of a parameter by rows, other rows are zero.
template <typename real>
template <typename Fn>
void Update<real>::each_gradient(const Param& p, const Chunk& c, const Fn& fn) const {
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
void Update<real>::apply(Params<real>& params) {
  Hyper h = hyper_;
  h.lr_t = h.lr / (1 + decay_ * iterations);
  h.t = iterations + 1;
  const auto mu = [&](double t) {
    return h.beta_1 * (1 - 0.5 * std::pow(0.96, t * h.schedule_decay));
  };
  h.momentum_t = mu(h.t);
  h.momentum_t_1 = mu(h.t + 1);
  h.m_schedule = m_schedule * h.momentum_t;
  h.m_schedule_next = h.m_schedule * h.momentum_t_1;

  clip(params);
  each_chunk([&](const Chunk& c) {
    const Param& p = params[c.param];
    if (!p.rows) update(params, p, c.begin, c.n, h);
  });
  for (Rows& rows : rows_) update_rows(rows, params, h);
  steps_ += 1;
  for (const Param& p : params.list()) {
    if (p.trainable) constrain(p.constraint, params.value(p), p.dims, norms_.data());
  }
  iterations += 1;
  m_schedule = h.m_schedule;
}

template <typename real>
void Update<real>::update(const Params<real>& params, const Param& p, int64_t begin, int64_t n,
                          const Hyper& h) const {
  kernels_->update(params.value(p) + begin, params.grad(p) + begin,
                   moments_at(p.offset + begin).data(), n, h);
}

template <typename real>
typename Update<real>::Moments Update<real>::moments_at(int64_t offset) const {
  Moments moments = {};
  for (size_t m = 0; m < moments.size() && int(m) < kernels_->moments; m++)
    moments[m] = moments_.data() + int64_t(m) * stride_ + offset;
  return moments;
}

// Whether rows without a gradient stay as they are, but for their moments.
template <typename real>
bool Update<real>::can_wait(const Hyper& h) const {
  real* const none[4] = {};
  return kernels_->rest && kernels_->rest(none, 0, 0, h);
}

template <typename real>
void Update<real>::update_rows(Rows& rows, const Params<real>& params, const Hyper& h) {
  const Param& p = params[rows.param];
  const GradRows& gradient = *p.rows;
  const bool zero_is_still = h.epsilon > 0;  // else 0 / 0
  const bool wait = zero_is_still && can_wait(h);
  const auto due = [&](int64_t v) {
    if (gradient.written[size_t(v)]) return true;
    return rows.last[size_t(v)] == kUntouched ? !zero_is_still : !wait;
  };
  gradient.each_run(due, [&](int64_t v0, int64_t v1) {
    for (int64_t v = v0; v < v1; v++) {
      catch_up(rows, v);
      rows.last[size_t(v)] = steps_ + 1;
    }
    update(params, p, v0 * rows.width, (v1 - v0) * rows.width, h);
  });
}

template <typename real>
void Update<real>::catch_up(Rows& rows, int64_t v) const {
  int64_t& last = rows.last[size_t(v)];
  if (last == kUntouched || last == steps_) return;
  kernels_->rest(moments_at(rows.offset + v * rows.width).data(), rows.width, steps_ - last,
                 hyper_);
  last = steps_;
}

template <typename real>
void Update<real>::current() const {
  const FlushDenormals as_in_updates;
  for (Rows& rows : rows_)
    for (int64_t v = 0; v < static_cast<int64_t>(rows.last.size()); v++) catch_up(rows, v);
}

template <typename real>
void Update<real>::moment_written(int param) {
  for (Rows& rows : rows_)
    if (rows.param == param) std::fill(rows.last.begin(), rows.last.end(), steps_);
}

template class Update<float>;
template class Update<double>;

}  // namespace hs
