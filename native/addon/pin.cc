#include "addon/pin.h"

#if defined(_WIN32)
#include <windows.h>
#elif !defined(__linux__)
#include <dlfcn.h>
#endif

#include "base/error.h"

namespace hs {
namespace {

// Whether the library that this function lies in stays in the process from now on.
bool pinned() {
#if defined(_WIN32)
  HMODULE module = nullptr;
  return GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
                            reinterpret_cast<LPCWSTR>(&pin_library), &module) != 0;
#elif !defined(__linux__)
  Dl_info library;
  return dladdr(reinterpret_cast<const void*>(&pin_library), &library) != 0 &&
         dlopen(library.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE) != nullptr;
#else
  return true;
#endif
}

}  // namespace

void pin_library() {
  if (!pinned())
    throw Error(Code::kInternal, "addon", "the system does not keep its code in the process.");
}

}  // namespace hs
