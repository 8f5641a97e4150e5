// What native code throws in cold paths (config, compile, arguments). Kernels never throw.
#pragma once
#include <exception>
#include <string>
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
  kOutOfMemory
};

// where: "lstm_1 (LSTM)" or "lstm_1/W"; what(): the whole sentence "where: what must be expected, got actual. Hint."
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

// "where: what must be expected, got actual. hint"
[[noreturn]] inline void fail(Code code, const std::string& where, const std::string& what,
                              const std::string& expected, const std::string& actual,
                              const std::string& hint = "") {
  throw Error(
      code, where,
      what + " must be " + expected + ", got " + actual + "." + (hint.empty() ? "" : " " + hint),
      expected, actual);
}

}  // namespace hs
