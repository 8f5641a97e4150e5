// What the stand-in driver (test/stand_in) is stricter in than a processor: each of its checks is
// seen to refuse something.
#include <cstdio>
#include <thread>

#include "base/error.h"
#include "device/cuda/queue.h"
#include "test/card.h"
#include "test/test.h"

namespace hs {
namespace test {
namespace {

bool is_here() {
  if (!card_wanted()) return false;
  card<float>();  // opens the driver
  return launches() >= 0;
}

constexpr int kInvalidContext = 201, kBlasInvalidValue = 7, kBlasExecutionFailed = 13;

// A stream, a handle and so many numbers of the card.
struct Bench {
  const CudaDriver& driver = *cuda_driver(nullptr);
  const Cublas& blas = *cublas(0, nullptr);
  void *stream = nullptr, *handle = nullptr;
  OnCard<float> numbers{card<float>(), std::vector<float>(64, 1)};
  Bench() {
    check_cuda(driver.cuStreamCreate(&stream, 1), "cuStreamCreate");
    check_cublas(blas.cublasCreate_v2(&handle), "cublasCreate");
    check_cublas(blas.cublasSetStream_v2(handle, stream), "cublasSetStream");
  }
  ~Bench() {
    blas.cublasDestroy_v2(handle);
    driver.cuStreamDestroy_v2(stream);
  }
  // c [n, m] = b [n, k] a [k, m] by rows, each from that number on.
  int multiply(int m, int n, int k, int64_t a, int lda, int64_t b, int ldb, int64_t c, int ldc) {
    const float one = 1, zero = 0;
    float* const all = numbers.data();
    return blas.cublasGemmEx(handle, 0, 0, m, n, k, &one, all + a, kCudaFloat, lda, all + b,
                             kCudaFloat, ldb, &zero, all + c, kCudaFloat, ldc, kComputeFloat,
                             kAnyAlgorithm);
  }
};

}  // namespace

TEST(the_stand_in_refuses_a_wrong_leading_dimension) {
  if (!is_here()) return;
  Bench bench;
  CHECK(bench.multiply(4, 3, 2, 0, 4, 8, 2, 16, 4) == 0);
  CHECK(bench.multiply(4, 3, 2, 0, 3, 8, 2, 16, 4) == kBlasInvalidValue);
  CHECK(bench.multiply(4, 3, 2, 0, 4, 8, 1, 16, 4) == kBlasInvalidValue);
  CHECK(bench.multiply(4, 3, 2, 0, 4, 8, 2, 16, 3) == kBlasInvalidValue);
  // Too large a one: beyond the end of the memory.
  CHECK(bench.multiply(4, 3, 2, 0, 4, 8, 2, 16, 40) == kBlasExecutionFailed);
}

TEST(the_stand_in_refuses_a_result_among_its_operands) {
  if (!is_here()) return;
  Bench bench;
  CHECK(bench.multiply(4, 3, 2, 0, 4, 8, 2, 7, 4) == kBlasInvalidValue);
  CHECK(bench.multiply(4, 3, 2, 0, 4, 8, 2, 13, 4) == kBlasInvalidValue);
  // Beside each other in the rows of one array: 4 columns of 8 and the 2 after them.
  CHECK(bench.multiply(2, 3, 4, 40, 2, 0, 8, 4, 8) == 0);
  CHECK(bench.multiply(2, 3, 4, 40, 2, 0, 8, 3, 8) == kBlasInvalidValue);
  CHECK(bench.multiply(2, 3, 4, 40, 2, 2, 8, 0, 8) == 0);
  CHECK(bench.multiply(2, 3, 4, 40, 2, 1, 8, 0, 8) == kBlasInvalidValue);
}

TEST(the_stand_in_refuses_a_thread_that_has_chosen_no_context) {
  if (!is_here()) return;
  Bench bench;
  int allocated = 0, multiplied = 0, waited = 0;
  std::thread([&] {
    CudaAddress memory = 0;
    allocated = bench.driver.cuMemAlloc_v2(&memory, 4);
    multiplied = bench.multiply(4, 3, 2, 0, 4, 8, 2, 16, 4);
    waited = bench.driver.cuStreamSynchronize(bench.stream);
  }).join();
  CHECK(allocated == kInvalidContext && multiplied == kInvalidContext && waited == kInvalidContext);
}

TEST(the_stand_in_does_nothing_before_somebody_waits) {
  if (!is_here()) return;
  Bench bench;
  void* pinned = nullptr;
  check_cuda(bench.driver.cuMemAllocHost_v2(&pinned, sizeof(float)), "cuMemAllocHost");
  float& seen = *static_cast<float*>(pinned);
  seen = 7;
  const auto from = static_cast<CudaAddress>(reinterpret_cast<uintptr_t>(bench.numbers.data()));
  check_cuda(bench.driver.cuMemcpyDtoHAsync_v2(&seen, from, sizeof(float), bench.stream), "copy");
  CHECK(seen == 7);
  check_cuda(bench.driver.cuStreamSynchronize(bench.stream), "cuStreamSynchronize");
  CHECK(seen == 1);
  bench.driver.cuMemFreeHost(pinned);
}

// One stream sends a number, another passes it on: without an event between them in either order.
TEST(the_stand_in_keeps_streams_in_order_by_events_alone) {
  if (!is_here()) return;
  Bench bench;
  void *other = nullptr, *event = nullptr, *pinned = nullptr;
  check_cuda(bench.driver.cuStreamCreate(&other, 1), "cuStreamCreate");
  check_cuda(bench.driver.cuEventCreate(&event, 2), "cuEventCreate");
  check_cuda(bench.driver.cuMemAllocHost_v2(&pinned, sizeof(float)), "cuMemAllocHost");
  const auto at = [&](int i) {
    return static_cast<CudaAddress>(reinterpret_cast<uintptr_t>(bench.numbers.data() + i));
  };
  float& sent = *static_cast<float*>(pinned);
  for (const bool waits : {false, true}) {
    int arrived = 0;
    for (int turn = 0; turn < 40; turn++) {
      sent = float(10 + turn);
      bench.driver.cuMemcpyHtoDAsync_v2(at(0), pinned, sizeof(float), other);
      bench.driver.cuEventRecord(event, other);
      if (waits) CHECK(bench.driver.cuStreamWaitEvent(bench.stream, event, 0) == 0);
      bench.driver.cuMemcpyDtoDAsync_v2(at(1), at(0), sizeof(float), bench.stream);
      bench.driver.cuStreamSynchronize(bench.stream);
      bench.driver.cuStreamSynchronize(other);
      arrived += bench.numbers.read()[1] == sent;
    }
    CHECK_MESSAGE(waits ? arrived == 40 : arrived > 5 && arrived < 35, std::to_string(arrived));
  }
  bench.driver.cuMemFreeHost(pinned);
  bench.driver.cuEventDestroy_v2(event);
  bench.driver.cuStreamDestroy_v2(other);
}

TEST(the_stand_in_refuses_kernels_whose_arguments_have_another_size) {
  if (!is_here()) return;
  const char* const path = std::getenv("HIDDENSTATE_CUDA_KERNELS");
  if (!path) return;
  std::string text;
  std::FILE* const file = std::fopen(path, "rb");
  CHECK(file);
  char part[1 << 16];
  for (size_t n; (n = std::fread(part, 1, sizeof(part), file)) > 0;) text.append(part, n);
  std::fclose(file);
  const CudaDriver& driver = *cuda_driver(nullptr);
  void *module = nullptr, *function = nullptr;
  const auto found = [&](const std::string& image) {
    check_cuda(driver.cuModuleLoadDataEx(&module, image.c_str(), 0, nullptr, nullptr),
               "cuModuleLoadDataEx");
    return driver.cuModuleGetFunction(&function, module, "fill_f32") == 0;
  };
  std::string wrong = text;
  wrong.insert(wrong.find("fill_f32_param_0[") + 17, "1");
  CHECK(!found(wrong));
  CHECK(found(text));
}

}  // namespace test
}  // namespace hs
