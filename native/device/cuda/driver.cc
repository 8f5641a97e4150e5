#include "device/cuda/driver.h"

#include <cstdlib>
#include <vector>

#if defined(_WIN32)
#include <windows.h>
#else
#include <dlfcn.h>
#endif

#include "base/error.h"

namespace hs {
namespace {

constexpr const char* kWhere = "device 'cuda'";

#if defined(_WIN32)
const std::vector<std::string> kDriverNames = {"nvcuda.dll"};
const std::vector<std::string> kBlasNames = {"cublas64_13.dll", "cublas64_12.dll",
                                             "cublas64_11.dll"};
void* open_library(const std::string& name) { return LoadLibraryA(name.c_str()); }
void* symbol_of(void* library, const char* name) {
  return reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(library), name));
}
#else
const std::vector<std::string> kDriverNames = {"libcuda.so.1", "libcuda.so"};
const std::vector<std::string> kBlasNames = {"libcublas.so.13", "libcublas.so.12",
                                             "libcublas.so.11"};
void* open_library(const std::string& name) { return dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL); }
void* symbol_of(void* library, const char* name) { return dlsym(library, name); }
#endif

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value ? value : "";
}

std::string listed(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  return all;
}

// The first of the names that can be opened, or nullptr.
void* open_any(const std::vector<std::string>& names, std::string* opened) {
  for (const std::string& name : names) {
    if (void* const library = open_library(name)) return *opened = name, library;
  }
  return nullptr;
}

template <class Table>
struct Found {
  Table table;
  bool ok = false;
  std::string why;
};

// Of Found::table; false, with why, where the library lacks one.
#define HS_FIND(name, args)                                                             \
  if (!(found.table.name =                                                              \
            reinterpret_cast<decltype(found.table.name)>(symbol_of(library, #name)))) { \
    found.why = opened + " has no function " #name;                                     \
    return found;                                                                       \
  }

Found<CudaDriver> find_driver() {
  Found<CudaDriver> found;
  const std::string given = variable("HIDDENSTATE_LIBCUDA");
  const std::vector<std::string> names =
      given.empty() ? kDriverNames : std::vector<std::string>{given};
  std::string opened;
  void* const library = open_any(names, &opened);
  if (!library) {
    found.why = "no NVIDIA driver: looked for " + listed(names);
    return found;
  }
  HS_CUDA_FUNCTIONS(HS_FIND)
  found.table.graphs = true;
#define HS_FIND_GRAPH(name, args)                                                             \
  found.table.name = reinterpret_cast<decltype(found.table.name)>(symbol_of(library, #name)); \
  found.table.graphs = found.table.graphs && found.table.name;
  HS_CUDA_GRAPH_FUNCTIONS(HS_FIND_GRAPH)
#undef HS_FIND_GRAPH
  const int result = found.table.cuInit(0);
  if (result != 0) {
    const char* text = nullptr;
    found.table.cuGetErrorString(result, &text);
    found.why = "the NVIDIA driver did not start: " + std::string(text ? text : "unknown error") +
                " (cuInit, " + std::to_string(result) + ")";
    return found;
  }
  int count = 0;
  found.table.cuDeviceGetCount(&count);
  if (count == 0) found.why = "the NVIDIA driver finds no card";
  found.ok = count > 0;
  return found;
}

Found<Cublas> find_cublas() {
  Found<Cublas> found;
  const std::string given = variable("HIDDENSTATE_LIBCUBLAS");
  std::vector<std::string> names;
  if (!given.empty()) {
    names = {given};
  } else {
    const std::string folder = variable("HIDDENSTATE_CUBLAS");
    for (const std::string& name : kBlasNames) {
      if (!folder.empty()) names.push_back(folder + "/" + name);
    }
#if defined(_WIN32)
    const std::string toolkit = variable("CUDA_PATH");
    for (const std::string& name : kBlasNames) {
      if (!toolkit.empty()) names.push_back(toolkit + "\\bin\\" + name);
    }
#endif
    names.insert(names.end(), kBlasNames.begin(), kBlasNames.end());
  }
  std::string opened;
  void* const library = open_any(names, &opened);
  if (!library) {
    found.why = "cuBLAS 11, 12 or 13 not found: looked for " + listed(names) +
                ". HIDDENSTATE_CUBLAS may name its folder, as that of Python's nvidia-cublas";
    return found;
  }
  HS_CUBLAS_FUNCTIONS(HS_FIND)
  found.table.name = opened;
  found.ok = true;
  return found;
}
#undef HS_FIND

template <class Table>
const Table* or_why(const Found<Table>& found, std::string* why) {
  if (!found.ok && why) *why = found.why;
  return found.ok ? &found.table : nullptr;
}

}  // namespace

const CudaDriver* cuda_driver(std::string* why) {
  static const Found<CudaDriver>* const found = new Found<CudaDriver>(find_driver());
  return or_why(*found, why);
}

const Cublas* cublas(std::string* why) {
  static const Found<Cublas>* const found = new Found<Cublas>(find_cublas());
  return or_why(*found, why);
}

void check_cuda(int result, const char* call) {
  if (result == 0) return;
  const CudaDriver* const driver = cuda_driver(nullptr);
  const char *name = nullptr, *text = nullptr;
  driver->cuGetErrorName(result, &name);
  driver->cuGetErrorString(result, &text);
  const std::string said = std::string(call) + ": " + (text ? text : "unknown error") + " (" +
                           (name ? name : std::to_string(result)) + ")";
  if (result == 2) {  // CUDA_ERROR_OUT_OF_MEMORY
    size_t free = 0, total = 0;
    driver->cuMemGetInfo_v2(&free, &total);
    throw Error(Code::kOutOfMemory, kWhere,
                said + ". " + std::to_string(free >> 20) + " of " + std::to_string(total >> 20) +
                    " MiB are free on the card. Use a smaller batch, or a smaller model.");
  }
  throw Error(Code::kDevice, kWhere, said + ".");
}

void check_cublas(int result, const char* call) {
  if (result == 0) return;
  // CUBLAS_STATUS_ALLOC_FAILED
  const Code code = result == 3 ? Code::kOutOfMemory : Code::kDevice;
  throw Error(code, kWhere, std::string(call) + " gave status " + std::to_string(result) + ".");
}

}  // namespace hs
