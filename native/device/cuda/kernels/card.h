// What kernels are written with. A kernel is a function template over `real` of its arguments
// (args.h) and the number of its thread; HS_KERNEL(name, Args), after it, makes name_f32 and
// name_f64 of it. No thread waits for another, and none writes where another reads or writes, so a
// kernel is a loop over its threads in any order: the stand-in driver (native/test/stand_in) runs
// it as one. Built by clang alone, without CUDA's headers (scripts/build-kernels.mjs).
#pragma once
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(HS_STAND_IN)
#include "test/stand_in/kernel_list.h"
#define HS_KERNEL_OF(name, Args, real, suffix)                           \
  static const ::hs::test::KernelEntry name##_##suffix(                  \
      #name "_" #suffix, sizeof(Args<real>),                             \
      [](const void* args, int64_t first, int64_t count, int64_t step) { \
        const Args<real>& a = *static_cast<const Args<real>*>(args);     \
        for (int64_t i = 0; i < count; i++) name(a, first + i * step);   \
      },                                                                 \
      [](void* args) { __builtin_clear_padding(static_cast<Args<real>*>(args)); });
#define HS_KERNELS_BEGIN
#define HS_KERNELS_END

#else
// What formulas call of the C library. There is no libdevice here: exp, log and their like are
// those of formulas/math.h.
#define HS_DEVICE __attribute__((device)) inline
HS_DEVICE float sqrtf(float x) { return __nvvm_sqrt_rn_f(x); }
HS_DEVICE double sqrt(double x) { return __nvvm_sqrt_rn_d(x); }
HS_DEVICE float fabsf(float x) { return __builtin_fabsf(x); }
HS_DEVICE double fabs(double x) { return __builtin_fabs(x); }
HS_DEVICE void* memcpy(void* to, const void* from, size_t n) {
  return __builtin_memcpy(to, from, n);
}
#define HS_KERNEL_OF(name, Args, real, suffix)                                             \
  HS_KERNELS_END                                                                           \
  extern "C" __attribute__((global)) void name##_##suffix(Args<real> args) {               \
    const int64_t i =                                                                      \
        int64_t(__nvvm_read_ptx_sreg_ctaid_x()) * int64_t(__nvvm_read_ptx_sreg_ntid_x()) + \
        int64_t(__nvvm_read_ptx_sreg_tid_x());                                             \
    if (i < args.n) name(args, i);                                                         \
  }                                                                                        \
  HS_KERNELS_BEGIN
// Between these two all functions are for the card.
#define HS_KERNELS_BEGIN _Pragma("clang force_cuda_host_device begin")
#define HS_KERNELS_END _Pragma("clang force_cuda_host_device end")
#endif

#define HS_KERNEL(name, Args)          \
  HS_KERNEL_OF(name, Args, float, f32) \
  HS_KERNEL_OF(name, Args, double, f64)
