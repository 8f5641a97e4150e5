#include "device/cuda/card.h"

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "base/error.h"

namespace hs {
namespace {

constexpr const char* kWhere = "device 'cuda'";
constexpr int kMajor = 75, kMinor = 76;  // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*
constexpr int kNotFound = 500;           // CUDA_ERROR_NOT_FOUND
constexpr int kLeastMajor = 7;           // kernels are made for compute capability 7.0

// Each thread of Node that loads the package says the path.
struct Path {
  std::mutex mutex;
  std::string path;
};
Path& kernels_path() {
  static Path* const path = new Path();
  return *path;
}

// PTX, or whatever else the driver takes for a module.
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

Card::Card(const CudaDriver& driver, const Cublas& blas, int ordinal)
    : driver(driver), blas(blas), ordinal(ordinal) {
  int count = 0, device = 0;
  check_cuda(driver.cuDeviceGetCount(&count), "cuDeviceGetCount");
  if (ordinal < 0 || ordinal >= count) {
    throw Error(Code::kDevice, kWhere,
                "there is no card " + std::to_string(ordinal) + ": the driver finds " +
                    std::to_string(count) + ", counted from 0.");
  }
  check_cuda(driver.cuDeviceGet(&device, ordinal), "cuDeviceGet");
  const int major = attribute(driver, kMajor, device);
  if (major < kLeastMajor) {
    throw Error(Code::kDevice, kWhere,
                "card " + std::to_string(ordinal) + " has compute capability " +
                    std::to_string(major) + "." +
                    std::to_string(attribute(driver, kMinor, device)) + ", 7.0 is needed.");
  }
  const std::string image = kernels();
  check_cuda(driver.cuDevicePrimaryCtxRetain(&context_, device), "cuDevicePrimaryCtxRetain");
  use();
  check_cuda(driver.cuModuleLoadData(&module_, image.c_str()), "cuModuleLoadData");
}

Card& Card::open(int ordinal) {
  static std::mutex* const mutex = new std::mutex();
  static auto* const cards = new std::unordered_map<int, std::unique_ptr<Card>>();
  const std::lock_guard<std::mutex> lock(*mutex);
  std::unique_ptr<Card>& card = (*cards)[ordinal];
  if (!card) {
    std::string why;
    const CudaDriver* const driver = cuda_driver(&why);
    const Cublas* const blas = driver ? cublas(&why) : nullptr;
    if (!blas) throw Error(Code::kDevice, kWhere, why + ".");
    card.reset(new Card(*driver, *blas, ordinal));
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
  if (const Cublas* const blas = cublas(&info.why_no_blas)) info.blas = blas->name;
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
    driver->cuDeviceGetAttribute(&card.major, kMajor, device);
    driver->cuDeviceGetAttribute(&card.minor, kMinor, device);
    card.name = name;
    card.memory = static_cast<int64_t>(bytes);
    info.cards.push_back(card);
  }
  return info;
}

}  // namespace hs
