// The driver (libcuda) and cuBLAS. Neither is needed to build, install or load the package: they
// are opened when a program asks for the device. Names and types are those of NVIDIA's
// documentation; handles are void*, results int, 0: success.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace hs {

using CudaAddress = unsigned long long;

// Of graphs; a driver may lack them (before 11.4).
#define HS_CUDA_GRAPH_FUNCTIONS(EACH)                                                     \
  EACH(cuStreamBeginCapture_v2, (void* stream, int mode))                                 \
  EACH(cuStreamEndCapture, (void* stream, void** graph))                                  \
  EACH(cuGraphInstantiateWithFlags, (void** exec, void* graph, unsigned long long flags)) \
  EACH(cuGraphLaunch, (void* exec, void* stream))                                         \
  EACH(cuGraphExecDestroy, (void* exec))                                                  \
  EACH(cuGraphDestroy, (void* graph))

#define HS_CUDA_FUNCTIONS(EACH)                                                              \
  EACH(cuInit, (unsigned flags))                                                             \
  EACH(cuDriverGetVersion, (int* version))                                                   \
  EACH(cuDeviceGetCount, (int* count))                                                       \
  EACH(cuDeviceGet, (int* device, int ordinal))                                              \
  EACH(cuDeviceGetName, (char* name, int length, int device))                                \
  EACH(cuDeviceTotalMem_v2, (size_t* bytes, int device))                                     \
  EACH(cuDeviceGetAttribute, (int* value, int attribute, int device))                        \
  EACH(cuDevicePrimaryCtxRetain, (void** context, int device))                               \
  EACH(cuCtxSetCurrent, (void* context))                                                     \
  EACH(cuModuleLoadDataEx,                                                                   \
       (void** module, const void* image, unsigned count, int* options, void** values))      \
  EACH(cuModuleGetFunction, (void** function, void* module, const char* name))               \
  EACH(cuLaunchKernel, (void* function, unsigned grid_x, unsigned grid_y, unsigned grid_z,   \
                        unsigned block_x, unsigned block_y, unsigned block_z,                \
                        unsigned shared_bytes, void* stream, void** params, void** extra))   \
  EACH(cuStreamCreate, (void** stream, unsigned flags))                                      \
  EACH(cuStreamDestroy_v2, (void* stream))                                                   \
  EACH(cuStreamSynchronize, (void* stream))                                                  \
  EACH(cuStreamWaitEvent, (void* stream, void* event, unsigned flags))                       \
  EACH(cuEventCreate, (void** event, unsigned flags))                                        \
  EACH(cuEventDestroy_v2, (void* event))                                                     \
  EACH(cuEventRecord, (void* event, void* stream))                                           \
  EACH(cuEventSynchronize, (void* event))                                                    \
  EACH(cuMemAlloc_v2, (CudaAddress * address, size_t bytes))                                 \
  EACH(cuMemFree_v2, (CudaAddress address))                                                  \
  EACH(cuMemAllocHost_v2, (void** memory, size_t bytes))                                     \
  EACH(cuMemFreeHost, (void* memory))                                                        \
  EACH(cuMemGetInfo_v2, (size_t* free, size_t* total))                                       \
  EACH(cuMemcpyHtoDAsync_v2, (CudaAddress to, const void* from, size_t bytes, void* stream)) \
  EACH(cuMemcpyDtoHAsync_v2, (void* to, CudaAddress from, size_t bytes, void* stream))       \
  EACH(cuMemcpyDtoDAsync_v2, (CudaAddress to, CudaAddress from, size_t bytes, void* stream)) \
  EACH(cuMemsetD8Async, (CudaAddress to, unsigned char value, size_t bytes, void* stream))   \
  EACH(cuGetErrorName, (int result, const char** name))                                      \
  EACH(cuGetErrorString, (int result, const char** text))

// Column-major, as Fortran's BLAS; operations: 0 as it is, 1 transposed. Types of the numbers of a,
// b and c, and how products are computed, stand below.
#define HS_CUBLAS_FUNCTIONS(EACH)                                                                \
  EACH(cublasCreate_v2, (void** handle))                                                         \
  EACH(cublasDestroy_v2, (void* handle))                                                         \
  EACH(cublasGetVersion_v2, (void* handle, int* version))                                        \
  EACH(cublasSetStream_v2, (void* handle, void* stream))                                         \
  EACH(cublasSetWorkspace_v2, (void* handle, void* workspace, size_t size))                      \
  EACH(cublasGemmEx, (void* handle, int op_a, int op_b, int m, int n, int k, const void* alpha,  \
                      const void* a, int a_type, int lda, const void* b, int b_type, int ldb,    \
                      const void* beta, void* c, int c_type, int ldc, int compute, int algo))    \
  EACH(cublasGemmStridedBatchedEx,                                                               \
       (void* handle, int op_a, int op_b, int m, int n, int k, const void* alpha, const void* a, \
        int a_type, int lda, long long stride_a, const void* b, int b_type, int ldb,             \
        long long stride_b, const void* beta, void* c, int c_type, int ldc, long long stride_c,  \
        int count, int compute, int algo))

constexpr int kCudaFloat = 0, kCudaDouble = 1, kCudaBfloat16 = 14;  // CUDA_R_32F, ...
// CUBLAS_COMPUTE_32F is true float32; _32F_FAST_TF32 rounds operands to 11 significant bits.
constexpr int kComputeFloat = 68, kComputeDouble = 70, kComputeTf32 = 77;
constexpr int kAnyAlgorithm = -1;  // CUBLAS_GEMM_DEFAULT

struct CudaDriver {
#define HS_POINTER(name, args) int(*name) args = nullptr;
  HS_CUDA_FUNCTIONS(HS_POINTER)
  HS_CUDA_GRAPH_FUNCTIONS(HS_POINTER)
  bool graphs = false;  // it has those
};

struct Cublas {
  HS_CUBLAS_FUNCTIONS(HS_POINTER)
#undef HS_POINTER
  std::string name;  // of the file that was opened
};

// Opened at the first call, then kept. nullptr where there is none; *why says what was looked for.
// HIDDENSTATE_LIBCUDA: a file to open instead.
const CudaDriver* cuda_driver(std::string* why);

// The files that may be cuBLAS: in a folder, the newest version first. HIDDENSTATE_CUBLAS: a folder
// to look in before all others; HIDDENSTATE_LIBCUBLAS: the only file.
const std::vector<std::string>& cublas_files();
// The one of that number, opened at the first call, then kept; nullptr where it cannot be opened or
// lacks a function: *why has the reason.
const Cublas* cublas(size_t number, std::string* why);
// The first of which use() says "" (nullptr: nothing more is asked of it); nullptr where there is
// none: *why has each that was tried, with the reason.
const Cublas* find_cublas(std::string* why, std::string (*use)(const Cublas&) = nullptr);

// Throws Error(kOutOfMemory) or Error(kDevice) where a call of the driver did not succeed. more:
// what else is known of it.
void check_cuda(int result, const char* call, const char* more = "");
void check_cublas(int result, const char* call);

}  // namespace hs
