// Keras 1.2.2 optimizers.py, what all of them share.
//   lr_t = lr / (1 + decay * iterations), iterations before the increment; t = iterations + 1
//   Nadam's schedule: mu_t = beta_1 * (1 - 0.5 * 0.96^(t * schedule_decay)),  m_schedule *= mu_t
// Clipping, the optimizer and constraints are the device's (Updater).
#include "plan/update.h"

#include <cmath>
#include <cstring>

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
  if (key != "lr") settle_moments();  // with the settings they have waited under
  if (key == "lr") return hyper_.lr = value, true;
  if (key == "momentum") return hyper_.momentum = value, true;
  if (key == "nesterov") return hyper_.nesterov = value != 0, true;
  if (key == "rho") return hyper_.rho = value, true;
  if (key == "beta1") return hyper_.beta_1 = value, true;
  if (key == "beta2") return hyper_.beta_2 = value, true;
  if (key == "epsilon") return hyper_.epsilon = value, true;
  if (key == "decay") return decay_ = value, true;
  if (key == "scheduleDecay") return hyper_.schedule_decay = value, true;
  if (key == "clipnorm") return clipping_.norm = value, true;
  if (key == "clipvalue") return clipping_.value = value, true;
  return false;
}

template <typename real>
Update<real>::Update(const Config* optimizer, Device<real>& device) : moments_(device) {
  if (!optimizer || optimizer->kind == Config::Kind::kNull) return;
  const std::string& name = optimizer->str("name");
  updater_ = device.updater(name);
  if (!updater_)
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
  if (params.trained_size() == 0) return;
  updater_->prepare(params.list(), has_moments());
  weights_ = {params.values(), params.grads(), moments_.data(), params.trained_size()};
  if (has_moments()) return;
  moments_.make_zeros(moments() * params.trained_size());
  weights_.moments = moments_.data();
}

template <typename real>
void Update<real>::apply(const Params<real>& params, const double* finite) {
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
  updater_->apply(params.list(), weights_, h, clipping_, finite);
  next_m_schedule_ = h.m_schedule;
}

template <typename real>
void Update<real>::alike(std::vector<int64_t>& numbers) const {
  for (const double number : {clipping_.norm, clipping_.value}) {
    int64_t bits;
    std::memcpy(&bits, &number, sizeof(bits));
    numbers.push_back(bits);
  }
}

template <typename real>
void Update<real>::applied() {
  iterations += 1;
  m_schedule = next_m_schedule_;
}

template <typename real>
void Update<real>::settle_moments() const {
  if (has_moments()) updater_->settle(weights_, hyper_);
}

template <typename real>
void Update<real>::moment_written(int param) {
  updater_->moment_written(param);
}

template class Update<float>;
template class Update<double>;

}  // namespace hs
