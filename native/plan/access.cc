// Reading and writing what a plan holds, by name. Names: plan.h.
#include <algorithm>

#include "base/error.h"
#include "plan/array.h"
#include "plan/typed_plan.h"

namespace hs {
namespace {

const char kGrad[] = ":grad", kCarry[] = ":carry";

bool cut(std::string& name, const std::string& suffix) {
  if (name.size() <= suffix.size() ||
      name.compare(name.size() - suffix.size(), suffix.size(), suffix) != 0)
    return false;
  name.resize(name.size() - suffix.size());
  return true;
}

// "lstm_1/W:1" -> "lstm_1/W" and 1; -1: no number
int cut_index(std::string& name) {
  if (name.size() < 3 || name[name.size() - 2] != ':' || name.back() < '0' || name.back() > '9')
    return -1;
  const int index = name.back() - '0';
  name.resize(name.size() - 2);
  return index;
}

[[noreturn]] void unknown(const std::string& name) {
  throw Error(Code::kUnknownName, "plan", "there is nothing named '" + name + "' now.");
}

}  // namespace

template <typename real>
bool TypedPlan<real>::find_tensor(const std::string& name, Cell& cell) {
  const auto is = [&](real* data, const Dims& dims) { return cell = {data, dims}, true; };
  int p = params_.find(name);
  if (p >= 0) return is(params_.value(params_[p]), params_[p].dims);
  std::string stem = name;
  if (cut(stem, kCarry)) {
    if (const Place* place = graph_.carry_place(stem))
      return is(graph_.carry_at(*place), place->dims);
    EarlyCarry<real>* early = graph_.early_carry(stem);
    return early && is(early->data->data(), early->dims);
  }
  if (cut(stem, kGrad)) {
    p = params_.find(stem);
    return p >= 0 && params_[p].trainable && params_.has_grad(params_[p]) &&
           is(params_.grad(params_[p]), params_[p].dims);
  }
  const int index = cut_index(stem);
  if (index < 0 || index >= update_.moments()) return false;
  p = params_.find(stem);
  return p >= 0 && params_[p].trainable && update_.has_moments() &&
         is(update_.moment(params_[p], index), params_[p].dims);
}

// Of "lstm_1/W:0" before the first step: moments are zero then, and have no memory yet.
template <typename real>
const Param* TypedPlan<real>::moment_to_come(const std::string& name) const {
  std::string stem = name;
  const int index = cut_index(stem);
  const int p = params_.find(stem);
  if (index < 0 || index >= update_.moments() || p < 0 || !params_[p].trainable ||
      update_.has_moments())
    return nullptr;
  return &params_[p];
}

template <typename real>
double* TypedPlan<real>::find_number(const std::string& name) {
  if (name == "optimizer/iterations" && update_.trains()) return &update_.iterations;
  if (name == "optimizer/m_schedule" && update_.trains()) return &update_.m_schedule;
  if (name == "random/seed") return &seed_;
  if (name == "random/step") return &step_;
  return nullptr;
}

template <typename real>
Array TypedPlan<real>::read(const std::string& name) const {
  if (const double* number = const_cast<TypedPlan*>(this)->find_number(name)) {
    Array array;
    array.f64 = {*number};  // whatever the precision: counts must be exact
    return array;           // of no axes
  }
  update_.settle_moments();
  Cell cell;
  const auto fetched = [&](const real* data, const Dims& dims) {
    Array array;
    array.dims = dims;
    std::vector<real>& values = values_of<real>(array);
    values.resize(size_t(count(dims)));  // zeros
    if (data) device_->download(values.data(), data, int64_t(values.size() * sizeof(real)));
    return array;
  };
  if (const_cast<TypedPlan*>(this)->find_tensor(name, cell)) return fetched(cell.data, cell.dims);
  if (const Param* p = moment_to_come(name)) return fetched(nullptr, p->dims);
  if (!graph_.has_values()) unknown(name);
  const auto batch_major = [&](const real* data, const Extent& extent) {
    Array array;
    values_of<real>(array).resize(size_t(extent.size()));
    device_->scatter(values_of<real>(array).data(), data, extent);
    array.dims = extent.dims;
    array.dims.insert(array.dims.begin(), extent.rows);
    return array;
  };
  for (const Value<real>& value : graph_.values()) {
    if (value.name == name) return batch_major(value.data, value.extent);
  }
  for (const MaskValue<real>& mask : graph_.masks()) {
    if (mask.name != name) continue;
    Array array = batch_major(mask.data, {mask.rows, {mask.steps, 1}});
    array.dims.pop_back();
    return array;
  }
  if (const Place* place = graph_.saved_place(name))
    return fetched(graph_.saved_at(*place), place->dims);
  unknown(name);
}

template <typename real>
void TypedPlan<real>::write(const std::string& name, const Array& array, int64_t from) {
  const auto check_shape = [&](const Dims& dims) {
    if (array.dims == dims && (array.f32.size() + array.f64.size()) == size_t(count(dims))) return;
    const bool turned = array.dims.size() == 2 && dims.size() == 2 && array.dims[0] == dims[1] &&
                        array.dims[1] == dims[0];
    fail(Code::kShape, name, "shape", to_string(dims), to_string(array.dims),
         turned ? "Transposed?" : "");
  };
  if (double* number = find_number(name)) {
    check_shape(array.dims.empty() ? Dims{} : Dims{1});
    *number = checked_number("plan", name, array.f64.empty() ? double(array.f32[0]) : array.f64[0]);
    return;
  }
  if (moment_to_come(name)) update_.prepare(params_);
  Cell cell;
  std::string stem = name;
  if (cut(stem, kCarry) && (array.f32.size() + array.f64.size()) == size_t(count(array.dims)))
    graph_.expect_carry(stem, array.dims);
  stem = name;
  if (!find_tensor(name, cell) || cut(stem, kGrad)) unknown(name);
  const int64_t size = count(cell.dims);
  if (from < 0) {
    check_shape(cell.dims);
  } else {
    const int64_t n = array.dims.size() == 1 ? array.dims[0] : -1;
    if (n < 0 || from > size || n > size - from)
      fail(Code::kShape, name, "a part from number " + std::to_string(from),
           "within " + to_string(cell.dims), to_string(array.dims));
  }
  update_.settle_moments();
  std::vector<real> values(array.f32.begin(), array.f32.end());
  for (double v : array.f64) values.push_back(static_cast<real>(v));
  device_->upload(cell.data + std::max<int64_t>(0, from), values.data(),
                  int64_t(values.size() * sizeof(real)));
  stem = name;
  if (cut_index(stem) >= 0) update_.moment_written(params_.find(stem));
  if (params_.find(name) >= 0) graph_.params_changed();
  if (cut(stem, kCarry)) graph_.committed();
}

template <typename real>
void TypedPlan<real>::set(const std::string& key, double value) {
  if (key == "seed" || key == "step") {
    (key == "seed" ? seed_ : step_) = checked_number("plan", "random/" + key, value);
    return;
  }
  if (!update_.set(key, value)) {
    throw Error(Code::kUnknownName, "plan", "there is no setting named '" + key + "'.");
  }
}

template <typename real>
std::vector<std::string> TypedPlan<real>::names() const {
  std::vector<std::string> names;
  for (const Param& p : params_.list()) {
    names.push_back(p.path);
    if (!p.trainable) continue;
    if (params_.has_grad(p)) names.push_back(p.path + kGrad);
    for (int i = 0; i < update_.moments(); i++) names.push_back(p.path + ":" + std::to_string(i));
  }
  for (const Place& place : graph_.carry().places()) names.push_back(place.name + kCarry);
  for (const EarlyCarry<real>& early : graph_.early_carries()) names.push_back(early.path + kCarry);
  if (update_.trains()) names.insert(names.end(), {"optimizer/iterations", "optimizer/m_schedule"});
  names.insert(names.end(), {"random/seed", "random/step"});
  if (!graph_.has_values()) return names;
  for (const Value<real>& value : graph_.values()) names.push_back(value.name);
  for (const MaskValue<real>& mask : graph_.masks()) names.push_back(mask.name);
  for (const Place& place : graph_.saved().places()) names.push_back(place.name);
  return names;
}

#define HS_INSTANTIATE(real)                                                       \
  template Array TypedPlan<real>::read(const std::string&) const;                  \
  template void TypedPlan<real>::write(const std::string&, const Array&, int64_t); \
  template void TypedPlan<real>::set(const std::string&, double);                  \
  template std::vector<std::string> TypedPlan<real>::names() const;                \
  template bool TypedPlan<real>::find_tensor(const std::string&, Cell&);           \
  template const Param* TypedPlan<real>::moment_to_come(const std::string&) const; \
  template double* TypedPlan<real>::find_number(const std::string&);
HS_INSTANTIATE(float)
HS_INSTANTIATE(double)
#undef HS_INSTANTIATE

}  // namespace hs
