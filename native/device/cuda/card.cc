#include "device/cuda/card.h"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

#include "base/error.h"

namespace hs {
namespace {

constexpr const char* kWhere = "device 'cuda'";
constexpr int kMajor = 75, kMinor = 76;  // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*
// CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, CLOCK_RATE, MEMORY_CLOCK_RATE, GLOBAL_MEMORY_BUS_WIDTH
constexpr int kProcessors = 16, kClock = 13, kMemoryClock = 36, kBus = 37;
constexpr int kNotFound = 500;  // CUDA_ERROR_NOT_FOUND
constexpr int kLeastMajor = 7;  // kernels are made for compute capability 7.0
constexpr int kHopper = 9;
constexpr int kErrorLog = 5, kErrorLogBytes = 6;  // CU_JIT_ERROR_LOG_BUFFER, and its _SIZE_BYTES
constexpr int kAllocFailed = 3;                   // CUBLAS_STATUS_ALLOC_FAILED

// Each thread of Node that loads the package says the path.
struct Path {
  std::mutex mutex;
  std::string path;
};
Path& kernels_path() {
  static Path* const path = new Path();
  return *path;
}

// PTX, which ends in a line with a hash of what comes before (scripts/build-kernels.mjs). It must
// be the one that this binary was built with: both know how arguments of kernels lie.
std::string kernels() {
  const char* const given = std::getenv("HIDDENSTATE_CUDA_KERNELS");
  Path& known = kernels_path();
  const std::lock_guard<std::mutex> lock(known.mutex);
  const std::string path = given ? given : known.path;
  std::string text;
  if (std::FILE* const file = std::fopen(path.c_str(), "rb")) {
    char part[1 << 16];
    for (size_t n; (n = std::fread(part, 1, sizeof(part), file)) > 0;) text.append(part, n);
    std::fclose(file);
  }
  if (text.empty())
    throw Error(Code::kDevice, kWhere, "the kernels could not be read from '" + path + "'.");
  const std::string last = std::string("\n// ") + HS_KERNELS + "\n";
  if (text.size() < last.size() || text.compare(text.size() - last.size(), last.size(), last) != 0)
    throw Error(Code::kDevice, kWhere,
                "the kernels in '" + path + "' are not those that this binary was built with (" +
                    HS_KERNELS +
                    "). Install the package anew; in a checkout, build it: npm run build:all.");
  return text;
}

int attribute(const CudaDriver& driver, int which, int device) {
  int value = 0;
  check_cuda(driver.cuDeviceGetAttribute(&value, which, device), "cuDeviceGetAttribute");
  return value;
}

}  // namespace

void set_cuda_kernels(const std::string& path) {
  Path& known = kernels_path();
  const std::lock_guard<std::mutex> lock(known.mutex);
  known.path = path;
}

Card::Opened Card::open_context(const CudaDriver& driver, int ordinal) {
  int count = 0, device = 0;
  check_cuda(driver.cuDeviceGetCount(&count), "cuDeviceGetCount");
  if (ordinal < 0 || ordinal >= count) {
    throw Error(Code::kDevice, kWhere,
                "there is no card " + std::to_string(ordinal) + ": the driver finds " +
                    std::to_string(count) + ", counted from 0.");
  }
  check_cuda(driver.cuDeviceGet(&device, ordinal), "cuDeviceGet");
  const int major = attribute(driver, kMajor, device), minor = attribute(driver, kMinor, device);
  if (major < kLeastMajor) {
    throw Error(Code::kDevice, kWhere,
                "card " + std::to_string(ordinal) + " has compute capability " +
                    std::to_string(major) + "." + std::to_string(minor) + ", 7.0 is needed.");
  }
  void* context = nullptr;
  check_cuda(driver.cuDevicePrimaryCtxRetain(&context, device), "cuDevicePrimaryCtxRetain");
  check_cuda(driver.cuCtxSetCurrent(context), "cuCtxSetCurrent");
  return {context, major, minor};
}

// Workspaces are what cuBLAS' guide says of cublasSetWorkspace: 32 MiB from Hopper on, else 4 MiB.
Card::Card(const CudaDriver& driver, const Cublas& blas, int ordinal, const Opened& opened)
    : driver(driver),
      blas(blas),
      ordinal(ordinal),
      major(opened.major),
      minor(opened.minor),
      workspace(size_t(opened.major >= kHopper ? 32 : 4) << 20),
      context_(opened.context) {
  const std::string image = kernels();
  char log[4096] = "";  // what the compiler of the driver says
  int options[] = {kErrorLog, kErrorLogBytes};
  void* values[] = {log, reinterpret_cast<void*>(uintptr_t(sizeof(log)))};
  const int result = driver.cuModuleLoadDataEx(&module_, image.c_str(), 2, options, values);
  log[sizeof(log) - 1] = 0;
  check_cuda(result, "cuModuleLoadDataEx", log);
}

namespace {

// Of a cuBLAS that does not start with this driver, the reason; else "".
std::string refusal(const Cublas& blas) {
  void* handle = nullptr;
  const int status = blas.cublasCreate_v2(&handle);
  if (status == kAllocFailed) check_cublas(status, "cublasCreate");  // no other one has more memory
  if (status != 0) {
    return blas.name + ": cublasCreate gave status " + std::to_string(status) +
           ", as it does where the driver is too old for it";
  }
  blas.cublasDestroy_v2(handle);
  return "";
}

struct Cards {
  std::mutex mutex;
  std::unordered_map<int, std::unique_ptr<Card>> open;
  const Cublas* blas = nullptr;  // of the one that was opened last
};
Cards& all_cards() {
  static Cards* const cards = new Cards();
  return *cards;
}

}  // namespace

Card& Card::open(int ordinal) {
  Cards& cards = all_cards();
  const std::lock_guard<std::mutex> lock(cards.mutex);
  std::unique_ptr<Card>& card = cards.open[ordinal];
  if (!card) {
    std::string why;
    const CudaDriver* const driver = cuda_driver(&why);
    if (!driver) throw Error(Code::kDevice, kWhere, why + ".");
    if (!find_cublas(&why)) throw Error(Code::kDevice, kWhere, why + ".");
    const Opened opened = open_context(*driver, ordinal);
    const Cublas* const blas = find_cublas(&why, refusal);
    if (!blas) throw Error(Code::kDevice, kWhere, why + ".");
    card.reset(new Card(*driver, *blas, ordinal, opened));
    cards.blas = blas;
  }
  return *card;
}

// At every call: other code in the process may have chosen another context for the thread.
void Card::use() const { check_cuda(driver.cuCtxSetCurrent(context_), "cuCtxSetCurrent"); }

void* Card::kernel(const std::string& name) {
  const std::lock_guard<std::mutex> lock(mutex_);
  void*& function = kernels_[name];
  if (function) return function;
  const int result = driver.cuModuleGetFunction(&function, module_, name.c_str());
  if (result == kNotFound)
    throw Error(Code::kInternal, kWhere, "there is no kernel named '" + name + "'.");
  check_cuda(result, "cuModuleGetFunction");
  return function;
}

CudaInfo cuda_info() {
  CudaInfo info;
  const CudaDriver* const driver = cuda_driver(&info.why);
  Cards& cards = all_cards();
  const std::lock_guard<std::mutex> lock(cards.mutex);
  const Cublas* const blas = cards.blas ? cards.blas : find_cublas(&info.why_no_blas);
  if (blas) info.blas = blas->name;
  if (!driver) return info;
  driver->cuDriverGetVersion(&info.driver);
  int count = 0;
  driver->cuDeviceGetCount(&count);
  for (int i = 0; i < count; i++) {
    CardInfo card;
    int device = 0;
    char name[256] = "";
    size_t bytes = 0;
    driver->cuDeviceGet(&device, i);
    driver->cuDeviceGetName(name, sizeof(name), device);
    driver->cuDeviceTotalMem_v2(&bytes, device);
    const std::pair<int*, int> facts[] = {{&card.major, kMajor},
                                          {&card.minor, kMinor},
                                          {&card.processors, kProcessors},
                                          {&card.clock, kClock},
                                          {&card.memory_clock, kMemoryClock},
                                          {&card.bus, kBus}};
    for (const auto& [to, which] : facts) driver->cuDeviceGetAttribute(to, which, device);
    card.name = name;
    card.memory = static_cast<int64_t>(bytes);
    info.cards.push_back(card);
  }
  return info;
}

}  // namespace hs
