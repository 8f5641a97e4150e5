#include "device/cuda/refusals.h"

namespace hs {
namespace {

struct Words {
  Code code;
  const char *what, *expected, *hint;
};
#define HS_REFUSAL(name, code, listed, what, expected, hint) {Code::code, what, expected, hint},
constexpr Words kWords[] = {HS_CARD_REFUSALS(HS_REFUSAL)};
#undef HS_REFUSAL

}  // namespace

void refuse(CardRefusal refusal, const std::string& where, const std::string& actual) {
  const Words& words = kWords[int(refusal)];
  fail(words.code, where, words.what, words.expected, actual, words.hint);
}

}  // namespace hs
