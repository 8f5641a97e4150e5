// libcuda and libcublas in one library, for tests on a machine without a card. Kernels and products
// give the card's results but for rounding. What it is stricter in:
//   - Work waits in its stream until somebody waits for it: a missing wait shows as old numbers.
//   - The host may not touch the card's memory, which is NaN at first and lies between guard pages
//     (memory.h).
//   - Streams take turns as a seed has it, one piece of work at a time: stand_in_turns(). Only an
//     event keeps them in order.
//   - Threads of a kernel run from the last to the first, or shuffled: HIDDENSTATE_STAND_IN_ORDER
//     = "reversed" (default), "rising", or a number, the seed.
//   - Products check their leading dimensions and types, that their matrices lie in the card's
//     memory, and that the result has no number in common with an operand; operands are rounded as
//     a card rounds them to bfloat16 and TF32.
//   - A thread must have chosen the context; arguments of a kernel have the size that its PTX says.
//   - While a stream is recorded, what a graph cannot hold is refused, and spoils it; a graph whose
//     memory has been freed fails.
//   - Call number n, of those that may fail on a card, fails: stand_in_fail(). Where that kills the
//     context, so do all calls after it, and what was waiting is never done. The same from when the
//     file HIDDENSTATE_STAND_IN_DEAD is there: for tests from JavaScript.
// HIDDENSTATE_STAND_IN_ATTRIBUTES = "75=7,16=80": what cuDeviceGetAttribute gives (default: as an
// H100: compute capability 9.0); HIDDENSTATE_STAND_IN_NAME: the card's name;
// HIDDENSTATE_STAND_IN_MIB: its memory (8192).
// The functions at the end, with names of their own, are for tests.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "device/cuda/driver.h"
#include "test/stand_in/kernel_list.h"
#include "test/stand_in/state.h"

namespace hs {
namespace test {
namespace {

struct Blas {
  Stream* stream = nullptr;
};

bool is_pinned(const void* p, size_t bytes) {
  const auto& all = state().pinned_bytes;
  auto it = all.upper_bound(static_cast<const char*>(p));
  if (it == all.begin()) return false;
  --it;
  return static_cast<const char*>(p) + bytes <= it->first + it->second;
}

void* pointer(CudaAddress a) { return reinterpret_cast<void*>(static_cast<uintptr_t>(a)); }

// Runs a kernel's threads, which there are n of.
void run_threads(const KernelEntry& kernel, const void* args, int64_t n) {
  static const char* const wanted = std::getenv("HIDDENSTATE_STAND_IN_ORDER");
  static const std::string order = wanted ? wanted : "reversed";
  if (order == "rising") return kernel.run(args, 0, n, 1);
  if (order == "reversed") return kernel.run(args, n - 1, n, -1);
  static std::mt19937_64 random(std::strtoull(order.c_str(), nullptr, 10));
  std::vector<int64_t> threads(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; i++) threads[size_t(i)] = i;
  for (size_t i = threads.size(); i > 1; i--) std::swap(threads[i - 1], threads[random() % i]);
  for (const int64_t thread : threads) kernel.run(args, thread, 1, 1);
}

// A kernel's arguments with the places of numbers instead of the card's addresses.
std::vector<char> on_host(const KernelEntry& kernel, const void* given) {
  std::vector<char> args(kernel.bytes);
  std::memcpy(args.data(), given, kernel.bytes);
  kernel.clear_padding(args.data());
  for (size_t at = 0; at + sizeof(void*) <= kernel.bytes; at += sizeof(void*)) {
    char* word;
    std::memcpy(&word, args.data() + at, sizeof(word));
    word = state().memory.numbers(word);
    std::memcpy(args.data() + at, &word, sizeof(word));
  }
  return args;
}

size_t bytes_of(int type) { return type == kCudaBfloat16 ? 2 : type == kCudaFloat ? 4 : 8; }

// Bytes from the first to the last number of a matrix of so many rows and columns.
size_t span(int rows, int columns, int ld, int type) {
  if (columns == 0) return 0;
  return (size_t(ld) * size_t(columns - 1) + size_t(rows)) * bytes_of(type);
}

// Products of numbers of these types; what is rounded on the way in.
struct ProductKind {
  int operand, result, compute;
};
constexpr ProductKind kProductKinds[] = {{kCudaFloat, kCudaFloat, kComputeFloat},
                                         {kCudaFloat, kCudaFloat, kComputeTf32},
                                         {kCudaBfloat16, kCudaFloat, kComputeFloat},
                                         {kCudaDouble, kCudaDouble, kComputeDouble}};

// Number i of a matrix: a bfloat16 is the upper half of a float; of TF32 11 significant bits count,
// to nearest, halves away from zero (PTX: cvt.rna.tf32).
template <typename real>
double operand_at(const void* x, int64_t i, ProductKind kind) {
  if constexpr (std::is_same_v<real, float>) {
    uint32_t bits;
    if (kind.operand == kCudaBfloat16) {
      bits = uint32_t(static_cast<const uint16_t*>(x)[i]) << 16;
    } else {
      std::memcpy(&bits, static_cast<const float*>(x) + i, sizeof(bits));
      const bool is_number = (bits & 0x7f800000u) != 0x7f800000u;
      if (kind.compute == kComputeTf32 && is_number) bits = (bits + 0x1000u) & 0xffffe000u;
    }
    float number;
    std::memcpy(&number, &bits, sizeof(number));
    return number;
  } else {
    return static_cast<const double*>(x)[i];
  }
}

// Whether two matrices of the same type have a number in common.
template <typename real>
bool overlap(const char* operand, int a_rows, int a_columns, int lda, const real* c, int rows,
             int columns, int ldc) {
  const auto* const a = reinterpret_cast<const real*>(operand);
  const int type = sizeof(real) == 4 ? kCudaFloat : kCudaDouble;
  if (a + span(a_rows, a_columns, lda, type) / sizeof(real) <= c ||
      c + span(rows, columns, ldc, type) / sizeof(real) <= a)
    return false;
  for (int j = 0; j < a_columns; j++) {
    const int64_t first = a + int64_t(j) * lda - c, end = first + a_rows;  // in c
    for (int64_t i = std::max<int64_t>(0, first / ldc); i < columns && i * ldc < end; i++) {
      if (i * ldc + rows > first && rows > 0) return true;
    }
  }
  return false;
}

template <typename real>
int gemm(Blas* blas, int op_a, int op_b, int m, int n, int k, real alpha, const char* a, int lda,
         const char* b, int ldb, real beta, real* c, int ldc, ProductKind kind) {
  StandIn& s = state();
  const int a_rows = op_a ? k : m, a_columns = op_a ? m : k;
  const int b_rows = op_b ? n : k, b_columns = op_b ? k : n;
  if (m < 0 || n < 0 || k < 0 || lda < std::max(1, a_rows) || ldb < std::max(1, b_rows) ||
      ldc < std::max(1, m))
    return kBlasInvalidValue;
  const size_t a_bytes = span(a_rows, a_columns, lda, kind.operand),
               b_bytes = span(b_rows, b_columns, ldb, kind.operand),
               c_bytes = span(m, n, ldc, kind.result);
  if (!s.memory.has(a, a_bytes) || !s.memory.has(b, b_bytes) || !s.memory.has(c, c_bytes))
    return kBlasExecutionFailed;
  if (kind.operand == kind.result && (overlap(a, a_rows, a_columns, lda, c, m, n, ldc) ||
                                      overlap(b, b_rows, b_columns, ldb, c, m, n, ldc)))
    return kBlasInvalidValue;
  const std::vector<const void*> addresses = {a, b, c};
  a = s.memory.numbers(a), b = s.memory.numbers(b), c = s.memory.numbers(c);
  const auto multiply = [=] {
    const size_t rows = size_t(m);
    std::vector<double> x(rows * size_t(k)), sums(rows);  // [k, m], [m]
    for (int l = 0; l < k; l++) {
      for (int i = 0; i < m; i++)
        x[size_t(l) * rows + size_t(i)] =
            operand_at<real>(a, op_a ? l + int64_t(i) * lda : i + int64_t(l) * lda, kind);
    }
    for (int j = 0; j < n; j++) {
      std::fill(sums.begin(), sums.end(), 0.0);
      for (int l = 0; l < k; l++) {
        const double y =
            operand_at<real>(b, op_b ? j + int64_t(l) * ldb : l + int64_t(j) * ldb, kind);
        for (size_t i = 0; i < rows; i++) sums[i] += x[size_t(l) * rows + i] * y;
      }
      for (int i = 0; i < m; i++) {
        real& out = c[i + int64_t(j) * ldc];
        const double old = beta == 0 ? 0 : double(beta) * double(out);
        out = real(double(alpha) * sums[size_t(i)] + old);
      }
    }
  };
  return ask(blas->stream, multiply, addresses) ? kBlasExecutionFailed : 0;
}

}  // namespace
}  // namespace test
}  // namespace hs

// A driver has memory of its own: tests that refuse allocations of the process (oom_test.cc) do not
// refuse these. (CMakeLists.txt has the library bind to them.)
void* operator new(std::size_t n) {
  if (void* const memory = std::malloc(n > 0 ? n : 1)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

using namespace hs;
using namespace hs::test;

HS_API int cuInit(unsigned) {
  HS_LOCKED;
  if (std::getenv("HIDDENSTATE_STAND_IN_NO_CARD")) return 100;
  s.started = true;
  return 0;
}
HS_API int cuDriverGetVersion(int* version) { return *version = 13000, 0; }
HS_API int cuDeviceGetCount(int* count) {
  HS_LOCKED;
  return *count = 1, s.started ? 0 : kNotInitialized;
}
HS_API int cuDeviceGet(int* device, int ordinal) {
  return *device = ordinal, ordinal == 0 ? 0 : kInvalidDevice;
}
HS_API int cuDeviceGetName(char* name, int length, int) {
  const char* const given = std::getenv("HIDDENSTATE_STAND_IN_NAME");
  return std::snprintf(name, size_t(length), "%s", given ? given : "stand-in card"), 0;
}
HS_API int cuDeviceTotalMem_v2(size_t* bytes, int) { return *bytes = state().memory.limit, 0; }
HS_API int cuDeviceGetAttribute(int* value, int attribute, int) {
  std::map<int, int> all = {{13, 1980000}, {16, 132}, {36, 2619000}, {37, 5120}, {75, 9}};
  const char* given = std::getenv("HIDDENSTATE_STAND_IN_ATTRIBUTES");
  for (int number, is, read = 0;
       given && std::sscanf(given, "%d=%d%n", &number, &is, &read) == 2;) {
    all[number] = is;
    given += read + (given[read] == ',');
  }
  return *value = all[attribute], 0;
}
HS_API int cuDevicePrimaryCtxRetain(void** context, int) {
  HS_LOCKED;
  if (const int result = refused()) return result;
  return *context = &s, 0;
}
HS_API int cuCtxSetCurrent(void* chosen) {
  HS_LOCKED;
  if (const int code = dead()) return code;
  return context() = chosen, 0;
}

// Like the driver, it writes what its compiler says where the options have it.
HS_API int cuModuleLoadDataEx(void** module, const void* image, unsigned count, int* options,
                              void** values) {
  HS_MAY_FAIL_OUTSIDE;
  s.image = static_cast<const char*>(image);
  if (s.image.find(".version") != std::string::npos) return *module = &s.image, 0;
  char* log = nullptr;
  size_t room = 0;
  for (unsigned i = 0; i < count; i++) {
    if (options[i] == kErrorLog) log = static_cast<char*>(values[i]);
    if (options[i] == kErrorLogBytes) room = reinterpret_cast<size_t>(values[i]);
  }
  if (log) std::snprintf(log, room, "ptxas application ptx input, line 1; fatal   : no .version");
  return kInvalidPtx;
}
// It must be in both, with arguments of the same size: the PTX that the package ships, and the
// kernels built in here.
HS_API int cuModuleGetFunction(void** function, void*, const char* name) {
  HS_MAY_FAIL;
  const size_t at = s.image.find(".entry " + std::string(name) + "(");
  if (at == std::string::npos) return kNotFound;
  const std::string argument = std::string(name) + "_param_0[";
  const size_t size = s.image.find(argument, at);
  for (const KernelEntry* entry = KernelEntry::first(); entry; entry = entry->next) {
    if (std::string(name) != entry->name) continue;
    const bool same = size != std::string::npos &&
                      std::stoul(s.image.substr(size + argument.size(), 8)) == entry->bytes;
    return *function = const_cast<KernelEntry*>(entry), same ? 0 : kInvalidImage;
  }
  return kNotFound;
}

HS_API int cuLaunchKernel(void* function, unsigned grid, unsigned y, unsigned z, unsigned block,
                          unsigned, unsigned, unsigned, void* stream, void** params, void**) {
  HS_MAY_FAIL;
  if (grid == 0 || y != 1 || z != 1 || block == 0 || block > 1024) return kInvalidValue;
  s.launches++;
  const auto* const kernel = static_cast<const KernelEntry*>(function);
  const std::vector<char> args = on_host(*kernel, params[0]);
  int64_t n = 0;  // the first number of all arguments
  std::memcpy(&n, args.data(), sizeof(n));
  if (n > int64_t(grid) * block) n = int64_t(grid) * block;
  return ask(
      stream, [kernel, args, n] { run_threads(*kernel, args.data(), n); },
      addresses_in(params[0], kernel->bytes));
}

HS_API int cuMemAlloc_v2(CudaAddress* address, size_t bytes) {
  HS_MAY_FAIL_OUTSIDE;
  void* const data = s.memory.allocate(bytes);
  if (!data) return kOutOfMemory;
  return *address = reinterpret_cast<uintptr_t>(data), 0;
}
// As a driver does, it waits for all work first: some of it may be on this memory.
HS_API int cuMemFree_v2(CudaAddress address) {
  HS_IN_CONTEXT;
  if (const int result = not_recorded()) return result;
  for (const auto& stream : s.streams) run_all(*stream);
  return s.memory.release(pointer(address)) ? 0 : kInvalidValue;
}
HS_API int cuMemAllocHost_v2(void** memory, size_t bytes) {
  HS_MAY_FAIL_OUTSIDE;
  *memory = std::malloc(bytes);
  if (!*memory) return kOutOfMemory;
  s.pinned_bytes[static_cast<const char*>(*memory)] = bytes;
  return 0;
}
HS_API int cuMemFreeHost(void* memory) {
  HS_IN_CONTEXT;
  if (const int result = not_recorded()) return result;
  for (const auto& stream : s.streams) run_all(*stream);
  if (s.pinned_bytes.erase(static_cast<const char*>(memory)) == 0) return kInvalidValue;
  return std::free(memory), 0;
}
HS_API int cuMemGetInfo_v2(size_t* free, size_t* total) {
  HS_IN_CONTEXT;
  return *total = s.memory.limit, *free = s.memory.limit - s.memory.used(), 0;
}

// Memory that is not pinned is copied at once, as a driver does; what is pinned, when its turn
// comes: one who writes there too early changes what arrives.
HS_API int cuMemcpyHtoDAsync_v2(CudaAddress to, const void* from, size_t bytes, void* stream) {
  HS_MAY_FAIL;
  if (!s.memory.has(pointer(to), bytes)) return kInvalidValue;
  s.sent += long(bytes);
  std::vector<char> now;
  const bool pinned = is_pinned(from, bytes);
  if (const int result = pinned ? 0 : not_recorded()) return result;
  if (!pinned) now.assign(static_cast<const char*>(from), static_cast<const char*>(from) + bytes);
  void* const there = s.memory.numbers(pointer(to));
  return ask(stream, [=] { std::memcpy(there, now.empty() ? from : now.data(), bytes); },
             {pointer(to)});
}
HS_API int cuMemcpyDtoHAsync_v2(void* to, CudaAddress from, size_t bytes, void* stream) {
  HS_MAY_FAIL;
  if (!s.memory.has(pointer(from), bytes)) return kInvalidValue;
  const void* const there = s.memory.numbers(pointer(from));
  return ask(stream, [=] { std::memcpy(to, there, bytes); }, {pointer(from)});
}
HS_API int cuMemcpyDtoDAsync_v2(CudaAddress to, CudaAddress from, size_t bytes, void* stream) {
  HS_MAY_FAIL;
  if (!s.memory.has(pointer(to), bytes) || !s.memory.has(pointer(from), bytes))
    return kInvalidValue;
  void* const there = s.memory.numbers(pointer(to));
  const void* const source = s.memory.numbers(pointer(from));
  return ask(stream, [=] { std::memcpy(there, source, bytes); }, {pointer(to), pointer(from)});
}
HS_API int cuMemsetD8Async(CudaAddress to, unsigned char value, size_t bytes, void* stream) {
  HS_MAY_FAIL;
  if (!s.memory.has(pointer(to), bytes)) return kInvalidValue;
  void* const there = s.memory.numbers(pointer(to));
  return ask(stream, [=] { std::memset(there, value, bytes); }, {pointer(to)});
}

HS_API int cuGetErrorName(int result, const char** name) {
  static thread_local std::string text;
  text = "CUDA_ERROR_" + std::to_string(result);
  return *name = text.c_str(), 0;
}
HS_API int cuGetErrorString(int result, const char** text) {
  *text = result == kOutOfMemory ? "out of memory"
          : result == 100        ? "no CUDA-capable device is detected"
                                 : "an error of the stand-in driver";
  return 0;
}

// ---- cuBLAS

// Of a second copy of this library, whose driver nobody has started: as one that is too new for the
// driver.
HS_API int cublasCreate_v2(void** handle) {
  HS_MAY_FAIL;
  if (!s.started) return kBlasNotInitialized;
  return *handle = new Blas(), 0;
}
HS_API int cublasDestroy_v2(void* handle) { return delete static_cast<Blas*>(handle), 0; }
HS_API int cublasGetVersion_v2(void*, int* version) { return *version = 130000, 0; }
HS_API int cublasSetStream_v2(void* handle, void* stream) {
  return static_cast<Blas*>(handle)->stream = static_cast<Stream*>(stream), 0;
}
HS_API int cublasSetWorkspace_v2(void*, void* workspace, size_t bytes) {
  HS_LOCKED;
  return s.memory.has(workspace, bytes) ? 0 : kBlasInvalidValue;
}
HS_API int cublasGemmStridedBatchedEx(void* handle, int op_a, int op_b, int m, int n, int k,
                                      const void* alpha, const void* a, int a_type, int lda,
                                      long long stride_a, const void* b, int b_type, int ldb,
                                      long long stride_b, const void* beta, void* c, int c_type,
                                      int ldc, long long stride_c, int count, int compute,
                                      int algo) {
  HS_IN_CONTEXT;
  if (refused()) return s.fail_with == kOutOfMemory ? kBlasAllocFailed : kBlasExecutionFailed;
  s.products++;
  const auto* kind = std::find_if(
      std::begin(kProductKinds), std::end(kProductKinds), [&](const ProductKind& known) {
        return known.operand == a_type && known.result == c_type && known.compute == compute;
      });
  if (kind == std::end(kProductKinds) || b_type != a_type || algo != kAnyAlgorithm)
    return kBlasNotSupported;
  const auto product = [&](auto real, int i) {
    using Real = decltype(real);
    const long long from = long(bytes_of(a_type)) * i;
    return gemm<Real>(
        static_cast<Blas*>(handle), op_a, op_b, m, n, k, *static_cast<const Real*>(alpha),
        static_cast<const char*>(a) + from * stride_a, lda,
        static_cast<const char*>(b) + from * stride_b, ldb, *static_cast<const Real*>(beta),
        static_cast<Real*>(c) + i * stride_c, ldc, *kind);
  };
  for (int i = 0; i < count; i++) {
    const int result = c_type == kCudaDouble ? product(double(), i) : product(float(), i);
    if (result) return result;
  }
  return 0;
}
HS_API int cublasGemmEx(void* handle, int op_a, int op_b, int m, int n, int k, const void* alpha,
                        const void* a, int a_type, int lda, const void* b, int b_type, int ldb,
                        const void* beta, void* c, int c_type, int ldc, int compute, int algo) {
  return cublasGemmStridedBatchedEx(handle, op_a, op_b, m, n, k, alpha, a, a_type, lda, 0, b,
                                    b_type, ldb, 0, beta, c, c_type, ldc, 0, 1, compute, algo);
}

// ---- for tests

// From now on call number `call` (counted from 0), of those that a card may refuse, gives `code`;
// sticky: the context is dead then. -1: none, and the context lives again, as it never does.
HS_API void stand_in_fail(long call, int code, int sticky) {
  HS_LOCKED;
  s.calls = 0, s.fail_at = call, s.fail_with = code, s.sticky = sticky != 0, s.dead = false;
}
HS_API long stand_in_calls() { return state().calls; }
HS_API long stand_in_launches() { return state().launches; }
HS_API long stand_in_sent() { return state().sent; }  // bytes, to the card
HS_API long stand_in_products() { return state().products; }
// From now on so many bytes are free.
HS_API void stand_in_leave(size_t bytes) { state().memory.limit = state().memory.used() + bytes; }
