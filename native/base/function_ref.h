// A callable that is borrowed for the length of a call: no allocation, so it cannot fail.
#pragma once

namespace hs {

template <typename Signature>
class FunctionRef;

template <typename Result, typename... Args>
class FunctionRef<Result(Args...)> {
 public:
  template <typename Fn>
  FunctionRef(const Fn& fn)  // NOLINT: lambdas are passed as they are
      : object_(&fn), call_([](const void* object, Args... args) -> Result {
          return (*static_cast<const Fn*>(object))(args...);
        }) {}
  Result operator()(Args... args) const { return call_(object_, args...); }

 private:
  const void* object_;
  Result (*call_)(const void* object, Args... args);
};

}  // namespace hs
