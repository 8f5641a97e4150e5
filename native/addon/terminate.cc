// libstdc++ calls this function where nobody catches an exception. Its own one prints the type of
// the exception, and so links a demangler of 50 KB into every binary that contains libstdc++.
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
