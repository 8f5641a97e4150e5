// This instruction set's products of 8-bit integers: what isa.cc puts in place of a Table's own for
// mixed_int8. They predict only: there is no gemm_tn.
#include <cassert>

#include "device/cpu/kernels/int8.h"
#include "device/cpu/kernels/panels_of.h"

namespace hs {
namespace HS_ISA {

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// Bytes of rounded rows on the stack, for a thread may have 128 KB of it (musl).
static constexpr int64_t kRounded = 48 * 1024;

// All panels are of whole tiles, so that there is one width of tile.
static size_t packed_size_int8(int64_t K, int64_t N) {
  constexpr int64_t NR = kNR<float>;
  return static_cast<size_t>(int8_rows(K) * ((N + NR - 1) / NR * NR));
}

static void pack_int8(float* packed, const float* b, int64_t ldb, bool transposed, int64_t K,
                      int64_t N, int64_t n0, int64_t n1) {
  constexpr int64_t NR = kNR<float>;
  const int64_t k_step = transposed ? 1 : ldb, n_step = transposed ? ldb : 1;
  for (int64_t n = n0; n < n1; n += NR)
    int8_columns(packed + n * int8_rows(K), NR, NR, b + n * n_step, k_step, n_step, K,
                 least(NR, N - n));
}

static void gemm_int8(float* c, int64_t ldc, const float* a, int64_t lda, const float* packed,
                      int64_t M, int64_t N, int64_t K, int64_t n0, int64_t n1, bool accumulate,
                      const int32_t* rows) {
  constexpr int64_t NR = kNR<float>, MC = kRounded / (kInt8Block * int64_t(sizeof(Left)));
  alignas(64) Left rounded[MC * kInt8Block];
  float scales[MC];
  const auto row_of = [&](int64_t m) { return rows ? rows[m] : m; };
  if (K == 0 && !accumulate)
    for (int64_t m = 0; m < M; m++)
      for (int64_t n = n0; n < n1; n++) c[row_of(m) * ldc + n] = 0;
  Int8Tile t{};
  t.scale_step = 1;
  for (int64_t k0 = 0; k0 < K; k0 += kInt8Block) {
    const int64_t depth = least(kInt8Block, K - k0);
    t.elements = int8_elements(depth), t.a_step = t.elements * kInt8Per;
    t.fresh = k0 == 0 && !accumulate;
    for (int64_t m0 = 0; m0 < M; m0 += MC) {
      const int64_t count = least(MC, M - m0);
      for (int64_t m = 0; m < count; m++)
        scales[m] = int8_row(rounded + m * t.a_step, a + row_of(m0 + m) * lda + k0, depth);
      for (int64_t n = n0; n < n1; n += NR) {
        t.b = packed + n * int8_rows(K) + int8_rows(k0) * NR;
        t.columns = static_cast<int>(least(NR, N - n));
        for (int64_t m = 0; m < count;) {
          t.a = rounded + m * t.a_step, t.scales = scales + m;
          for (int i = 0; i < least(kMR, count - m); i++) t.c[i] = c + row_of(m0 + m + i) * ldc + n;
          m += int8_rows_of_tile<kNV<float>>(count - m, t);
        }
      }
    }
  }
}

// ---- the fused forward of cells. Its panels are those of cell_kernels.h, but that W and U lie as
// int8.h has columns: [1 + int8_rows(D) + int8_rows(H)][count gates][units]. Rows of x and h are
// rounded once a step, whatever the number of panels.

static const PhasePanels& phase_of(const void* self, int phase) {
  return static_cast<const PhasePanels*>(self)[phase];
}

static int64_t panel_size(const PhasePanels& ph, int64_t D, int64_t H) {
  return (1 + int8_rows(D) + int8_rows(H)) * ph.width;
}

static int int8_panel_units(const void* self, int phase) { return phase_of(self, phase).units; }

static size_t int8_packed_size(const void* self, int phase, int64_t D, int64_t H) {
  const PhasePanels& ph = phase_of(self, phase);
  return static_cast<size_t>((H + ph.units - 1) / ph.units * panel_size(ph, D, H));
}

HS_SELDOM static void int8_pack(const void* self, int phase, float* packed, const float* bias,
                                const float* W, int64_t D, const float* U, int64_t H, int64_t u0,
                                int64_t u1) {
  const PhasePanels& ph = phase_of(self, phase);
  const int64_t GH = ph.gates * H, width = ph.width, units = ph.units;
  for (int64_t unit = u0; unit < u1; unit += units) {
    const int64_t n = least(units, H - unit);
    for (int q = 0; q < ph.count; q++) {
      const int64_t at = (ph.first + q) * H + unit;
      float* column = packed + unit / units * panel_size(ph, D, H) + q * units;
      for (int64_t j = 0; j < units; j++) column[j] = j < n ? bias[at + j] : 0;
      int8_columns(column + width, width, units, W + at, GH, 1, D, n);
      int8_columns(column + (1 + int8_rows(D)) * width, width, units, U + at, GH, 1, H, n);
    }
  }
}

namespace {

// Rows of an operand, rounded: of row i, K numbers at numbers + i * step, and the scales of their
// blocks at scales + i * scale_step.
struct Rounded {
  Left* numbers;
  float* scales;
  int64_t K, step, scale_step;

  void take(int64_t i, const float* row) const {
    for (int64_t k0 = 0, block = 0; k0 < K; k0 += kInt8Block, block++)
      scales[i * scale_step + block] =
          int8_row(numbers + i * step + k0, row + k0, least(kInt8Block, K - k0));
  }
};

}  // namespace

// What the products of one row start from: x W + b of the panel, with zeros beyond the last unit.
static void int8_projection(float* product, const CellArgs<float>& a, const PhasePanels& ph,
                            int64_t row, int64_t unit) {
  const float* from = a.gates + (row * ph.gates + ph.first) * a.H + unit;
  const int64_t n = least(ph.units, a.H - unit);
  for (int q = 0; q < ph.count; q++, from += a.H, product += ph.units) {
    memcpy(product, from, size_t(n) * sizeof(float));
    memset(product + n, 0, size_t(ph.units - n) * sizeof(float));
  }
}

// The first rows of `left`, from row m on, through one panel; returns how many.
template <int NV>
static int int8_panel(const CellArgs<float>& a, const PhasePanels& ph, const Rounded& x,
                      const Rounded& h, int64_t m, int64_t left, const int32_t* rows, int64_t row0,
                      const float* panel, int64_t unit) {
  alignas(64) float product[kInt8Rows<NV>][NV * Vec<float>::lanes];
  Int8Tile t{};
  t.columns = ph.width;
  const int most = static_cast<int>(least(kInt8Rows<NV>, left));
  const auto row_of = [&](int i) { return rows ? rows[m + i] : row0 + m + i; };
  for (int i = 0; i < most; i++) {
    t.c[i] = product[i];
    if (ph.with_bias || a.x) {
      memcpy(product[i], panel, size_t(ph.width) * sizeof(float));
    } else {
      int8_projection(product[i], a, ph, row_of(i), unit);
    }
  }
  const float* w = panel + ph.width;
  int done = most;
  const Rounded* const operands[] = {&x, &h};
  for (const Rounded* operand : operands) {
    t.a_step = operand->step, t.scale_step = operand->scale_step;
    for (int64_t k0 = 0, block = 0; k0 < operand->K; k0 += kInt8Block, block++) {
      t.elements = int8_elements(least(kInt8Block, operand->K - k0));
      t.a = operand->numbers + m * operand->step + k0;
      t.scales = operand->scales + m * operand->scale_step + block;
      t.b = w + int8_rows(k0) * ph.width;
      done = int8_rows_of_tile<NV>(left, t);
    }
    w += int8_rows(operand->K) * ph.width;
  }
  for (int i = 0; i < done; i++) ph.finish(a, row_of(i), unit, product[i]);
  return done;
}

static void int8_forward(const void* self, int phase, const CellArgs<float>& a) {
  const PhasePanels& ph = phase_of(self, phase);
  constexpr int64_t L = Vec<float>::lanes, most_rows = 48, most_scales = 320;
  assert(a.operand_gate == 0 && !a.x_from && (a.K == 0 || a.K == a.H));
  if (a.real_rows)
    for (int64_t row = a.r0; row < a.r1; row++)
      if (a.mask[row] == 0) ph.hold(a, row, a.u0, a.u1);
  alignas(64) Left rounded[kRounded / sizeof(Left)];
  float scales[most_scales];
  const int64_t D = int8_elements(a.D) * kInt8Per, K = int8_elements(a.K) * kInt8Per;
  const int64_t x_blocks = int8_blocks(a.D), blocks = x_blocks + int8_blocks(a.K);
  const Rounded x{rounded, scales, a.D, D + K, blocks};
  const Rounded h{rounded + D, scales + x_blocks, a.K, D + K, blocks};
  int64_t step = most_rows;
  if (blocks > 0)
    step = least(step, least(kRounded / int64_t(sizeof(Left)) / (D + K), most_scales / blocks));
  assert(step > 0);
  const int64_t rows = a.real_rows ? a.real_count : a.r1 - a.r0;
  for (int64_t first = 0; first < rows; first += step) {
    const int32_t* listed = a.real_rows ? a.real_rows + first : nullptr;
    const int64_t row0 = a.r0 + first, count = least(step, rows - first);
    for (int64_t i = 0; i < count; i++) {
      const int64_t row = listed ? listed[i] : row0 + i;
      if (a.D > 0) x.take(i, a.x + row * a.D);
      h.take(i, a.operand + row * a.H);
    }
    for (int64_t unit = a.u0; unit < a.u1; unit += ph.units) {
      const float* panel = a.packed + unit / ph.units * panel_size(ph, a.D, a.H);
      for (int64_t m = 0; m < count;)
        m += ph.width == 3 * L
                 ? int8_panel<3>(a, ph, x, h, m, count - m, listed, row0, panel, unit)
                 : int8_panel<4>(a, ph, x, h, m, count - m, listed, row0, panel, unit);
    }
  }
}

// So that the rounded rows of x and h fit on the stack, on any set.
static constexpr int64_t kMostUnits = 4096;

static const FusedCell<float>* fused_cell_int8([[maybe_unused]] const char* name) {
#define HS_FIND(x)                                                  \
  if (strcmp(name, #x) == 0) {                                      \
    static const FusedCell<float> fused = {HS_CELLS_OF::x##_panels, \
                                           int8_panel_units,        \
                                           int8_packed_size,        \
                                           int8_pack,               \
                                           int8_forward,            \
                                           kMostUnits};             \
    return &fused;                                                  \
  }
  HS_CELLS(HS_FIND)
#undef HS_FIND
  return nullptr;
}

extern constexpr Products<float> products_int8 = {
    packed_size_int8, pack_int8, gemm_int8, nullptr, 0, kMR, kNR<float>, 1, true, fused_cell_int8};

}  // namespace HS_ISA
}  // namespace hs
