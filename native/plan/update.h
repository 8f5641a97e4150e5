// Settings and counts of the update of the parameters. The update itself is the device's (Updater
// in device/device.h).
#pragma once
#include <memory>
#include <string>

#include "graph/params.h"

namespace hs {

// Returns `value` if the number of that name may have it; every way to set one comes through here:
// spec, set() and write(). Counts and seeds are whole numbers from 0 (exact in a double),
// m_schedule is a number from 0, hyperparameters are finite. Throws Error(kOption).
double checked_number(const std::string& where, const std::string& name, double value);

template <typename real>
class Update {
 public:
  // optimizer: { name, lr, decay, ... } with the keys of lib/optimizers/classes.ts; nullptr:
  // the model does not train
  Update(const Config* optimizer, Device<real>& device);

  bool trains() const { return updater_ != nullptr; }
  int moments() const { return updater_ ? updater_->moments() : 0; }
  // false: no such key. Throws Error(kOption) as checked_number().
  bool set(const std::string& key, double value);

  // Allocates the moments, zero, and all that apply() needs. On bad_alloc nothing has changed. Call
  // it again after a parameter has become one by rows.
  void prepare(const Params<real>& params);
  // Asks for an update of params and moments, which happens unless *finite is 0; gradients are
  // clipped in place. applied(): it has happened.
  void apply(const Params<real>& params, const double* finite);
  void applied();

  // Of Device::repeated(): what apply() asks for depends on clipping, whose numbers are no Hyper.
  void alike(std::vector<int64_t>& numbers) const;

  double iterations = 0, m_schedule = 1;
  // Of p, the i-th. settle_moments() comes before it is read, moment_written() after it is written.
  real* moment(const Param& p, int i) const {
    return moments_.data() + i * weights_.stride + p.offset;
  }
  // The device may have left moments of rows for later (Updater): now they catch up.
  void settle_moments() const;
  void moment_written(int param);
  bool has_moments() const { return moments_.data() != nullptr; }
  int64_t bytes() const { return moments_.bytes(); }

 private:
  std::unique_ptr<Updater<real>> updater_;
  Hyper hyper_;
  Clipping clipping_;
  double decay_ = 0, next_m_schedule_ = 1;
  Block<real> moments_;
  Weights<real> weights_;
};

}  // namespace hs
