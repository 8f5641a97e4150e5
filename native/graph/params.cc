#include "graph/params.h"

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
  if (of_) {
    const int other = of_->find(config.str("from"));
    if (other < 0 || (*of_)[other].dims != p.dims)
      fail(Code::kInternal, p.path, "what it is from", "a parameter " + to_string(p.dims),
           "'" + config.str("from") + "'");
    p.offset = (*of_)[other].offset;
  }
  const int index = static_cast<int>(list_.size());
  if (!by_path_.emplace(p.path, index).second)
    fail(Code::kInternal, p.path, "the name of a parameter", "unique", "a second one");
  list_.push_back(std::move(p));
  return index;
}

template <typename real>
void Params<real>::allocate(const std::vector<char>& learns) {
  of_ = nullptr;
  if (!owns_) return;
  for (const bool wanted : {true, false}) {
    for (size_t i = 0; i < list_.size(); i++) {
      if (bool(learns[i]) != wanted) continue;
      list_[i].offset = total_;
      total_ = checked_sum(total_, aligned(list_[i].size), list_[i].path);
    }
    if (wanted) trained_size_ = total_;
  }
  check_budget(total_ * int64_t(sizeof(real)), device_->room(0), "the parameters of the model");
  store_->values.make_zeros(total_);
}

template <typename real>
void Params<real>::need_gradients() {
  if (grads_.size() >= trained_size_) return;
  grads_.make_zeros(trained_size_);
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
void Params<real>::penalties(double* sum, bool gradients) const {
  device_->zero(sum, sizeof(double));
  for (const Param& p : list_) {
    if (!p.penalty.any()) continue;
    const bool adds = gradients && p.trainable;
    device_->penalize(sum, p.penalty, value(p), adds ? grad(p) : nullptr, p.rows.get(), p.dims);
  }
}

template <typename real>
void Params<real>::check_gradients(double* finite) const {
  for (const Param& p : list_) {
    if (p.trainable) device_->check(finite, grad(p), p.rows.get(), p.size);
  }
}

template <typename real>
int Params<real>::first_bad_gradient() const {
  // From the end, as gradients are made.
  for (size_t i = list_.size(); i-- > 0;) {
    const Param& p = list_[i];
    if (p.trainable && !device_->finite(grad(p), p.rows.get(), p.size)) return static_cast<int>(i);
  }
  return -1;
}

template class Params<float>;
template class Params<double>;

}  // namespace hs
