// Included first into every file when old-debian.mjs builds (glibc 2.31): what is made here asks
// for nothing newer than glibc 2.28.
#pragma once

// double exp, exp2, log, log2 and pow got a new version in glibc 2.29, without setting errno by the
// old rules; the functions are the same.
#if defined(__x86_64__)
#define HS_FIRST_GLIBC "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define HS_FIRST_GLIBC "GLIBC_2.17"
#endif
__asm__(".symver exp,exp@" HS_FIRST_GLIBC);
__asm__(".symver exp2,exp2@" HS_FIRST_GLIBC);
__asm__(".symver log,log@" HS_FIRST_GLIBC);
__asm__(".symver log2,log2@" HS_FIRST_GLIBC);
__asm__(".symver pow,pow@" HS_FIRST_GLIBC);

// pthread_cond_clockwait and its like came with glibc 2.30. Without them libstdc++ waits as it did
// before: by the system's clock, looking again at the steady one.
#include <bits/c++config.h>
#undef _GLIBCXX_USE_PTHREAD_COND_CLOCKWAIT
#undef _GLIBCXX_USE_PTHREAD_MUTEX_CLOCKLOCK
#undef _GLIBCXX_USE_PTHREAD_RWLOCK_CLOCKLOCK
