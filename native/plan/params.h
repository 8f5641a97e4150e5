// The parameters of a model: where they lie, what they are called, what is asked of them. Their places never move, so they
// can be written before any data come and survive every change of batch size.
#pragma once
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/arena.h"
#include "kernels/table.h"
#include "layers/grad_rows.h"
#include "plan/constraints.h"
#include "plan/penalties.h"

namespace hs {

struct Param {
  std::string path;  // "lstm_1/W"
  Dims dims;
  int64_t offset = 0, size = 0;  // in params and grads, in elements
  bool trainable = true;
  Penalty penalty;
  Constraint constraint;
  std::unique_ptr<GradRows> rows;  // of its gradient, where its layer keeps note of them
};

// They belong to the model: any number of ops may use one. Those of trainable ops lie first: gradients and moments need room for
// those alone.
template <typename real>
class Params {
 public:
  int add(const Config& config);  // ParamSpec of lib/spec.ts
  // learns[i]: an op with a trainable parameter, which writes the gradients of all its parameters, uses parameter i. All become zero.
  void allocate(const std::vector<char>& learns);
  void need_gradients();     // allocates grads, at the first backward pass
  GradRows* by_rows(int i);  // of parameter i, from now on

  const Param& operator[](int i) const { return list_[static_cast<size_t>(i)]; }
  const std::vector<Param>& list() const { return list_; }
  int find(const std::string& path) const;  // index, or -1

  real* values() const { return values_.data(); }
  real* grads() const { return grads_.data(); }
  real* value(const Param& p) const { return values_.data() + p.offset; }
  real* grad(const Param& p) const { return grads_.data() + p.offset; }
  bool learns(const Param& p) const { return p.offset < learning_; }
  bool has_grad(const Param& p) const { return grads_.data() && learns(p); }
  int64_t learning() const { return learning_; }  // elements that have gradients and moments
  int64_t bytes() const { return values_.bytes() + grads_.bytes(); }

  double penalties(bool gradients, const Table<real>* k)
      const;  // their sum; gradients: added to grads of trainable ones, whose rows all count as written then
  bool gradients_finite(const Table<real>* k, int* first_bad) const;

 private:
  std::vector<Param> list_;
  std::unordered_map<std::string, int> by_path_;
  Block<real> values_, grads_;
  int64_t total_ = 0, learning_ = 0;
};

}  // namespace hs
