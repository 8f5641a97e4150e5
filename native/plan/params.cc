#include "plan/params.h"

#include <algorithm>
#include <atomic>

#include "base/chunks.h"
#include "base/error.h"

namespace hs {

template <typename real>
int Params<real>::add(const Config& config) {
  Param p;
  p.path = config.str("path");
  p.dims = config.dims("dims");
  p.size = checked_count(p.dims, p.path);
  p.trainable = config.on("trainable", true);
  if (p.dims.empty()) fail(Code::kInternal, p.path, "a parameter", "at least of one axis", "[]");
  p.penalty = Penalty::from(config.has("penalty") ? &config.at("penalty") : nullptr);
  p.constraint = Constraint::from(config.has("constraint") ? &config.at("constraint") : nullptr,
                                  p.dims, p.path);
  if (p.penalty.eigenvalue != 0 && p.dims.size() != 2) {
    fail(Code::kOption, p.path, "a parameter with an eigenvalue regularizer", "a matrix",
         to_string(p.dims));
  }
  const int index = static_cast<int>(list_.size());
  if (!by_path_.emplace(p.path, index).second)
    fail(Code::kInternal, p.path, "the name of a parameter", "unique", "a second one");
  list_.push_back(std::move(p));
  return index;
}

template <typename real>
void Params<real>::allocate(const std::vector<char>& learns) {
  total_ = 0;
  for (const bool wanted : {true, false}) {
    for (size_t i = 0; i < list_.size(); i++) {
      if (bool(learns[i]) != wanted) continue;
      list_[i].offset = total_;
      total_ = checked_sum(total_, aligned(list_[i].size), list_[i].path);
    }
    if (wanted) learning_ = total_;
  }
  check_budget(total_, sizeof(real), "the parameters of the model");
  values_.make_zeros(total_);
}

template <typename real>
void Params<real>::need_gradients() {
  if (grads_.size() >= learning_) return;
  grads_.make_zeros(learning_);
}

template <typename real>
GradRows* Params<real>::by_rows(int i) {
  Param& p = list_[static_cast<size_t>(i)];
  if (!p.rows) p.rows = std::make_unique<GradRows>(p.dims);
  return p.rows.get();
}

template <typename real>
int Params<real>::find(const std::string& path) const {
  const auto it = by_path_.find(path);
  return it == by_path_.end() ? -1 : it->second;
}

template <typename real>
double Params<real>::penalties(bool gradients, const Table<real>* k) const {
  double sum = 0;
  for (const Param& p : list_) {
    if (!p.penalty.any()) continue;
    const bool adds = gradients && p.trainable;
    if (adds && p.rows) std::fill(p.rows->written.begin(), p.rows->written.end(), char(1));
    sum += penalize(p.penalty, value(p), adds ? grad(p) : nullptr, p.dims, k);
  }
  return sum;
}

template <typename real>
bool Params<real>::gradients_finite(const Table<real>* k, int* first_bad) const {
  // From the end, as gradients are made: the first one found is where it began.
  for (size_t i = list_.size(); i-- > 0;) {
    const Param& p = list_[i];
    if (!p.trainable) continue;
    std::atomic<bool> finite{true};
    const auto look = [&](int64_t begin, int64_t end) {
      if (!k->all_finite(grad(p) + begin, end - begin)) finite = false;
    };
    if (const GradRows* rows = p.rows.get()) {
      rows->each_run([&](int64_t v) { return rows->written[size_t(v)]; },
                     [&](int64_t v0, int64_t v1) { look(v0 * rows->width, v1 * rows->width); });
    } else {
      for_elements(p.size, look);
    }
    if (finite) continue;
    *first_bad = static_cast<int>(i);
    return false;
  }
  return true;
}

template class Params<float>;
template class Params<double>;

}  // namespace hs
