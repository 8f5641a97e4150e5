#include "device/cuda/driver.h"

#include <cstdlib>
#include <map>
#include <mutex>

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
constexpr char kSlash = '\\';
// What a file with a path needs is looked for beside it.
void* open_library(const std::string& name) {
  const bool path = name.find_first_of("/\\") != std::string::npos;
  return LoadLibraryExA(name.c_str(), nullptr, path ? LOAD_WITH_ALTERED_SEARCH_PATH : 0);
}
std::string open_error() { return "error " + std::to_string(GetLastError()); }
void* symbol_of(void* library, const char* name) {
  return reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(library), name));
}
#else
const std::vector<std::string> kDriverNames = {"libcuda.so.1", "libcuda.so"};
const std::vector<std::string> kBlasNames = {"libcublas.so.13", "libcublas.so.12",
                                             "libcublas.so.11"};
constexpr char kSlash = '/';
void* open_library(const std::string& name) { return dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL); }
std::string open_error() {
  const char* const text = dlerror();
  return text ? text : "it cannot be opened";
}
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

template <class Table>
struct Found {
  Table table;
  bool ok = false;
  std::string why;
};

// Errors after which all calls of the process fail, on this card: the driver has given up what was
// there (CUDA's documentation of CUresult: "the process must be terminated and relaunched").
bool is_final(int result) {
  switch (result) {
    case 214:  // CUDA_ERROR_ECC_UNCORRECTABLE
    case 220:  // CUDA_ERROR_NVLINK_UNCORRECTABLE
    case 700:  // CUDA_ERROR_ILLEGAL_ADDRESS
    case 702:  // CUDA_ERROR_LAUNCH_TIMEOUT
    case 709:  // CUDA_ERROR_CONTEXT_IS_DESTROYED
    case 710:  // CUDA_ERROR_ASSERT
    case 714:  // CUDA_ERROR_HARDWARE_STACK_ERROR
    case 715:  // CUDA_ERROR_ILLEGAL_INSTRUCTION
    case 716:  // CUDA_ERROR_MISALIGNED_ADDRESS
    case 717:  // CUDA_ERROR_INVALID_ADDRESS_SPACE
    case 718:  // CUDA_ERROR_INVALID_PC
    case 719:  // CUDA_ERROR_LAUNCH_FAILED
    case 999:  // CUDA_ERROR_UNKNOWN
      return true;
    default: return false;
  }
}
constexpr const char* kFinal =
    " The card is of no use to this process any more: go on in a new one. Models on the device "
    "'cpu' "
    "go on in this one, and the last weights that the host has had can be read.";

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
  void* library = nullptr;
  for (size_t i = 0; i < names.size() && !library; i++) library = open_library(opened = names[i]);
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

Found<Cublas> open_cublas(const std::string& opened) {
  Found<Cublas> found;
  void* const library = open_library(opened);
  if (!library) {
    found.why = open_error();
    if (found.why.find(opened) == std::string::npos) found.why = opened + ": " + found.why;
    return found;
  }
  HS_CUBLAS_FUNCTIONS(HS_FIND)
  found.table.name = opened;
  found.ok = true;
  return found;
}
#undef HS_FIND

std::vector<std::string> look_for_cublas() {
  const std::string given = variable("HIDDENSTATE_LIBCUBLAS");
  if (!given.empty()) return {given};
  std::vector<std::string> folders = {variable("HIDDENSTATE_CUBLAS")};
#if defined(_WIN32)
  const std::string toolkit = variable("CUDA_PATH");
  if (!toolkit.empty()) folders.insert(folders.end(), {toolkit + "\\bin\\x64", toolkit + "\\bin"});
#endif
  std::vector<std::string> files;
  for (const std::string& folder : folders) {
    for (const std::string& name : kBlasNames) {
      if (!folder.empty()) files.push_back(folder + kSlash + name);
    }
  }
  files.insert(files.end(), kBlasNames.begin(), kBlasNames.end());
  return files;
}

}  // namespace

const CudaDriver* cuda_driver(std::string* why) {
  static const Found<CudaDriver>* const found = new Found<CudaDriver>(find_driver());
  if (!found->ok && why) *why = found->why;
  return found->ok ? &found->table : nullptr;
}

const std::vector<std::string>& cublas_files() {
  static const auto* const files = new std::vector<std::string>(look_for_cublas());
  return *files;
}

const Cublas* cublas(size_t number, std::string* why) {
  static std::mutex* const mutex = new std::mutex();
  static auto* const opened = new std::map<size_t, Found<Cublas>>();
  const std::lock_guard<std::mutex> lock(*mutex);
  auto it = opened->find(number);
  if (it == opened->end()) it = opened->emplace(number, open_cublas(cublas_files()[number])).first;
  const Found<Cublas>& found = it->second;
  if (!found.ok && why) *why = found.why;
  return found.ok ? &found.table : nullptr;
}

const Cublas* find_cublas(std::string* why, std::string (*use)(const Cublas&)) {
  std::string tried;
  for (size_t i = 0; i < cublas_files().size(); i++) {
    std::string reason;
    const Cublas* const blas = cublas(i, &reason);
    if (blas && use) reason = use(*blas);
    if (blas && reason.empty()) return blas;
    tried += (tried.empty() ? "" : "; ") + reason;
  }
  if (why)
    *why = "no cuBLAS 11, 12 or 13 that can be used: " + tried +
           ". HIDDENSTATE_CUBLAS may name its folder, as that of Python's nvidia-cublas";
  return nullptr;
}

void check_cuda(int result, const char* call, const char* more) {
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
  throw Error(Code::kDevice, kWhere,
              said + (*more ? ": " : "") + more + "." + (is_final(result) ? kFinal : ""));
}

void check_cublas(int result, const char* call) {
  if (result == 0) return;
  // CUBLAS_STATUS_ALLOC_FAILED
  const Code code = result == 3 ? Code::kOutOfMemory : Code::kDevice;
  throw Error(code, kWhere, std::string(call) + " gave status " + std::to_string(result) + ".");
}

}  // namespace hs
