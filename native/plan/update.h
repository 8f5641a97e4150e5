// The update of the parameters from their gradients: clipping, optimizer, constraints.
#pragma once
#include <array>
#include <string>
#include <vector>

#include "optimizers/optimizer.h"
#include "plan/params.h"

namespace hs {

// Returns `value` if the number of that name may have it; every way to set one comes through here: spec, set() and write().
// Counts and seeds are whole numbers from 0 (exact in a double), m_schedule is a number from 0, hyperparameters are finite.
// Throws Error(kOption).
double checked_number(const std::string& where, const std::string& name, double value);

template <typename real>
class Update {
 public:
  // optimizer: { name, lr, decay, ... } with the keys of lib/optimizers/classes.ts; nullptr: the model does not train
  Update(const Config* optimizer, const Table<real>* k);

  bool trains() const { return kernels_ != nullptr; }
  int moments() const { return kernels_ ? kernels_->moments : 0; }
  // false: no such key. Throws Error(kOption) as checked_number().
  bool set(const std::string& key, double value);

  // Allocates the moments, zero, and all that apply() needs. On bad_alloc nothing has changed. Again for a parameter by rows that was
  // none before.
  void prepare(const Params<real>& params);
  // Changes params and moments; gradients are clipped in place. Allocates nothing; where threads cannot be started it throws
  // before it has changed a parameter.
  void apply(Params<real>& params);

  double iterations = 0, m_schedule = 1;
  // As after current(); whoever writes it calls moment_written().
  real* moment(const Param& p, int i) const { return moments_.data() + i * stride_ + p.offset; }
  // Where a row's moments are behind (Rows), brings them up to date.
  void current() const;
  void moment_written(int param);
  bool has_moments() const { return moments_.data() != nullptr; }
  int64_t bytes() const { return moments_.bytes(); }

 private:
  struct Chunk {
    int param;
    int64_t begin, n;
  };
  // Of a parameter by rows: those without a gradient wait, if they can. last [rows]: the step (of steps_) up to which a row's moments
  // have come; kUntouched: they are zero, and a gradient of zero changes neither them nor the parameter.
  struct Rows {
    int param;
    int64_t offset, width;
    std::vector<int64_t> last;
  };
  static constexpr int64_t kUntouched = -1;

  using Moments = std::array<real*, 4>;

  void clip(Params<real>& params);
  template <typename Fn>
  void each_gradient(const Param& p, const Chunk& c, const Fn& fn) const;
  Moments moments_at(int64_t offset) const;  // of the element that lies there among the parameters
  void update(const Params<real>& params, const Param& p, int64_t begin, int64_t n,
              const Hyper& h) const;
  void update_rows(Rows& rows, const Params<real>& params, const Hyper& h);
  bool can_wait(const Hyper& h) const;
  void catch_up(Rows& rows, int64_t v) const;
  template <typename Fn>
  void each_chunk(const Fn& fn) const;

  const Table<real>* k_;
  const OptimizerKernels<real>* kernels_ = nullptr;
  Hyper hyper_;
  double decay_ = 0, clipnorm_ = 0, clipvalue_ = 0;
  Block<real> moments_;
  int64_t stride_ = 0;
  std::vector<Chunk> chunks_;
  mutable std::vector<Rows> rows_;
  int64_t steps_ = 0;          // updates so far
  std::vector<double> parts_;  // [chunks]: sums of squares
  std::vector<double> norms_;  // [groups of the greediest constraint]
};

}  // namespace hs
