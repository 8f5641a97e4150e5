#include "device/cpu/program_objective.h"

#include <algorithm>

#include "base/arena.h"
#include "base/error.h"

namespace hs {

template <typename real>
ProgramObjective<real>::ProgramObjective(const Config& spec, const char* name)
    : name_(name),
      program_(spec.at("nodes"), name),
      output_(program_.node(spec.at("output"), "its output")),
      tape_(program_, &kernels<real>(), name) {
  for (int i = 0; i < program_.size(); i++) {
    if (!program_[i].leaf()) nodes_.push_back(i);
  }
  stage_.k = &kernels<real>();
}

template <typename real>
void ProgramObjective<real>::bind(const Scored<real>& s) {
  if (s.p_dims == p_dims_ && s.y_dims == y_dims_) return;
  p_dims_.clear();  // until all of this has succeeded
  const std::vector<Dims> dims = program_.dims([&](const Node& leaf) -> Dims {
    if (leaf.is("input") && leaf.index == 0) return s.y_dims;
    if (leaf.is("input") && leaf.index == 1) return s.p_dims;
    fail(Code::kOption, name_, "a leaf", "the targets, the outputs or a number", leaf.type->name);
  });
  const size_t n = dims.size();
  std::vector<char> outside(n, 0), learns(n, 0);
  outside[size_t(output_)] = 1;
  for (size_t i = 0; i < n; i++)
    learns[i] = program_[int(i)].is("input") && program_[int(i)].index == 1;
  tape_.plan(dims, outside, learns);
  frame_ = tape_.frame(dims);
  int64_t total = 0;
  for (const Dims& d : dims) total += aligned(count(d));
  check_budget(2 * total, sizeof(real), name_);
  values_.resize(size_t(total)), grads_.resize(size_t(total));
  temp_.resize(size_t(tape_.temp_size(dims))), spare_.resize(size_t(tape_.spare_size(dims)));
  seed_.resize(size_t(count(dims[size_t(output_)])));
  written_.resize(n);
  std::vector<int64_t> at;
  total = 0;
  for (const Dims& d : dims) at.push_back(total), total += aligned(count(d));
  for (size_t i = 0; i < n; i++) {
    frame_.values[i] = values_.data() + at[size_t(tape_.value_place(int(i)))];
    frame_.grads[i] = grads_.data() + at[size_t(tape_.grad_place(int(i)))];
  }
  stage_.temp = temp_.data(), stage_.temp_size = static_cast<int64_t>(temp_.size());
  stage_.spare = spare_.data();
  y_dims_ = s.y_dims, p_dims_ = s.p_dims;
}

template <typename real>
const real* ProgramObjective<real>::value(const Scored<real>& s) {
  bind(s);
  for (int i = 0; i < program_.size(); i++) {
    real*& value = frame_.values[size_t(i)];
    if (program_[i].is("input")) value = const_cast<real*>(program_[i].index == 0 ? s.y : s.p);
  }
  tape_.fill_numbers(frame_, false);
  tape_.forward(nodes_, frame_, stage_);
  return frame_.values[size_t(output_)];
}

template <typename real>
void ProgramObjective<real>::gradient(const Scored<real>& s, const real* seed, real* dp) {
  std::fill(written_.begin(), written_.end(), 0);
  int outputs = -1;
  for (int i = 0; i < program_.size(); i++) {
    if (program_[i].is("input") && program_[i].index == 1)
      frame_.grads[size_t(i)] = dp, outputs = i;
  }
  if (tape_.wants(output_)) {
    std::copy_n(seed, count(dims()), frame_.grads[size_t(output_)]);
    written_[size_t(output_)] = 1;
    tape_.backward(nodes_, frame_, stage_, written_);
  }
  if (outputs < 0 || !written_[size_t(outputs)]) std::fill_n(dp, s.R * s.K, real(0));
}

template <typename real>
bool ProgramObjective<real>::by_sample(const Scored<real>& s) const {
  const Dims rows(s.p_dims.begin(), s.p_dims.end() - 1);
  if (dims() == rows) return false;
  if (dims() == Dims{s.B}) return true;
  fail(Code::kShape, name_, "its value",
       to_string(rows) + ", one number for each row, or " + to_string({s.B}), to_string(dims()),
       "Take the mean over the last axis.");
}

template <typename real>
void ProgramObjective<real>::scores(const Scored<real>& s) {
  const real* const y = value(s);
  const bool each = by_sample(s);
  const int64_t rest = s.R / (s.T * s.B);
  for (int64_t r = 0; r < s.R; r++) s.score[r] = y[each ? r / rest % s.B : r];
}

template <typename real>
void ProgramObjective<real>::scores_gradient(const Scored<real>& s, real* dp) {
  const bool each = by_sample(s);
  const int64_t rest = s.R / (s.T * s.B);
  std::fill(seed_.begin(), seed_.end(), real(0));
  for (int64_t r = 0; r < s.R; r++) seed_[size_t(each ? r / rest % s.B : r)] += s.coef[r];
  gradient(s, seed_.data(), dp);
}

template <typename real>
double ProgramObjective<real>::mean(const Scored<real>& s) {
  const real* const y = value(s);
  const int64_t n = count(dims());
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += double(y[i]);
  return sum / double(n);
}

template class ProgramObjective<float>;
template class ProgramObjective<double>;

}  // namespace hs
