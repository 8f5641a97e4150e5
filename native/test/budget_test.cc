// Specs and data that ask for more than there is: a typed error, no wrapped product, no process
// that the system ends.
#include "base/arena.h"
#include "base/error.h"
#include "test/plan_spec.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

constexpr double k2to32 = 4294967296.0, k2to52 = 4503599627370496.0;

// What one op over [4, 6] answers to a batch of two.
std::string answer(const std::string& kind, Config options, Code code) {
  const auto plan =
      compile(model({4, 6}, {op(kind, "big", {"input"}, "big", std::move(options))}, "big"));
  try {
    run(*plan, Mode::kPredict, data(array({2, 4, 6}, noise(48, 1)), {}));
  } catch (const Error& error) {
    return error.code == code ? "as wanted" : error.message;
  }
  return "nothing was thrown";
}

}  // namespace

TEST(budget_products_of_a_spec_do_not_wrap) {
  // 2^32 * 2^32 is 0 in 64 bits, and so are 24 = 2^64 + 24 elements: [2^32, 2^32] must not pass for
  // any shape.
  CHECK(answer("reshape", tree({{"dims", list({number(k2to32), number(k2to32)})}}),
               Code::kOutOfMemory) == "as wanted");
  CHECK(answer("reshape", tree({{"dims", list({number(k2to32), number(k2to32), Config()})}}),
               Code::kOutOfMemory) == "as wanted");
  const Config zeros = list({number(0), number(0)});
  CHECK(answer("resize",
               tree({{"before", zeros},
                     {"after", zeros},
                     {"repeat", list({number(k2to52 * 2), number(1)})}}),
               Code::kOutOfMemory) == "as wanted");
  const Config far = tree({{"filters", number(1)},
                           {"size", list({number(4097), number(1)})},
                           {"strides", list({number(1), number(1)})},
                           {"dilation", list({number(k2to52), number(1)})},
                           {"border", text("valid")}});
  CHECK(answer("convolution", far, Code::kOutOfMemory) == "as wanted");
  const auto plan = compile(model(
      {6}, {op("repeat_vector", "big", {"input"}, "big", tree({{"n", number(k2to52)}}))}, "big"));
  CHECK_ERROR(run(*plan, Mode::kPredict, data(array({2, 6}, noise(12, 1)), {})), Code::kOutOfMemory,
              "does not fit");
}

TEST(budget_sums_of_a_plan_do_not_wrap) {
  constexpr int64_t most = int64_t{1} << 46;
  Layout layout;
  CHECK(layout.add("a", {most / 2}) == 0);
  CHECK(layout.add("b", {most / 2}) == most / 2);
  CHECK_ERROR(layout.add("c", {1}), Code::kOutOfMemory, "c: ");
  CHECK(layout.total() == most && layout.places().size() == 2);
  Overlay overlay;
  overlay.add(most, 0, 2);
  CHECK(overlay.add(most, 3, 3) == 0);
  CHECK_ERROR(overlay.add(1, 1, 1), Code::kOutOfMemory, "gradients");
}

TEST(budget_is_the_memory_of_the_machine) {
  // 2^41 numbers, 16 TiB: refused before anything is touched.
  CHECK_ERROR(compile(model({1 << 20}, {dense("d", "input", 1 << 20, 1 << 21, "linear")}, "d")),
              Code::kOutOfMemory, "the parameters of the model: what it needs must be at most");
  const auto plan = compile(
      model({4}, {op("repeat_vector", "r", {"input"}, "r", tree({{"n", number(1e11)}}))}, "r"));
  CHECK_ERROR(run(*plan, Mode::kPredict, data(array({2, 4}, noise(8, 1)), {})), Code::kOutOfMemory,
              "a batch of 2 samples: what it needs must be at most");
}

}  // namespace test
}  // namespace hs
