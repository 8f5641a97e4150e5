#include <cstdio>
#include <exception>
#include <string>

#include "device/cpu/kernels/table.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {
int failures = 0;
}

std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

void report_failure(const char* file, int line, const std::string& what) {
  failures++;
  std::printf("%s:%d: %s\n", file, line, what.c_str());
}

}  // namespace test
}  // namespace hs

// native_tests [PART]: the tests whose names hold PART. native_tests --isas: the instruction sets
// there are, one a line.
int main(int argc, char** argv) {
  const std::string wanted = argc > 1 ? argv[1] : "";
  if (wanted == "--isas") {
    for (const char* const* isa = hs::available_isas(); *isa; isa++) std::puts(*isa);
    return 0;
  }
  int passed = 0, failed = 0;
  for (const hs::test::Case& c : hs::test::cases()) {
    if (std::string(c.name).find(wanted) == std::string::npos) continue;
    const int before = hs::test::failures;
    try {
      c.run();
    } catch (const std::exception& error) {
      hs::test::report_failure(c.name, 0, error.what());
    }
    const bool good = hs::test::failures == before;
    good ? passed++ : failed++;
    if (!good) std::printf("FAILED %s\n", c.name);
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed > 0 || passed == 0 ? 1 : 0;
}
