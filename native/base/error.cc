#include "base/error.h"

namespace hs {

void fail(Code code, std::string_view where, std::string_view what, std::string_view expected,
          std::string_view actual, std::string_view hint) {
  std::string message(what);
  for (std::string_view part :
       {std::string_view(" must be "), expected, std::string_view(", got "), actual,
        std::string_view("."), std::string_view(hint.empty() ? "" : " "), hint})
    message += part;
  throw Error(code, std::string(where), message, std::string(expected), std::string(actual));
}

}  // namespace hs
