// What native code throws in cold paths (config, compile, arguments). Kernels never throw.
#pragma once
#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace hs {

// Names of lib/errors.ts: kShape is ERR_SHAPE and so on.
enum class Code {
  kShape,
  kOption,
  kUnknownName,
  kNotCompiled,
  kBusy,
  kDisposed,
  kInternal,
  kOutOfMemory,
  kDevice,
  kRank
};

// where: "lstm_1 (LSTM)" or "lstm_1/W"; what(): the whole sentence "where: what must be expected,
// got actual. Hint."
struct Error : std::exception {
  Code code;
  std::string where, expected, actual, message;
  Error(Code code, std::string where, std::string message, std::string expected = "",
        std::string actual = "")
      : code(code),
        where(std::move(where)),
        expected(std::move(expected)),
        actual(std::move(actual)),
        message(this->where + ": " + message) {}
  const char* what() const noexcept override { return message.c_str(); }
};

// Thrown where a run is cancelled in the middle of a batch, by an op that looks; TypedPlan::run
// catches it.
struct Cancelled {};

// "where: what must be expected, got actual. hint". Views, so that a check costs its caller little
// code.
[[noreturn]] void fail(Code code, std::string_view where, std::string_view what,
                       std::string_view expected, std::string_view actual,
                       std::string_view hint = "");

}  // namespace hs
