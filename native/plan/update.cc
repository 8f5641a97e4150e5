// Keras 1.2.2 optimizers.py, what all of them share.
//   lr_t = lr / (1 + decay * iterations), iterations before the increment; t = iterations + 1
//   clipnorm c > 0:  n = sqrt(sum of squares of all gradients);  g *= c / n where n >= c     (one global norm)
//   clipvalue v > 0: g = min(max(g, -v), v), after that
//   Nadam's schedule: mu_t = beta_1 * (1 - 0.5 * 0.96^(t * schedule_decay)),  m_schedule *= mu_t
// Gradients come in with the regularizers' already added; constraints are applied to the new parameter.
#include "plan/update.h"

#include <cmath>

#include "base/chunks.h"
#include "base/error.h"

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
  moments_.reserve(kernels_->moments * params.learning());
  moments_.zero();
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
      parts_[static_cast<size_t>(&c - chunks_.data())] =
          k_->sum_squares(params.grad(params[c.param]) + c.begin, c.n);
    });
    double squares = 0;
    for (double part : parts_) squares += part;
    const double norm = std::sqrt(squares);
    if (norm >= clipnorm_) {
      const real factor = static_cast<real>(clipnorm_ / norm);
      each_chunk(
          [&](const Chunk& c) { k_->scale(params.grad(params[c.param]) + c.begin, factor, c.n); });
    }
  }
  if (clipvalue_ > 0) {
    const real v = static_cast<real>(clipvalue_);
    each_chunk(
        [&](const Chunk& c) { k_->clip(params.grad(params[c.param]) + c.begin, -v, v, c.n); });
  }
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
    real* moments[4] = {};
    for (int m = 0; m < kernels_->moments && m < 4; m++) moments[m] = moment(p, m) + c.begin;
    kernels_->update(params.value(p) + c.begin, params.grad(p) + c.begin, moments, c.n, h);
  });
  for (const Param& p : params.list()) {
    if (p.trainable) constrain(p.constraint, params.value(p), p.dims, norms_.data());
  }
  iterations += 1;
  m_schedule = h.m_schedule;
}

template class Update<float>;
template class Update<double>;

}  // namespace hs
