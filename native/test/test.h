// A small test harness.  TEST(name) { CHECK(x == 1); }
//   Failures are counted and printed; the test goes on.
//   native_tests [part of a name]
//     runs those; prints "N passed, N failed"; exit code 1 if any failed or none ran
#pragma once
#include <cmath>
#include <string>
#include <vector>

namespace hs {
namespace test {

struct Case {
  const char* name;
  void (*run)();
};
std::vector<Case>& cases();
void report_failure(const char* file, int line,
                    const std::string& what);  // the running test has failed

struct Registration {
  Registration(const char* name, void (*run)()) { cases().push_back({name, run}); }
};

#define TEST(name)                                                           \
  static void test_##name();                                                 \
  static const ::hs::test::Registration register_##name(#name, test_##name); \
  static void test_##name()

#define CHECK(condition) CHECK_MESSAGE(condition, "")
#define CHECK_MESSAGE(condition, message)                                                        \
  do {                                                                                           \
    if (!(condition))                                                                            \
      ::hs::test::report_failure(__FILE__, __LINE__, std::string(#condition) + " " + (message)); \
  } while (0)

#define CHECK_CLOSE(actual, expected, tolerance)                                           \
  do {                                                                                     \
    const double actual_ = (actual), expected_ = (expected);                               \
    if (!(std::fabs(actual_ - expected_) <= (tolerance)))                                  \
      ::hs::test::report_failure(__FILE__, __LINE__,                                       \
                                 std::string(#actual) + " is " + std::to_string(actual_) + \
                                     ", not " + std::to_string(expected_));                \
  } while (0)

// The statement must throw an Error of this code whose message holds `part`.
#define CHECK_ERROR(statement, expected_code, part)                                  \
  do {                                                                               \
    bool thrown_ = false;                                                            \
    try {                                                                            \
      statement;                                                                     \
    } catch (const ::hs::Error& error_) {                                            \
      thrown_ = true;                                                                \
      CHECK_MESSAGE(error_.code == (expected_code), error_.message);                 \
      CHECK_MESSAGE(error_.message.find(part) != std::string::npos, error_.message); \
    }                                                                                \
    CHECK_MESSAGE(thrown_, #statement " did not throw");                             \
  } while (0)

}  // namespace test
}  // namespace hs
