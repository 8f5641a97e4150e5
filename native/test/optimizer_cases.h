// What the tests know of every optimizer: a new one has its entries here.
#pragma once
#include <cmath>
#include <functional>
#include <map>
#include <string>

#include "device/cpu/kernels/optimizer.h"
#include "test/plan_spec.h"

namespace hs {
namespace test {

// The formula for one number, in double (Keras 1.2.2 optimizers.py). m: its moments.
using Formula = std::function<void(double& p, double g, double* m, const Hyper&)>;

inline const std::map<std::string, Formula> kFormulas = {
    {"sgd",
     [](double& p, double g, double* m, const Hyper& h) {
       m[0] = h.momentum * m[0] - h.lr_t * g;
       p = h.nesterov ? p + h.momentum * m[0] - h.lr_t * g : p + m[0];
     }},
    {"rmsprop",
     [](double& p, double g, double* m, const Hyper& h) {
       m[0] = h.rho * m[0] + (1 - h.rho) * g * g;
       p -= h.lr_t * g / (std::sqrt(m[0]) + h.epsilon);
     }},
    {"adagrad",
     [](double& p, double g, double* m, const Hyper& h) {
       m[0] += g * g;
       p -= h.lr_t * g / (std::sqrt(m[0]) + h.epsilon);
     }},
    {"adadelta",
     [](double& p, double g, double* m, const Hyper& h) {
       m[0] = h.rho * m[0] + (1 - h.rho) * g * g;
       const double u = g * std::sqrt(m[1] + h.epsilon) / std::sqrt(m[0] + h.epsilon);
       p -= h.lr_t * u;
       m[1] = h.rho * m[1] + (1 - h.rho) * u * u;
     }},
    {"adam",
     [](double& p, double g, double* m, const Hyper& h) {
       const double rate =
           h.lr_t * std::sqrt(1 - std::pow(h.beta_2, h.t)) / (1 - std::pow(h.beta_1, h.t));
       m[0] = h.beta_1 * m[0] + (1 - h.beta_1) * g;
       m[1] = h.beta_2 * m[1] + (1 - h.beta_2) * g * g;
       p -= rate * m[0] / (std::sqrt(m[1]) + h.epsilon);
     }},
    {"adamax",
     [](double& p, double g, double* m, const Hyper& h) {
       m[0] = h.beta_1 * m[0] + (1 - h.beta_1) * g;
       m[1] = std::max(h.beta_2 * m[1], std::fabs(g));
       p -= h.lr_t / (1 - std::pow(h.beta_1, h.t)) * m[0] / (m[1] + h.epsilon);
     }},
    {"nadam",
     [](double& p, double g, double* m, const Hyper& h) {
       m[0] = h.beta_1 * m[0] + (1 - h.beta_1) * g;
       m[1] = h.beta_2 * m[1] + (1 - h.beta_2) * g * g;
       const double g1 = g / (1 - h.m_schedule), m1 = m[0] / (1 - h.m_schedule_next),
                    v1 = m[1] / (1 - std::pow(h.beta_2, h.t));
       p -= h.lr * ((1 - h.momentum_t) * g1 + h.momentum_t_1 * m1) / (std::sqrt(v1) + h.epsilon);
     }},
};

// Hyperparameters as the plan would give them before step t, rounded as Keras' variables are.
template <typename real>
inline Hyper hyper_at(int t, bool nesterov, double* schedule) {
  Hyper h;
  h.lr = real(0.01), h.lr_t = real(0.01 / (1 + 0.1 * (t - 1)));
  h.momentum = real(0.9), h.rho = real(0.95), h.beta_1 = real(0.9), h.beta_2 = real(0.999),
  h.epsilon = 1e-8;
  h.nesterov = nesterov, h.t = t;
  const auto mu = [&](int s) { return h.beta_1 * (1 - 0.5 * std::pow(0.96, s * 0.004)); };
  h.momentum_t = mu(t), h.momentum_t_1 = mu(t + 1);
  h.m_schedule = *schedule *= h.momentum_t;
  h.m_schedule_next = h.m_schedule * h.momentum_t_1;
  return h;
}

struct Setting {
  const char* optimizer;
  std::initializer_list<std::pair<const std::string, Config>> options;
  bool constrained;
};

inline const Setting kSettings[] = {
    {"sgd", {{"momentum", number(0)}}, false},
    {"sgd", {{"momentum", number(0.9)}, {"nesterov", flag(true)}}, false},
    {"rmsprop", {{"rho", number(0.9)}, {"clipnorm", number(0.3)}}, false},
    {"rmsprop", {{"rho", number(0.9)}}, true},
    {"adagrad", {{"decay", number(0.1)}, {"clipvalue", number(0.1)}}, false},
    {"adadelta", {{"rho", number(0.95)}}, false},
    {"adam", {{"beta1", number(0.9)}, {"beta2", number(0.999)}}, false},
    {"adamax", {{"beta1", number(0.9)}, {"beta2", number(0.999)}}, true},
    {"nadam",
     {{"beta1", number(0.9)}, {"beta2", number(0.999)}, {"scheduleDecay", number(0.004)}},
     false},
    {"adam",
     {{"beta1", number(0.9)},
      {"beta2", number(0.999)},
      {"clipnorm", number(1.5)},
      {"clipvalue", number(0.2)}},
     false},
};

}  // namespace test
}  // namespace hs
