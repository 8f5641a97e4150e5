// Which instruction sets this processor and this operating system have, and which one is used.
// Baseline code.
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "base/error.h"
#include "device/cpu/kernels/table.h"

#if HS_WITH_X86
#if defined(_MSC_VER)
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#endif

#if !defined(HS_WITH_AVX512BF16)
#define HS_WITH_AVX512BF16 0
#endif
#if !defined(HS_WITH_AVX512VNNI)
#define HS_WITH_AVX512VNNI 0
#endif
#if !defined(HS_WITH_SCALAR)
#define HS_WITH_SCALAR 0
#endif

namespace hs {

#define HS_DECLARE_ISA(isa)             \
  namespace isa {                       \
  extern const Table<float> table_f32;  \
  extern const Table<double> table_f64; \
  }
#define HS_DECLARE_BF16(isa)                  \
  namespace isa {                             \
  extern const Products<float> products_bf16; \
  }
#define HS_DECLARE_INT8(isa)                  \
  namespace isa {                             \
  extern const Products<float> products_int8; \
  }
#if HS_WITH_SCALAR
HS_DECLARE_ISA(scalar)
#endif
HS_DECLARE_BF16(scalar)
HS_DECLARE_INT8(scalar)
#if HS_WITH_X86
HS_DECLARE_ISA(sse)
HS_DECLARE_ISA(avx2)
HS_DECLARE_ISA(avx512)
HS_DECLARE_BF16(avx2)
HS_DECLARE_INT8(avx2)
#if HS_WITH_AVX512VNNI
HS_DECLARE_INT8(avx512vnni)
#endif
#if HS_WITH_AVX512BF16
HS_DECLARE_BF16(avx512bf16)  // everything else is that of avx512
#endif
#endif
#if HS_WITH_NEON
HS_DECLARE_ISA(neon)
HS_DECLARE_BF16(neon)
HS_DECLARE_INT8(neon)
#endif

namespace {

#if HS_WITH_X86
struct Registers {
  uint32_t a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(uint32_t leaf, uint32_t part = 0) {
  Registers r;
#if defined(_MSC_VER)
  int out[4], highest[4];
  __cpuid(highest, 0);
  if (leaf > static_cast<uint32_t>(highest[0])) return r;
  __cpuidex(out, static_cast<int>(leaf), static_cast<int>(part));
  r = {uint32_t(out[0]), uint32_t(out[1]), uint32_t(out[2]), uint32_t(out[3])};
#else
  __get_cpuid_count(leaf, part, &r.a, &r.b, &r.c, &r.d);
#endif
  return r;
}

// The register state that the operating system saves when it switches threads.
uint64_t saved_state() {
#if defined(_MSC_VER)
  return _xgetbv(0);
#else
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<uint64_t>(high) << 32) | low;
#endif
}

bool has(uint32_t word, int bit) { return (word >> bit) & 1; }

// Returns 0 for the baseline, 1 with AVX2 and FMA, 2 with AVX-512 F, BW, DQ, VL as well, 3 with
// AVX512_BF16 too.
int x86_level() {
  const Registers one = cpuid(1), seven = cpuid(7);
  const bool osxsave = has(one.c, 27), avx = has(one.c, 28), fma = has(one.c, 12),
             avx2 = has(seven.b, 5);
  if (!osxsave || !avx || !fma || !avx2) return 0;
  const uint64_t state = saved_state();
  if ((state & 0x6) != 0x6) return 0;  // xmm, ymm
  const bool avx512 = has(seven.b, 16) && has(seven.b, 17) && has(seven.b, 30) && has(seven.b, 31);
  if (!avx512 || (state & 0xe0) != 0xe0) return 1;  // opmask, zmm 0-15, zmm 16-31
  return HS_WITH_AVX512BF16 && seven.a >= 1 && has(cpuid(7, 1).a, 5) ? 3 : 2;
}
#endif

template <typename real>
const Table<real>* pick(const Table<float>* f32, const Table<double>* f64) {
  if constexpr (sizeof(real) == 4) {
    (void)f64;
    return f32;
  } else {
    (void)f32;
    return f64;
  }
}

#if HS_WITH_X86
// avx512, with products of pairs of bfloat16 for mixed_bfloat16.
constexpr const char kPairs[] = "avx512bf16";
#endif

// The table of a name that is available here, else nullptr.
template <typename real>
const Table<real>* find(const char* isa) {
  const char* const* names = available_isas();
  while (*names && std::strcmp(*names, isa) != 0) names++;
  if (!*names) return nullptr;
#define HS_FIND_ISA(x) \
  if (std::strcmp(isa, #x) == 0) return pick<real>(&x::table_f32, &x::table_f64);
#if HS_WITH_SCALAR
  HS_FIND_ISA(scalar)
#endif
#if HS_WITH_X86
  HS_FIND_ISA(sse)
  HS_FIND_ISA(avx2)
  HS_FIND_ISA(avx512)
  if (std::strcmp(isa, kPairs) == 0) {  // avx512 by another name
    static const Table<real> table = [] {
      Table<real> t = *pick<real>(&avx512::table_f32, &avx512::table_f64);
      t.isa = kPairs;
      return t;
    }();
    return &table;
  }
#endif
#if HS_WITH_NEON
  HS_FIND_ISA(neon)
#endif
#undef HS_FIND_ISA
  return nullptr;
}

template <typename real>
const Table<real>& find_or_fail(const char* isa, const char* where) {
  if (const Table<real>* table = find<real>(isa)) return *table;
  std::string names;
  for (const char* const* name = available_isas(); *name; name++)
    names += (names.empty() ? "" : ", ") + std::string(*name);
  fail(Code::kOption, where, "instruction set", "one of " + names + " on this processor",
       "'" + std::string(isa) + "'");
}

template <typename real>
const Table<real>& choose() {
  const char* wanted = std::getenv("HIDDENSTATE_ISA");
  if (wanted && *wanted) return find_or_fail<real>(wanted, "HIDDENSTATE_ISA");
  const char* const* best = available_isas();
  while (best[1]) best++;
  return *find<real>(*best);
}

// Products for mixed_bfloat16 and mixed_int8, by set. One without instructions for them borrows
// those of a smaller set: no such product is faster than one of float32, so it only has to be
// right. Products of integers have the same bits on every set.
struct Rounding {
  const char* isa;
  const Products<float>*bf16, *int8;
};

Rounding rounding_of(const char* isa) {
#if HS_WITH_X86
  const Products<float>* int8 = &avx2::products_int8;  // of the sets with AVX-512
#if HS_WITH_AVX512VNNI
  if (has(cpuid(7).c, 11)) int8 = &avx512vnni::products_int8;
#endif
#endif
  const Rounding all[] = {
#if HS_WITH_SCALAR
      {"scalar", &scalar::products_bf16, &scalar::products_int8},
#endif
#if HS_WITH_X86
      {"sse", &scalar::products_bf16, &scalar::products_int8},
      {"avx2", &avx2::products_bf16, &avx2::products_int8},
      {"avx512", &avx2::products_bf16, int8},
#if HS_WITH_AVX512BF16
      {kPairs, &avx512bf16::products_bf16, int8},
#endif
#endif
#if HS_WITH_NEON
      {"neon", &neon::products_bf16, &neon::products_int8},
#endif
  };
  for (const Rounding& one : all)
    if (std::strcmp(one.isa, isa) == 0) return one;
  fail(Code::kInternal, "kernels", "instruction set", "one with products of few bits",
       "'" + std::string(isa) + "'");
}

// The tables that round, of one set.
struct Rounded {
  Table<float> bf16, int8;
  explicit Rounded(const char* isa) : bf16(*find<float>(isa)), int8(bf16) {
    const Rounding rounding = rounding_of(isa);
    static_cast<Products<float>&>(bf16) = *rounding.bf16;
    static_cast<Products<float>&>(int8) = *rounding.int8;
  }
};

// exact: a table that find() has given.
const Rounded& rounded(const Table<float>& exact) {
  static const std::vector<Rounded> all = [] {
    std::vector<Rounded> tables;
    for (const char* const* isa = available_isas(); *isa; isa++) tables.emplace_back(*isa);
    return tables;
  }();
  size_t i = 0;
  while (std::strcmp(all[i].bf16.isa, exact.isa) != 0) i++;
  return all[i];
}

}  // namespace

#if HS_WITH_SCALAR
#define HS_FIRST "scalar",
#else
#define HS_FIRST
#endif
const char* const* available_isas() {
#if HS_WITH_X86
  static const char* const all[] = {HS_FIRST "sse", "avx2", "avx512", kPairs, nullptr};
  static const char* const without_pairs[] = {HS_FIRST "sse", "avx2", "avx512", nullptr};
  static const char* const without_512[] = {HS_FIRST "sse", "avx2", nullptr};
  static const char* const baseline[] = {HS_FIRST "sse", nullptr};
  static const int level = x86_level();
  return level == 3 ? all : level == 2 ? without_pairs : level == 1 ? without_512 : baseline;
#elif HS_WITH_NEON
  static const char* const all[] = {HS_FIRST "neon", nullptr};
  return all;
#else
  static const char* const all[] = {HS_FIRST nullptr};
  return all;
#endif
}
#undef HS_FIRST

template <typename real>
const Table<real>& kernels() {
  // if choose() throws, the next call asks again
  static const Table<real>& chosen = choose<real>();
  return chosen;
}

template <typename real>
const Table<real>& kernels_for(const char* isa) {
  return find_or_fail<real>(isa, "kernels_for");
}

const Table<float>& mixed_kernels() { return rounded(kernels<float>()).bf16; }
const Table<float>& mixed_kernels_for(const char* isa) {
  return rounded(kernels_for<float>(isa)).bf16;
}
const Table<float>& int8_kernels() { return rounded(kernels<float>()).int8; }
const Table<float>& int8_kernels_for(const char* isa) {
  return rounded(kernels_for<float>(isa)).int8;
}

template const Table<float>& kernels<float>();
template const Table<double>& kernels<double>();
template const Table<float>& kernels_for<float>(const char*);
template const Table<double>& kernels_for<double>(const char*);

}  // namespace hs
