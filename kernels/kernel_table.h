// SPDX-License-Identifier: Apache-2.0
//
// What a tier offers: one KernelTable of pointers to kernel descriptions, one row per kernel. Selection, the library,
// tests, benchmarks and the CLI all go over the same rows (kernel_rows.inc), so that a kernel added there is
// dispatched, listed, tested and timed by itself.
//
// This layer is a leaf: plain data and functions on raw pointers, no heap, no I/O, no globals, no errors. Callers
// have checked shapes and aliasing. Kernels read and write exactly the elements named, not one byte beside them.

#pragma once

#include <cstddef>
#include <cstdint>

#include "lanewise/tier.h"

namespace lanewise::kernels {

// Of LeakyRelu, rounded to the element type: PyTorch's default.
inline constexpr double kLeakyReluSlope = 0.01;

// ---- GEMM micro-kernel -----------------------------------------------------------------------------------------

// Length of a chunk of the K dimension: partial sums are added up per chunk (docs: the numerics contract). Part of
// what the bits of a result depend on; changing it changes the revision.
inline constexpr int kQ = 256;

// Largest MR of any tile.
inline constexpr int kMaxMr = 16;

// The number of FMA chains that the contract gives each output of a product with n columns. A function of the
// layer's width alone, so that one row gives the same bits in any batch.
constexpr int Chains(std::ptrdiff_t n) { return n == 1 ? 16 : n <= 16 ? 4 : 1; }

// One call of a micro-kernel: one tile, m <= MR rows by n <= NR columns, of k steps: whole chunks of kQ, or the last
// part of K. The tile adds its chunks up itself.
//   A: m rows; element (i, k) at a[i * a_row_stride + k * a_k_stride].
//   B: one panel: element (k, j) at b[k * b_k_stride + j], NR of them readable for each k (slim_nr for `slim`, n for
//      `narrow` and `slim_narrow`, and for all that takes more than a tile: `outer`, `held`, `lanes_over_rows`).
//      Packed panels have b_k_stride = NR and are 64-byte aligned; a B whose rows are contiguous is read in place.
//      Interleaved panels (k_group = 4) are always packed, and b_k_stride does not matter: PanelIndex().
//   C: element (i, j) at c[i * c_row_stride + j].
// With `first`, the chain p_0 of the first chunk starts from bias_j (+0 if bias is null), plus beta * c_ij if beta !=
// 0; C is not read if beta = 0. Else each chunk's sum is added to C by a plain addition, and bias and beta are ignored.
template <typename T>
struct TileArgs {
  const T* a;
  std::ptrdiff_t a_row_stride;
  std::ptrdiff_t a_k_stride;
  const T* b;
  std::ptrdiff_t b_k_stride;
  std::ptrdiff_t b_panel_stride;  // from one panel to the next, for tiles of several
  T* c;
  std::ptrdiff_t c_row_stride;
  const T* bias;  // n values or null
  // Hint: step k prefetches from next + k * next_step (bytes) on as much as it reads of B, or what is not too far from
  // it to be asked for with fewer instructions. Heeded by `tile` where GemmTiles::prefetches, and there by `wide` of
  // two rows and more. next_step = 0: nothing.
  const char* next;
  std::ptrdiff_t next_step;
  std::ptrdiff_t k;
  std::int32_t n;
  T beta;
  bool first;
};

template <typename T>
using TileFunction = void (*)(const TileArgs<T>&);

// `blocks` tiles of as many rows each, one below the other, where K is one chunk at most (1 <= k <= kQ) and C starts
// from the bias alone (`first`, beta = 0); hints are ignored. A is contiguous along K or along its rows. Leaves `a` and
// `c` behind the last tile. What surrounds a tile of few steps takes much of its time.
template <typename T>
using BlocksFunction = void (*)(TileArgs<T>&, std::ptrdiff_t blocks);

// Where element (k, j) lies in a packed panel of nr columns: k-major, or, with k_group = 4, 4 consecutive k of a column
// side by side, then those of the next column.
constexpr std::ptrdiff_t PanelIndex(std::ptrdiff_t nr, std::ptrdiff_t k_group, std::ptrdiff_t k, std::ptrdiff_t j) {
  return (k / k_group * nr + j) * k_group + k % k_group;
}

// Packs one panel of a B whose rows, or columns, are contiguous and `stride` elements apart: its k rows and n <= NR
// columns. Columns that B lacks become zero; steps of k that the last group lacks become -0: times the zeros of A, -0
// added to a chain leaves it as it is, even if that is -0.
template <typename T>
using PackFunction = void (*)(const T* b, std::ptrdiff_t stride, std::ptrdiff_t k, std::ptrdiff_t n, T* panel);

// Products of few rows have tiles of their own, because a tile of one or two rows and one panel has too few chains to
// keep the FMA units busy. None of this changes the order of any output's operations.
inline constexpr int kMaxFewRows = 6;

// Steps of a B that kernels hold in registers, at most.
inline constexpr int kMaxHeldSteps = 24;

// The tiles for one number of chains; all arrays are indexed by rows - 1.
template <typename T>
struct GemmTiles {
  std::int32_t mr;
  std::int32_t nr;
  std::int32_t k_group;                    // of packed panels: 1, or 4
  bool unit_k_stride;                      // a_k_stride must be 1 (the lanes run over chains, that is along k)
  bool prefetches;                         // TileArgs::next is heeded
  PackFunction<T> pack_rows = nullptr;     // null: rows are copied
  PackFunction<T> pack_columns = nullptr;  // null for one column
  TileFunction<T> tile[kMaxMr];
  // The first slim_nr columns of a panel alone: as tile, with n <= slim_nr. 0: none.
  std::int32_t slim_nr = 0;
  TileFunction<T> slim[kMaxMr] = {};
  // As tile, with slim_nr < n < nr, and as slim, with only n elements of each row of B readable. Null: none; such
  // columns are copied first.
  TileFunction<T> narrow[kMaxMr] = {};
  TileFunction<T> slim_narrow[kMaxMr] = {};
  // The same four for several blocks of rows. Null: none.
  BlocksFunction<T> tile_blocks[kMaxMr] = {};
  BlocksFunction<T> slim_blocks[kMaxMr] = {};
  BlocksFunction<T> narrow_blocks[kMaxMr] = {};
  BlocksFunction<T> slim_narrow_blocks[kMaxMr] = {};
  // All of C for K = 1: `rows` rows of n columns, without limit for either; b_k_stride and `first` do not matter. Null:
  // none.
  void (*outer)(const TileArgs<T>&, std::ptrdiff_t rows) = nullptr;
  // All of C for an A whose columns are contiguous (a_row_stride = 1): `rows` rows of n columns, k >= 1 without limit,
  // B in place, `first` set. Null: none.
  void (*lanes_over_rows)(const TileArgs<T>&, std::ptrdiff_t rows) = nullptr;
  // All of C for a B of k = index + 1 steps and n columns, at most a vector, which stays in registers: `rows` rows of
  // an A that is contiguous along K, B in place, `first` set. Null: none.
  void (*held[kMaxHeldSteps])(const TileArgs<T>&, std::ptrdiff_t rows) = {};
  // Several panels side by side: as tile, with n <= wide_panels * NR columns.
  std::int32_t few_rows = 0;                   // rows for which there is a wide or a long tile, at most
  std::int32_t wide_panels[kMaxFewRows] = {};  // 1: none
  TileFunction<T> wide[kMaxFewRows] = {};
  // One row likewise, over more panels, for weights that lie in memory. 1: none.
  std::int32_t widest_panels = 1;
  TileFunction<T> widest = nullptr;
  // Several chunks of K side by side: one panel, all of K in one call (k >= 1 without limit, `first` set). Null: none.
  TileFunction<T> long_k[kMaxFewRows] = {};

  // Whether a last panel of 0 < n < nr columns can be read in place.
  constexpr bool ReadsPartOfPanel(std::ptrdiff_t n) const {
    return (n <= slim_nr ? slim_narrow : narrow)[0] != nullptr;
  }
};

// The tiles of interleaved panels, by the width of the panels: tiles[u - 1] has u units of columns.
inline constexpr int kMaxUnits = 8;
template <typename T>
struct InterleavedTiles {
  std::int32_t unit_columns;
  std::int32_t max_units;  // 0: this kernel has none
  GemmTiles<T> tiles[kMaxUnits];

  // For n = 2..16 columns in panels of equal width, as few as can be.
  constexpr const GemmTiles<T>& ForColumns(std::ptrdiff_t n) const {
    const auto units = (static_cast<std::int32_t>(n) + unit_columns - 1) / unit_columns;
    const std::int32_t panels = (units + max_units - 1) / max_units;
    return tiles[(units + panels - 1) / panels - 1];
  }
};

template <typename T>
struct GemmKernel {
  using Scalar = T;
  static constexpr const char* kKind = "gemm";
  Tier tier;
  GemmTiles<T> chains1;              // N > 16
  GemmTiles<T> chains4;              // N = 2..16, lanes over columns
  InterleavedTiles<T> interleaved4;  // N = 2..16, lanes over columns and chains
  GemmTiles<T> chains16;             // N = 1

  constexpr bool HasInterleaved(std::ptrdiff_t n) const {
    return n > 0 && Chains(n) == 4 && interleaved4.max_units != 0;
  }

  // For a product of n columns; `interleaved` only where HasInterleaved(n).
  constexpr const GemmTiles<T>& ForColumns(std::ptrdiff_t n, bool interleaved) const {
    if (interleaved) return interleaved4.ForColumns(n);
    return Chains(n) == 16 ? chains16 : Chains(n) == 4 ? chains4 : chains1;
  }
};

// ---- Elementwise and row kernels -------------------------------------------------------------------------------
// Arrays of n elements, unit stride, any alignment. Output may be exactly an input (in place) but not overlap it
// otherwise. n = 0 is allowed.

// y[i] = f(x[i])
template <typename T>
struct UnaryKernel {
  using Scalar = T;
  static constexpr const char* kKind = "unary";
  void (*run)(const T* x, T* y, std::size_t n);
};

// dx[i] = dy[i] * f'(x[i]), where `saved` is what the row's comment says: the output y, or the input x.
template <typename T>
struct GradientKernel {
  using Scalar = T;
  static constexpr const char* kKind = "gradient";
  void (*run)(const T* saved, const T* dy, T* dx, std::size_t n);
};

// y = f(x) over each of the rows of n elements, which depend on the others of their row alone (softmax, log-softmax).
template <typename T>
struct RowKernel {
  using Scalar = T;
  static constexpr const char* kKind = "row";
  void (*run)(const T* x, std::ptrdiff_t x_stride, T* y, std::ptrdiff_t y_stride, std::size_t rows, std::size_t n);
};

// dx = J' dy for a RowKernel's output y.
template <typename T>
struct RowGradientKernel {
  using Scalar = T;
  static constexpr const char* kKind = "row gradient";
  void (*run)(const T* y, const T* dy, T* dx, std::size_t n);
};

// Sum of n elements over 16 virtual lanes (element i into lane i mod 16, ascending, from +0), then the lanes over a
// binary tree of neighbours. The same additions on every tier.
template <typename T>
struct SumKernel {
  using Scalar = T;
  static constexpr const char* kKind = "sum";
  T (*run)(const T* x, std::size_t n);
};

// out[j] = sum over i of x[i * row_stride + j] for j < cols: rows in ascending order, in chunks of kQ rows, each from
// +0, the chunks' sums added in order. The bias gradient.
template <typename T>
struct ColumnSumKernel {
  using Scalar = T;
  static constexpr const char* kKind = "column sum";
  void (*run)(const T* x, std::ptrdiff_t row_stride, std::size_t rows, std::size_t cols, T* out);
};

// One step of gradient descent with momentum on n parameters:
//   v[i] = mu * v[i] + g[i];  w[i] = w[i] - lr * v[i]     (each a multiply-add of the tier's class)
template <typename T>
struct SgdKernel {
  using Scalar = T;
  static constexpr const char* kKind = "optimizer";
  void (*run)(T* w, T* v, const T* g, std::size_t n, T lr, T mu);
};

// y[i] = x[i] * scale, bytes to floating point (image pixels): one conversion and one rounding.
template <typename T>
struct ConvertKernel {
  using Scalar = T;
  static constexpr const char* kKind = "convert";
  void (*run)(const std::uint8_t* x, T* y, std::size_t n, T scale);
};

// ---- The table -------------------------------------------------------------------------------------------------

// Pointers to the descriptions of one tier's kernels. A selection is such a table too, its rows taken from the
// tables of the tiers that were chosen for each kernel.
struct KernelTable {
#define LANEWISE_ROW(name, ...) const __VA_ARGS__* name;
#include "kernel_rows.inc"
#undef LANEWISE_ROW
};

// The table of a tier, or null if the tier is not compiled into this library.
const KernelTable* CompiledTable(Tier tier);

// The version of Highway that the kernels were compiled with: "1.0.3".
const char* HighwayVersion();

}  // namespace lanewise::kernels
