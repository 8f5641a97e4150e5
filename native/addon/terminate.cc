// What libstdc++ calls where nobody catches an exception. Its own handler spells out the
// exception's type, for which it brings a demangler of 50 KB into every binary that has libstdc++
// inside.
#include <cstdio>
#include <cstdlib>
#include <exception>

#ifdef __GLIBCXX__
namespace __gnu_cxx {

void __verbose_terminate_handler() {
  std::fputs("hiddenstate: an exception was not caught\n", stderr);
  std::abort();
}

}  // namespace __gnu_cxx
#endif
